"""Where weights are found, and what is said when they are not what they claim."""

import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from wsi_scale.errors import ArtifactError, ConfigError, WeightsError
from wsi_scale.networks.architectures import VGG19_PLAN, architecture
from wsi_scale.networks.load import find_network
from wsi_scale.networks.network import assemble
from wsi_scale.networks.weights import at_hand, find_weights, import_weights, read_weights

VGG19 = architecture("vgg19")
LAYERS = ("C1_2", "C2_2")
TORCHVISIONS = "vgg19-dcbb9e9d.pth"


def save_marked(path: Path, mark: float) -> Path:
    """Weights that tell where they come from."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {"features.0.bias": torch.full((64,), mark)}
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)
    return path


def found_mark(file: Path | None = None) -> float:
    state, _ = find_weights(VGG19, file)
    return float(state["features.0.bias"][0])


@pytest.fixture
def everywhere(no_weights: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Weights in every place that is looked at, each with its own mark."""
    monkeypatch.setenv("WSI_SCALE_WEIGHTS", str(no_weights / "named"))
    return {
        "file": save_marked(no_weights / "given.pth", 1),
        "named": save_marked(no_weights / "named" / "vgg19.safetensors", 2),
        "cache": save_marked(no_weights / "torch" / "hub" / "checkpoints" / TORCHVISIONS, 3),
    }


def test_a_file_that_is_given_comes_first_then_the_named_folder_then_torchvisions_cache(
    everywhere: dict[str, Path],
) -> None:
    assert found_mark(everywhere["file"]) == 1
    assert found_mark() == 2
    everywhere["named"].unlink()
    assert found_mark() == 3


def test_the_source_is_told(everywhere: dict[str, Path]) -> None:
    assert find_weights(VGG19, everywhere["file"])[1] == str(everywhere["file"])
    assert find_weights(VGG19)[1] == str(everywhere["named"])


def test_a_given_file_that_is_missing_is_not_replaced_by_another(everywhere: dict[str, Path]) -> None:
    everywhere["file"].unlink()
    with pytest.raises(WeightsError, match=r"given\.pth"):
        find_weights(VGG19, everywhere["file"])


