"""The paper's experiments: sizes, the demo's form of VGG19, what methods propose, and how it is judged."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from torchvision.models import VGG, squeezenet1_0
from torchvision.models.vgg import make_layers

from benchmarks.paper.attention import CELLS, LAYER, Logits, as_shares, attention, overlap, shift
from benchmarks.paper.gain import ALWAYS, SHUFFLED, SUREST, TRUTH, Choice, Judge, choices, fixed_factor, on_grid
from benchmarks.paper.networks import DEEPEST, TWICE, find_classifier, pooled_twice
from benchmarks.paper.passes import SIZES, Passer, Passes
from benchmarks.paper.photographs import Photograph, read_photographs
from benchmarks.paper.proposals import Proposal, covariant, published
from benchmarks.paper.study import Study
from benchmarks.paper.tissue import field, merged, optima
from benchmarks.scale_in_layers.networks import Classifier, Subject
from benchmarks.sources import Source
from wsi_scale.networks.architectures import architecture
from wsi_scale.networks.load import NetworkSource
from wsi_scale.networks.network import Network
from wsi_scale.networks.preprocessing import normalise
from wsi_scale.scale.calibration import Calibration, LayerCalibration

THIN = [4, 4, "M", 6, 6, "M", 6, 6, 6, 6, "M", 8, 8, 8, 8, "M", 8, 8, 8, 8, "M"]


def image_file(path: Path, width: int, height: int) -> Path:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8)).save(path)
    return path


def thin_vgg19() -> VGG:
    """VGG19's modules in its order, few channels wide."""
    torch.manual_seed(0)
    model = VGG(make_layers(THIN), init_weights=False)
    wide = 8 * 7 * 7
    model.classifier = nn.Sequential(
        nn.Linear(wide, 16), nn.ReLU(True), nn.Dropout(), nn.Linear(16, 16), nn.ReLU(True), nn.Dropout(),
        nn.Linear(16, 10),
    )  # fmt: skip
    return model.eval()


def thin_network(model: VGG) -> Network:
    known = architecture("vgg19")
    nodes = {layer: known.nodes[layer] for layer in known.block_ends} | {"logits": "classifier.6"}
    source = NetworkSource(known, model.state_dict(), "a test")
    return Subject("vgg19", source, Classifier(lambda: model, nodes, "classifier.6.weight")).trained()


def passes_of(**responses: NDArray[np.float64]) -> Passes:
    photographs = (Photograph(Path("a.png"), 0, "a"),)
    return Passes(pooled_twice(thin_network(thin_vgg19())), photographs, dict(responses))


def peak(size_px: float, count: int = 3) -> NDArray[np.float64]:
    """(photograph, channel, size) responses that are highest at one size."""
    curve = np.exp(-(np.log2(np.array(SIZES) / size_px) ** 2))
    return np.tile(curve, (1, count, 1))


