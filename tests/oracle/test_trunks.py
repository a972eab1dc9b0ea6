"""Cut networks against torchvision's own modules, tapped by hooks."""

from collections.abc import Callable, Mapping

import pytest
import torch
from torch import nn
from torchvision import models

from wsi_scale.magnification.training import ChainRegressor
from wsi_scale.networks.architectures import VGG16_PLAN, VGG19_PLAN, architecture, chain_architecture
from wsi_scale.networks.chain import EMBEDDED_PLAN, EMBEDDED_SCALE_LAYERS, ChainPlan, Conv, build_chain, fold_batch_norm
from wsi_scale.networks.network import assemble

Seeded = Callable[[nn.Module], nn.Module]


def hooked(model: nn.Module, modules: Mapping[str, nn.Module], images: torch.Tensor) -> dict[str, torch.Tensor]:
    """Layer → what torchvision's module puts out, copied before anything changes it in place."""
    found: dict[str, torch.Tensor] = {}

    def keep(name: str) -> Callable[[nn.Module, tuple[torch.Tensor, ...], torch.Tensor], None]:
        def hook(_: nn.Module, __: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
            found[name] = output.clone()

        return hook

    handles = [module.register_forward_hook(keep(name)) for name, module in modules.items()]
    with torch.no_grad():
        model(images)
    for handle in handles:
        handle.remove()
    return found


def assert_answers_alike(name: str, model: nn.Module, modules: Mapping[str, nn.Module], side_px: int) -> None:
    images = torch.randn(2, 3, side_px, side_px, generator=torch.Generator().manual_seed(1))
    expected = hooked(model, modules, images)
    network = assemble(architecture(name), model.state_dict(), list(modules), "seeded")
    with torch.no_grad():
        maps, pooled = network.maps(images), network(images)
    assert list(maps) == list(modules)
    for layer, described in zip(modules, network.layers, strict=True):
        scale = float(expected[layer].abs().max())
        assert scale > 0
        torch.testing.assert_close(maps[layer], expected[layer], rtol=1e-4, atol=1e-5 * scale, msg=layer)
        mean = expected[layer].mean(dim=(2, 3))
        torch.testing.assert_close(pooled[layer], mean, rtol=1e-4, atol=1e-5 * scale, msg=layer)
        assert (described.name, described.channels) == (layer, expected[layer].shape[1])


def test_squeezenet_answers_as_torchvisions(seeded: Seeded) -> None:
    model = seeded(models.squeezenet1_1())
    fires = {2: 3, 3: 4, 4: 6, 5: 7, 6: 9, 7: 10, 8: 11, 9: 12}
    modules = {"conv1": model.features[1]} | {f"fire{k}": model.features[v] for k, v in fires.items()}
    assert_answers_alike("squeezenet1_1", model, modules, 101)


def test_resnet50_answers_as_torchvisions(seeded: Seeded) -> None:
    model = seeded(models.resnet50())
    modules = {"stem": model.relu} | {name: getattr(model, name) for name in ("layer1", "layer2", "layer3", "layer4")}
    assert_answers_alike("resnet50", model, modules, 75)


def test_inception_v3_answers_as_torchvisions_pretrained_one(seeded: Seeded) -> None:
    # torchvision builds the pretrained network with transform_input=True: images come normalised for ImageNet,
    # and are brought to what this network was trained on inside it.
    model = seeded(models.inception_v3(init_weights=False, transform_input=True))
    names = ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c")
    modules = {"stem": model.Conv2d_2b_3x3, "stem2": model.Conv2d_4a_3x3}
    modules |= {f"Mixed_{name}": getattr(model, f"Mixed_{name}") for name in names}
    assert_answers_alike("inception_v3", model, modules, 107)


def convolutions(build: Callable[[], nn.Module]) -> nn.Module:
    """torchvision's VGG without its classifier, whose parameters would weigh most."""
    with torch.device("meta"):
        model = build()
    model.classifier, model.avgpool = nn.Sequential(), nn.Sequential()
    return model.to_empty(device="cpu")


def test_vgg16_answers_as_torchvisions(seeded: Seeded) -> None:
    model = seeded(convolutions(models.vgg16))
    relus = {"C1_2": 3, "C2_2": 8, "C3_3": 15, "C4_3": 22, "C5_3": 29}
    assert_answers_alike("vgg16", model, {name: model.features[index] for name, index in relus.items()}, 67)


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize(
    ("plan", "builds"), [(VGG16_PLAN, (models.vgg16, models.vgg16_bn)), (VGG19_PLAN, (models.vgg19, models.vgg19_bn))]
)
def test_a_chain_is_torchvisions_vgg(
    seeded: Seeded, plan: ChainPlan, builds: tuple[Callable[[], nn.Module], Callable[[], nn.Module]], batch_norm: bool
) -> None:
    theirs = seeded(convolutions(builds[batch_norm])).features
    ours = build_chain(plan, batch_norm=batch_norm).eval()
    assert {name: value.shape for name, value in ours.state_dict().items()} == {
        name: value.shape for name, value in theirs.state_dict().items()
    }
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    # Its last max-pool belongs to torchvision's plan alone.
    images = torch.randn(1, 3, 48, 48, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(ours(images), theirs[:-1](images))
    assert isinstance(theirs[-1], nn.MaxPool2d)


@pytest.mark.parametrize("plan", [EMBEDDED_PLAN, (8, 8, "M", 16), (Conv(8, 7, 4), Conv(16, 1), "M", 8)])
def test_a_folded_batch_norm_answers_as_the_network_did(seeded: Seeded, plan: ChainPlan) -> None:
    layers = seeded(build_chain(plan, batch_norm=True))
    folded = fold_batch_norm(layers)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded)
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(folded(images), layers(images), rtol=1e-4, atol=1e-4)


def test_the_trained_network_answers_the_same_after_folding_cutting_and_naming(seeded: Seeded) -> None:
    layers = EMBEDDED_SCALE_LAYERS
    model = seeded(ChainRegressor(EMBEDDED_PLAN, layers))
    folded = fold_batch_norm(model.features)
    state = {f"features.{name}": value for name, value in folded.state_dict().items()}
    network = assemble(chain_architecture("embedded", EMBEDDED_PLAN, layers, layers[-1]), state, layers, "seeded")
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    expected = hooked(model, {name: model.features[end] for name, end in zip(layers, model.ends, strict=True)}, images)
    with torch.no_grad():
        maps = network.maps(images)
    for layer in layers:
        torch.testing.assert_close(maps[layer], expected[layer], rtol=1e-4, atol=1e-4, msg=layer)
