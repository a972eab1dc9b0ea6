"""Networks and weights that are not what they claim."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import squeezenet1_1

from tests.runs import contents, error_line, wsi_scale
from wsi_scale.networks.places import carried_path


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Files that are no good network: by what is wrong with each."""
    folder = tmp_path / "files"
    folder.mkdir()
    paths = {name: folder / f"{name}.safetensors" for name in ("cut", "text", "plain", "nan", "none")}
    whole = carried_path().read_bytes()
    paths["cut"].write_bytes(whole[: len(whole) // 2])
    paths["text"].write_text("no network\n" * 9)
    state = squeezenet1_1(weights=None).state_dict()
    save_file(state, paths["plain"])
    save_file({name: torch.full_like(value, torch.nan) for name, value in state.items()}, paths["nan"])
    return paths


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("network={cut}", "cannot read network file {cut}"),
        ("network={text}", "cannot read network file {text}"),
        ("network={none}", "cannot read network file {none}"),
        (
            "network={plain}",
            "{plain} is not a network file of wsi_scale; for plain weights use network=NAME weights={plain}",
        ),
        ("network=vgg19 weights={cut}", "cannot read weights {cut}"),
        ("network=vgg19 weights={plain}", "{plain} holds no features.2.weight, which is needed up to layer C5_4"),
        ("network=vgg19 weights={text}", "cannot read weights {text}"),
        ("network=vgg19 weights={none}", "cannot read weights {none}"),
        ("network=squeezenet1_1 weights={nan}", "{nan} holds values that are not finite; download the file again"),
    ],
)
def test_it_is_told_in_one_line_and_nothing_is_lost(
    small_slide: Path, finished_copy: Path, files: dict[str, Path], setting: str, said: str
) -> None:
    before = contents(finished_copy)
    assignments = [f"--set={part.format(**files)}" for part in setting.split()]

    result = wsi_scale("extract", small_slide, "-o", finished_copy, *assignments)

    after = contents(finished_copy)
    assert said.format(**files) in error_line(result)
    assert result.stderr.count("\n") == 1
    assert {name for name in before if after.get(name) != before[name]} == {"extract.json"}


def test_a_whole_run_ends_in_one_line_too(small_slide: Path, finished_copy: Path, files: dict[str, Path]) -> None:
    result = wsi_scale("run", "-q", small_slide, "-o", finished_copy, "--set", f"network={files['cut']}")

    assert f"cannot read network file {files['cut']}" in error_line(result)
    assert result.stderr.count("\n") == 1


def test_with_no_weights_to_be_had_the_error_names_the_ways(
    small_slide: Path, finished_copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WSI_SCALE_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    # A proxy that nobody runs stands for a machine without a network.
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")

    line = error_line(wsi_scale("extract", small_slide, "-o", finished_copy, "--set", "network=resnet50"))

    assert "no weights for resnet50" in line
    for way in (
        "wsi-scale weights import resnet50 FILE",
        "--set weights=FILE",
        "the network `embedded`",
    ):
        assert way in line