@pytest.mark.parametrize(("width", "height"), [(60, 40), (40, 60), (50, 50)])
def test_the_shorter_side_of_a_photograph_is_brought_to_a_size(tmp_path: Path, width: int, height: int) -> None:
    pixels = Photograph(image_file(tmp_path / "a.png", width, height), 0, "a").at(20)
    assert pixels.shape == (20 * height // min(width, height), 20 * width // min(width, height), 3)


def test_a_sample_of_photographs_is_the_beginning_of_all(tmp_path: Path) -> None:
    lines = ["file\tclass_index\tname", *(f"{k}.png\t{k}\tclass {k}" for k in range(9))]
    (tmp_path / "labels.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    everything = read_photographs(tmp_path)
    assert {photograph.class_index for photograph in everything} == set(range(9))
    assert read_photographs(tmp_path, 4) == everything[:4]
    assert [photograph.class_index for photograph in everything] != sorted(range(9))


def test_the_demos_form_of_vgg19_pools_twice_before_its_fifth_block() -> None:
    model = thin_vgg19()
    network = pooled_twice(thin_network(model))
    images = torch.rand(1, 3, 96, 128)
    with torch.inference_mode():
        maps = network.maps(images)
        deep = model.features[27:36](model.features[:28](images))
        softmax = model.classifier(model.avgpool(model.features[36](deep)).flatten(1)).softmax(dim=1)
        right = model(images).softmax(dim=1)
    torch.testing.assert_close(maps[DEEPEST + TWICE], deep)
    torch.testing.assert_close(maps["softmax" + TWICE].flatten(1), softmax)
    torch.testing.assert_close(maps["softmax"].flatten(1), right)
    assert deep.shape[2] * 2 == maps[DEEPEST].shape[2]
    assert set(maps) == {layer.name for layer in network.layers}


def test_a_classifier_that_the_package_does_not_know_answers_its_softmax(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WSI_SCALE_WEIGHTS", str(tmp_path))
    assert find_classifier("squeezenet1_0") is None
    torch.manual_seed(0)
    model = squeezenet1_0(weights=None).eval()
    save_file(model.state_dict(), tmp_path / "squeezenet1_0.safetensors")
    network = find_classifier("squeezenet1_0")
    assert network is not None
    image = torch.rand(1, 3, 80, 80)
    with torch.inference_mode():
        torch.testing.assert_close(network.maps(image)["softmax"].flatten(1), model(image).softmax(dim=1))


def test_the_published_search_takes_the_demos_fifth_block_where_it_is_asked_for() -> None:
    ends = architecture("vgg19").block_ends
    responses = {layer: peak(448) for layer in ends} | {DEEPEST + TWICE: peak(112)}
    passes = passes_of(**responses)
    assert published(passes).scale.tolist() == [2.0]
    twice = published(passes, twice=True)
    assert twice.votes[DEEPEST + TWICE].tolist() == [-2.0]
    assert twice.scale.tolist() == [(2 + 2 + 2 + 2 - 2) / 5]


def test_calibrated_channels_propose_the_size_at_which_they_peak() -> None:
    calibration = Calibration(
        {"C2_2": LayerCalibration(np.arange(3), np.full(3, 0.5), np.ones(3), np.full(3, 0.1))}
    )  # fmt: skip
    for size in (140, 224, 448):
        proposal = covariant(passes_of(C2_2=peak(size)), calibration)
        assert proposal.factor[0] == pytest.approx(size / 224, rel=0.03)


def test_a_photograph_without_an_answer_keeps_its_size() -> None:
    assert Proposal(np.array([np.nan, 1.0, 0.5, 1.125, 20.0])).sizes.tolist() == [224, 224, 112, 252, 896]


def test_better_equal_and_worse_are_counted_also_among_those_whose_size_changed() -> None:
    sizes = np.array([[224], [448], [448], [112], [448]])
    confidence = np.array([[0.5], [0.9], [0.505], [0.1], [0.2]])
    figures = Choice(sizes, confidence, np.full(5, 0.5)).figures()
    shares = {name: row[0] for name, row in figures["all"]["within 0.01"].items()}
    assert shares == {"better": 0.2, "equal": 0.4, "worse": 0.4, "not worse": 0.6}
    changed = figures["size changed"]
    assert changed["n"] == 4
    assert changed["within 0.01"]["equal"][0] == 0.25
    assert changed["exactly"]["better"][0] == 0.5
    assert figures["change"][0] == pytest.approx((confidence - 0.5).mean(), abs=1e-4)


def test_rules_without_a_method_are_judged_beside_the_methods() -> None:
    # Three photographs of class 0; the classifier is surest of class 1 at the smallest size.
    softmax = np.full((3, 2, len(SIZES)), 0.1)
    softmax[:, 0, SIZES.index(224)] = 0.5
    softmax[:, 0, SIZES.index(448)] = 0.8, 0.3, 0.3
    softmax[:, 1, 0] = 0.9
    passer = Passer(pooled_twice(thin_network(thin_vgg19())))
    photographs = tuple(Photograph(Path(f"{name}.png"), 0, name) for name in "abc")
    study = Study(Path(), _passes={"vgg19": Passes(passer.network, photographs, {"softmax": softmax})})
    found = choices(Judge(study, passer), {"published": Proposal(np.array([2.0, 1.0, np.nan]))})
    change = {name: (choice.confidence - choice.original[:, None]).round(3) for name, choice in found.items()}
    assert change["published"].ravel().tolist() == [0.3, 0, 0]
    assert change[ALWAYS].ravel().tolist() == [0, 0, 0]
    assert change[SUREST].ravel().tolist() == [-0.4] * 3
    assert change[TRUTH].ravel().tolist() == [0.3, 0, 0]
    assert sorted(change[SHUFFLED][1]) == [-0.2, 0]
    assert change[SHUFFLED][0].tolist() == [0, 0]


def test_the_fixed_factor_of_a_photograph_is_chosen_without_it() -> None:
    values = np.random.default_rng(0).random((20, 5)) * 0.1
    values[:, 3] += 0.2
    chosen = fixed_factor(values)
    assert chosen.tolist() == [3] * 20
    alone = values.copy()
    alone[7] = [1000, 0, 0, 0, 0]
    changed = np.flatnonzero(fixed_factor(alone) != chosen)
    assert 7 not in changed
    assert len(changed) > 0


def test_sizes_are_brought_to_the_nearest_of_the_grid() -> None:
    assert on_grid(np.array([[74, 225], [897, 130]])).tolist() == [[0, 8], [20, 5]]


def test_attention_is_the_evidence_that_the_gradient_weighs(tmp_path: Path) -> None:
    model = thin_vgg19()
    trunk = thin_network(model).trunk
    photograph = Photograph(image_file(tmp_path / "a.png", 128, 96), 3, "a")
    found = attention(Logits(trunk).eval(), trunk.get_submodule(f"extractor.{LAYER}"), photograph, 96)
    maps = model.features[:36](normalise(torch.from_numpy(photograph.at(96).copy())[None]))
    maps = maps.detach().requires_grad_()
    model.classifier(model.avgpool(model.features[36](maps)).flatten(1))[0, 3].backward()
    assert maps.grad is not None
    weighed = (maps.grad.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1)[0].relu().detach()
    assert float(weighed.max()) > 0
    np.testing.assert_allclose(found, weighed.numpy(), rtol=1e-4, atol=1e-7)


def test_attention_that_stays_overlaps_wholly_and_attention_that_moves_is_shifted() -> None:
    left = np.zeros((4, 4))
    left[:, 0] = 2
    right = left[:, ::-1]
    first, second = as_shares(left), as_shares(right)
    assert first.shape == (CELLS, CELLS)
    assert first.sum() == pytest.approx(1)
    assert overlap(first, first) == pytest.approx(1)
    assert shift(first, first) == pytest.approx(0)
    assert overlap(first, second) < 0.05
    assert 0.6 < shift(first, second) < 0.8
    assert np.isnan(as_shares(np.zeros((3, 5)))).all()


def test_maps_of_other_sizes_are_compared_on_one_grid() -> None:
    coarse = np.array([[1.0, 3.0], [0.0, 2.0]])
    fine = np.kron(coarse, np.ones((8, 8)))
    assert overlap(as_shares(coarse), as_shares(fine)) > 0.85


def test_tissues_curve_is_of_the_channels_whose_maximum_is_inside() -> None:
    log2_mpp = np.linspace(-2, 2, 13)
    inside = np.exp(-((log2_mpp - 0.5) ** 2))
    rising, silent = 10 + log2_mpp, np.zeros(13)
    values = np.stack([[inside, rising, silent], [rising, rising, silent]])
    np.testing.assert_allclose(merged(values, log2_mpp)[0], inside)
    assert np.isnan(merged(values, log2_mpp)[1]).all()
    found = optima(values, log2_mpp)
    assert found["all"] == {"inside": 0.0, "mpp": None}
    assert found["kept"]["inside"] == 0.5
    assert found["kept"]["mpp"][1] == pytest.approx(2**0.5, rel=0.02)
    assert found["channels inside"] == pytest.approx(1 / 6, abs=1e-3)


def test_a_field_of_tissue_is_cut_from_the_middle_at_a_true_size(tmp_path: Path) -> None:
    pixels = np.zeros((80, 80, 3), np.uint8)
    pixels[20:60, 20:60] = 255
    Image.fromarray(pixels).save(tmp_path / "crop.png")
    crop = Source(tmp_path / "crop.png", 0.5, "case", "", "liver", "", "H&E", "tissue")
    assert field(crop, 20.0, 20)[0, 1:-1, 1:-1].min() == 255
    wider = field(crop, 40.0, 40)[0, :, :, 0]
    assert wider.shape == (40, 40)
    assert wider[0].max() == 0
    assert (wider > 127).sum() == 20 * 20
