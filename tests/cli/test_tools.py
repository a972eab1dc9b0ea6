"""Commands about networks and the installation, and what the package names as public."""

import importlib
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torchvision.models import squeezenet1_1

import wsi_scale as package
from tests.runs import error_line, wsi_scale
from wsi_scale.artifacts.calibration import read_calibration, shipped_folder
from wsi_scale.config.load import parse_config
from wsi_scale.jobs.study import open_study
from wsi_scale.networks.load import find_network
from wsi_scale.networks.weights import file_digest


@pytest.fixture
def weights_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A weights folder of one's own, empty."""
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setenv("WSI_SCALE_WEIGHTS", str(folder))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return folder


def test_imported_weights_are_listed_and_verified(weights_folder: Path, tmp_path: Path) -> None:
    assert wsi_scale("weights", "list").stdout == f"weights folder: {weights_folder} (WSI_SCALE_WEIGHTS)\n"
    torch.manual_seed(0)
    torch.save(squeezenet1_1(weights=None).state_dict(), tmp_path / "mine.pth")

    imported = wsi_scale("weights", "import", "squeezenet1_1", tmp_path / "mine.pth")

    kept = weights_folder / "squeezenet1_1.safetensors"
    assert imported.stdout == f"imported {kept}\n"
    assert f"squeezenet1_1  sha256 {file_digest(kept)}  {kept}" in wsi_scale("weights", "list").stdout
    (listed,) = json.loads(wsi_scale("weights", "list", "--json").stdout)["weights"]
    assert listed == {"architecture": "squeezenet1_1", "path": str(kept), "sha256": file_digest(kept)}
    verified = wsi_scale("weights", "verify", "squeezenet1_1").stdout
    digest = find_network("squeezenet1_1").tapped(find_network("squeezenet1_1").architecture.search_layers).digest
    assert f"digest {digest} ({kept})" in verified


def test_the_folder_of_weights_is_told_with_who_says_so(
    weights_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("WSI_SCALE_WEIGHTS")
    monkeypatch.setenv("WSI_SCALE_DATA", str(tmp_path))
    assert wsi_scale("weights", "list").stdout == f"weights folder: {tmp_path / 'weights'} (WSI_SCALE_DATA)\n"
    monkeypatch.delenv("WSI_SCALE_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert wsi_scale("weights", "list").stdout == f"weights folder: {tmp_path / 'wsi_scale' / 'weights'}\n"


def test_missing_weights_are_told_before_any_work(
    weights_folder: Path, small_slide: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # where nobody answers
    monkeypatch.setattr("urllib.request._opener", None)
    out = tmp_path / "out"
    study = parse_config({"slides": {"path": str(small_slide)}, "results": str(out), "network": "vgg19"})

    ran = error_line(wsi_scale("run", small_slide, "-o", out, "--network", "vgg19"))
    arrays = error_line(wsi_scale("batch", small_slide, "--results", out, "--set", "network=vgg19"))
    with pytest.raises(SystemExit) as started:
        open_study(study.model_dump(mode="json"), starts=True, needs_slides=True)

    for line in (ran, arrays, str(started.value)):
        assert line.startswith("error: no weights for vgg19: ")
        assert "`wsi-scale weights import vgg19 FILE`" in line
    assert not out.exists()


def test_weights_of_another_network_are_not_imported(weights_folder: Path, tmp_path: Path) -> None:
    torch.save(squeezenet1_1(weights=None).state_dict(), tmp_path / "mine.pth")

    result = wsi_scale("weights", "import", "vgg19", tmp_path / "mine.pth")

    assert result.exit_code == 1
    assert "which is needed up to layer" in result.stderr
    assert list(weights_folder.iterdir()) == []


def test_the_embedded_network_is_verified_without_any_file(weights_folder: Path) -> None:
    result = wsi_scale("weights", "verify", "embedded")

    assert result.exit_code == 0
    whole, search = result.stdout.splitlines()
    assert whole.startswith("embedded, all layers, up to C4_2: digest ")
    assert search.startswith("embedded, what the scale search reads, up to C4_1: digest ")
    assert "(the package)" in result.stdout


def test_doctor_says_what_there_is(weights_folder: Path) -> None:
    result = wsi_scale("doctor")

    assert result.exit_code == 0
    for word in (
        "torch",
        "openslide-python",
        "snakemake",
        "device",
        "network embedded                 digest ",
        "network embedded-mpp             digest ",
        str(weights_folder),
        "writable",
    ):
        assert word in result.stdout
    assert f"{shipped_calibration().name} (package)" in result.stdout
    told = json.loads(wsi_scale("doctor", "--json").stdout)
    assert told["weights_folder"] == str(weights_folder)
    assert told["versions"]["torch"] == torch.__version__.partition("+")[0]
    assert told["calibrations"][shipped_calibration().name] == "package"


def shipped_calibration() -> Path:
    (path,) = shipped_folder().glob("embedded-*.calibration.json")
    return path


def test_the_embedded_networks_calibration_is_at_hand_and_belongs_to_it(tmp_path: Path) -> None:
    told = wsi_scale("calibrate", "embedded")
    copied = wsi_scale("calibrate", "embedded", "-o", tmp_path / "calibration.json")

    assert told.stdout == f"calibration: {shipped_calibration()}\n"
    assert copied.stdout == f"calibration: {tmp_path / 'calibration.json'}\n"
    assert (tmp_path / "calibration.json").read_bytes() == shipped_calibration().read_bytes()
    source = find_network("embedded")
    assert read_calibration(shipped_calibration()).digest == source.tapped(source.architecture.search_layers).digest


def test_every_package_exports_what_it_names() -> None:
    named = {}
    for module in pkgutil.walk_packages(package.__path__, "wsi_scale."):
        if module.ispkg:
            loaded = importlib.import_module(module.name)
            named[module.name] = getattr(loaded, "__all__", ())
            for name in named[module.name]:
                assert getattr(loaded, name).__doc__ or isinstance(getattr(loaded, name), tuple | str), name
            assert len(set(named[module.name])) == len(named[module.name])

    assert {"wsi_scale.slides", "wsi_scale.scale", "wsi_scale.magnification", "wsi_scale.synthesis"} <= {
        name for name, exported in named.items() if exported
    }


def test_the_package_is_imported_without_torch() -> None:
    code = (
        "import sys, wsi_scale, wsi_scale.slides, wsi_scale.scale, wsi_scale.synthesis; print('torch' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"


def test_a_cohorts_calibration_leaves_a_record_of_the_run_and_a_file_elsewhere_none(tmp_path: Path) -> None:
    for name in ("calibration.json", "mine.json"):
        result = wsi_scale("calibrate", "embedded", "--output", tmp_path / name / name)
        assert result.exit_code == 0, result.output

    (run,) = json.loads((tmp_path / "calibration.json" / "runs.json").read_text())["runs"]
    assert [stage["stage"] for stage in run["stages"]] == ["calibrate"]
    assert [path.name for path in (tmp_path / "mine.json").iterdir()] == ["mine.json"]
