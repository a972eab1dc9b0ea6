"""The commands `prune channels`, `prune basis` and `finetune`."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from wsi_scale.cli.main import app
from wsi_scale.networks.load import find_network

QUICK = ("--set", "transfer.side_px=48", "--set", "transfer.epochs=1", "--set", "transfer.rounds=1")


@pytest.fixture(scope="module")
def patches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bright images and dark ones, a folder each."""
    folder = tmp_path_factory.mktemp("patches")
    rng = np.random.default_rng(0)
    for index in range(30):
        label = ("bright", "dark")[index % 2]
        (folder / label).mkdir(exist_ok=True)
        pixels = rng.normal((180, 90)[index % 2], 30, (50, 40, 3)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / label / f"{index}.png")
    return folder


@pytest.mark.parametrize("method", ["channels", "basis"])
def test_pruning_says_what_it_saved_and_what_it_cost(method: str, patches: Path, tmp_path: Path) -> None:
    output = tmp_path / "small.safetensors"
    given = ["prune", method, "embedded", "--data", str(patches), "--keep-fraction", "0.4", "-o", str(output), *QUICK]
    result = CliRunner().invoke(app, given)
    assert result.exit_code == 0, result.output
    assert "convolution parameters: 483,984 → " in result.output
    assert "images per second: " in result.output
    assert "whole: AUC 1.000" in result.output
    assert "pruned: AUC " in result.output
    assert find_network(str(output)).architecture.name == f"embedded_{method}"


def test_tuning_says_how_deep_and_how_well(patches: Path, tmp_path: Path) -> None:
    output = tmp_path / "tuned.safetensors"
    given = ["finetune", "embedded", "--data", str(patches), "--depth", "1", "-o", str(output)]
    result = CliRunner().invoke(app, [*given, *QUICK, "--set", "transfer.tuning_epochs=2"])
    assert result.exit_code == 0, result.output
    assert "tuned 1 of 4 blocks; kept epoch " in result.output
    assert "test: AUC " in result.output
    assert f"network: {output}" in result.output


@pytest.mark.parametrize("name", ["study #2", "a: b", "null", "[1, 2]"])
@pytest.mark.parametrize("command", ["prune channels", "prune basis", "finetune"])
def test_data_is_the_folder_that_is_named(command: str, name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    depth = ["--depth", "1"] if command == "finetune" else []
    given = [*command.split(), "embedded", "--data", str(tmp_path / name), "-o", str(tmp_path / "o"), *depth]
    result = CliRunner().invoke(app, given)
    assert result.output.startswith(f"error: transfer.data: {tmp_path / name} holds no folders of images")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("prune", "channels", "embedded"), "transfer.data: name a folder"),
        (("prune", "basis", "nothing"), "nothing"),
        (("finetune", "embedded", "--depth", "9"), "--depth 9: embedded has 4 blocks; give 0 to 4"),
        (("prune", "channels", "embedded", "--keep-fraction", "2"), "transfer.keep_fraction"),
        (("prune", "channels", "embedded", "--device", "cpu # cuda"), "execution.device: Input should be"),
    ],
)
def test_a_mistake_is_one_line_and_exit_1(given: tuple[str, ...], said: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [*given, "-o", str(tmp_path / "out.safetensors")])
    assert result.exit_code == 1
    assert result.output.startswith("error: ")
    assert said in result.output
    assert result.output.count("\n") == 1