def test_the_named_folder_is_by_default_the_weights_of_the_data(
    no_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_marked(no_weights / "real" / "weights" / "vgg19_features.safetensors", 4)
    save_marked(no_weights / "data home" / "wsi_scale" / "weights" / "vgg19.safetensors", 5)
    assert found_mark() == 5
    monkeypatch.setenv("WSI_SCALE_DATA", str(no_weights / "real"))
    assert found_mark() == 4


def test_files_are_known_by_the_networks_name_and_the_plain_name_wins(
    no_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WSI_SCALE_WEIGHTS", str(no_weights))
    save_marked(no_weights / "vgg19_head_compact.safetensors", 6)
    save_marked(no_weights / "vgg16.safetensors", 7)
    save_marked(no_weights / "myvgg19.safetensors", 8)
    (no_weights / "vgg19.txt").write_text("notes")
    with pytest.raises(WeightsError, match="no weights for vgg19"):
        found_mark()
    save_marked(no_weights / "vgg19_features.safetensors", 9)
    assert found_mark() == 9
    save_marked(no_weights / "vgg19.pth", 10)
    assert found_mark() == 10


def test_without_any_the_error_names_the_ways_in_one_line(no_weights: Path) -> None:
    with pytest.raises(WeightsError) as error:
        find_network("vgg19")
    text = str(error.value)
    assert "\n" not in text
    for way in ("`wsi-scale weights import vgg19 FILE`", "--set weights=FILE", "--config weights=FILE", "`embedded`"):
        assert way in text
    assert not (no_weights / "torch" / "hub" / "checkpoints" / TORCHVISIONS).exists()


def test_every_known_network_says_so_too(no_weights: Path) -> None:
    for name in ("vgg16", "squeezenet1_1", "resnet50", "inception_v3"):
        with pytest.raises(WeightsError, match=f"no weights for {name}"):
            find_network(name)


def damaged(tmp_path: Path) -> dict[str, Path]:
    """Files that are no weights, of every kind."""
    whole = {"features.0.weight": torch.zeros(64, 3, 3, 3), "features.0.bias": torch.zeros(64)}
    files = {
        "empty": tmp_path / "empty.safetensors",
        "text": tmp_path / "text.safetensors",
        "cut": tmp_path / "cut.safetensors",
        "empty pth": tmp_path / "empty.pth",
        "text pth": tmp_path / "text.pth",
        "cut pth": tmp_path / "cut.pth",
        "cut old pth": tmp_path / "cut_old.pth",
        "module": tmp_path / "module.pth",
        "code": tmp_path / "code.pth",
        "number": tmp_path / "number.pth",
        "nested": tmp_path / "nested.pth",
        "missing": tmp_path / "missing.safetensors",
        "folder": tmp_path / "folder.pth",
    }
    for name in ("empty", "empty pth"):
        files[name].touch()
    for name in ("text", "text pth"):
        files[name].write_text("hello, this is no network\n" * 20)
    save_file(whole, files["cut"])
    torch.save(whole, files["cut pth"])
    torch.save(whole, files["cut old pth"], _use_new_zipfile_serialization=False)
    for name in ("cut", "cut pth", "cut old pth"):
        content = files[name].read_bytes()
        files[name].write_bytes(content[: len(content) // 2])
    torch.save(torch.nn.Linear(2, 2), files["module"])
    files["code"].write_bytes(pickle.dumps(print, protocol=2))
    torch.save(3.0, files["number"])
    torch.save({"epoch": 3, "state_dict": whole}, files["nested"])
    files["folder"].mkdir()
    return files


def test_what_are_no_weights_is_refused_in_one_line_that_names_the_file(tmp_path: Path) -> None:
    for kind, path in damaged(tmp_path).items():
        with pytest.raises(WeightsError) as error:
            read_weights(path)
        assert str(path) in str(error.value), kind
        assert "\n" not in str(error.value), kind
        assert len(str(error.value)) < 500, kind


def test_no_code_is_run_from_a_weights_file(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "sprung",)

    torch.save({"a": Trap()}, tmp_path / "trap.pth")
    with pytest.raises(WeightsError):
        read_weights(tmp_path / "trap.pth")
    assert not (tmp_path / "sprung").exists()


def test_weights_of_another_network_are_refused_in_one_line(
    chain_state: Callable[..., dict[str, torch.Tensor]],
) -> None:
    other = chain_state((32, 32, "M", 64, 64))
    with pytest.raises(WeightsError, match=r"w\.pth belongs to another network: features\.0\.weight") as error:
        assemble(VGG19, other, LAYERS, "w.pth")
    assert "\n" not in str(error.value)


def test_weights_that_end_too_early_are_refused_and_say_what_is_missing(
    chain_state: Callable[..., dict[str, torch.Tensor]],
) -> None:
    partial = chain_state((64, 64))
    assemble(VGG19, partial, ["C1_2"], "w.pth")
    with pytest.raises(WeightsError, match=r"w\.pth holds no features\.5\.weight, which is needed up to layer C2_2"):
        assemble(VGG19, partial, LAYERS, "w.pth")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused(
    chain_state: Callable[..., dict[str, torch.Tensor]], value: float
) -> None:
    state = chain_state(VGG19_PLAN[:5])
    state["features.5.bias"][7] = value
    with pytest.raises(WeightsError, match=r"w\.pth holds values that are not finite"):
        assemble(VGG19, state, LAYERS, "w.pth")
    assemble(VGG19, state, ["C1_2"], "w.pth")


def test_an_unknown_network_is_refused_and_the_known_ones_named() -> None:
    with pytest.raises(ConfigError, match="vgg91") as error:
        find_network("vgg91")
    for name in ("embedded", "vgg19", "vgg16", "squeezenet1_1", "resnet50", "inception_v3"):
        assert name in str(error.value)


@pytest.mark.parametrize("layers", [["C6_1"], ["C1_2", "fire9"], []])
def test_an_unknown_layer_is_refused_and_the_known_ones_named(
    chain_state: Callable[..., dict[str, torch.Tensor]], layers: list[str]
) -> None:
    with pytest.raises(ConfigError, match="vgg19 has no layer") as error:
        assemble(VGG19, chain_state(VGG19_PLAN[:5]), layers, "w.pth")
    assert "C5_4" in str(error.value)
    assert all(layer in str(error.value) for layer in layers if layer != "C1_2")


def test_importing_puts_halves_into_the_named_folder(
    no_weights: Path, monkeypatch: pytest.MonkeyPatch, chain_state: Callable[..., dict[str, torch.Tensor]]
) -> None:
    monkeypatch.setenv("WSI_SCALE_WEIGHTS", str(no_weights / "new" / "folder"))
    state = chain_state(VGG19_PLAN[:5])
    torch.save({**state, "steps": torch.tensor(3)}, no_weights / "mine.pth")
    target = import_weights("vgg19", no_weights / "mine.pth")
    assert target == no_weights / "new" / "folder" / "vgg19.safetensors"
    imported = read_weights(target)
    assert set(imported) == set(state)
    for name, value in state.items():
        torch.testing.assert_close(imported[name], value.half(), rtol=0, atol=0)
    assert find_network("vgg19").tapped(LAYERS).digest == assemble(VGG19, state, LAYERS, "w.pth").digest


def test_importing_to_an_unwritable_place_says_so(no_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (no_weights / "file").touch()
    monkeypatch.setenv("WSI_SCALE_WEIGHTS", str(no_weights / "file" / "weights"))
    with pytest.raises(ArtifactError, match="cannot write"):
        import_weights("vgg19", save_marked(no_weights / "mine.pth", 1))


def test_what_is_at_hand_is_listed_with_digests(everywhere: dict[str, Path]) -> None:
    listed = {file.path: file for file in at_hand()}
    assert set(listed) == {everywhere["named"], everywhere["cache"]}
    for path, file in listed.items():
        assert file.architecture == "vgg19"
        assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.data
def test_the_weights_of_the_data_are_found_by_their_names(
    data_root: Path, no_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert no_weights.exists()
    monkeypatch.setenv("WSI_SCALE_WEIGHTS", str(data_root / "weights"))
    assert {file.architecture for file in at_hand()} == {"vgg19", "vgg16", "squeezenet1_1"}
    assert [layer.name for layer in find_network("vgg19").tapped(["C5_4"]).layers] == ["C5_4"]
    source = find_network("vgg16")
    assert source.holds(["C2_2"])
    assert not source.holds(["C3_3"])
