"""Stage `prune channels` and `prune basis`: the file they write is a network for everything else."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from wsi_scale.config.models import CalibrationConfig, Config
from wsi_scale.config.settings import CalibrateSettings
from wsi_scale.config.training import TransferConfig
from wsi_scale.errors import ConfigError
from wsi_scale.learning import compress as compress_module
from wsi_scale.learning.compress import compress
from wsi_scale.networks.architectures import architecture
from wsi_scale.networks.file import read_network_file
from wsi_scale.networks.load import find_network
from wsi_scale.stages.calibrate import calibrate


def config(data: Path, **changes: object) -> Config:
    small = {"data": data, "side_px": 48, "keep_fraction": 0.3, "rounds": 2, "epochs": 1, "batch": 8}
    return Config(transfer=TransferConfig.model_validate(small | changes))


@pytest.mark.parametrize("method", ["channels", "basis"])
def test_what_is_written_is_what_was_measured(method: str, stripe_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "small.safetensors"
    found = compress(config(stripe_folder), method, "embedded", None, path)  # type: ignore[arg-type]
    assert found.after.parameters <= 0.3 * found.before.parameters
    assert found.after.multiply_adds < found.before.multiply_adds
    assert found.classes == ("coarse", "fine")
    source = find_network(str(path))
    network = source.tapped([source.architecture.feature_layer])
    assert sum(p.numel() for p in network.trunk.parameters()) == found.after.parameters
    header, state = read_network_file(path)
    assert header.provenance["parent"] == "embedded"
    assert header.provenance["parent_digest"] == find_network("embedded").tapped(["C4_2"]).digest
    task = header.provenance["task"]
    assert task["classes"] == ["coarse", "fine"]
    assert len(task["digest"]) == 32
    assert sum(task["rows"].values()) == len(list(stripe_folder.rglob("*.png")))
    rounds = header.provenance["rounds"]
    assert len(rounds) == 2
    assert all(done["threshold"] >= 0 for done in rounds)
    assert all(rounds[1]["kept"][layer] <= count for layer, count in rounds[0]["kept"].items())
    assert header.provenance["settings"]["keep_fraction"] == 0.3
    assert state["head.linear.weight"].shape[0] == 2
    assert not list(tmp_path.glob("*.checkpoint"))


def test_a_pruned_network_can_be_pruned_calibrated_and_searched_with(stripe_folder: Path, tmp_path: Path) -> None:
    narrow, twice = tmp_path / "narrow.safetensors", tmp_path / "twice.safetensors"
    compress(config(stripe_folder, keep_fraction=0.5), "channels", "embedded", None, narrow)
    found = compress(config(stripe_folder, keep_fraction=0.5), "basis", str(narrow), None, twice)
    assert found.before.parameters > found.after.parameters
    plan = find_network(str(twice)).architecture.plan
    assert plan is not None
    narrowed = find_network(str(narrow)).architecture.plan
    # Splitting a convolution changes neither how many channels it gives nor what the plan says of it.
    assert plan == narrowed
    settings = Config(network=str(twice), calibration=CalibrationConfig(scenes=16))
    calibrate(CalibrateSettings.of(settings), tmp_path / "calibration.json")
    assert (tmp_path / "calibration.json").is_file()


def test_an_interrupted_run_goes_on(stripe_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, path = tmp_path / "whole.safetensors", tmp_path / "resumed.safetensors"
    compress(config(stripe_folder), "channels", "embedded", None, whole)
    calls = []

    def killed(target: Path, state: object) -> None:
        write(target, state)
        calls.append(target)
        if len(calls) == 3:
            raise KeyboardInterrupt

    write = compress_module.write_checkpoint
    with monkeypatch.context() as patched:
        patched.setattr(compress_module, "write_checkpoint", killed)
        with pytest.raises(KeyboardInterrupt):
            compress(config(stripe_folder), "channels", "embedded", None, path)
    assert not path.exists()
    assert list(tmp_path.glob("*.checkpoint"))
    compress(config(stripe_folder), "channels", "embedded", None, path)
    with safe_open(whole, "pt") as one, safe_open(path, "pt") as other:
        assert all(torch.equal(one.get_tensor(name), other.get_tensor(name)) for name in one.keys())  # noqa: SIM118
    assert not list(tmp_path.glob("*.checkpoint"))


def test_fire_modules_shrink_too(stripe_folder: Path, tmp_path: Path) -> None:
    torch.manual_seed(3)
    torch.save(architecture("squeezenet1_1").build().state_dict(), tmp_path / "squeezenet1_1.pth")
    path = tmp_path / "small.safetensors"
    found = compress(config(stripe_folder), "channels", "squeezenet1_1", tmp_path / "squeezenet1_1.pth", path)
    assert found.after.parameters <= 0.3 * found.before.parameters
    source = find_network(str(path))
    assert source.architecture.base == "squeezenet1_1"
    assert source.tapped(["fire9"])(torch.randn(1, 3, 64, 64))["fire9"].shape[0] == 1


def test_a_network_that_cannot_lose_channels_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    torch.save(architecture("resnet50").build().state_dict(), tmp_path / "resnet50.pth")
    with pytest.raises(ConfigError, match="resnet50: channels can be removed where"):
        compress(config(tmp_path / "nowhere"), "channels", "resnet50", tmp_path / "resnet50.pth", tmp_path / "o")


def test_µm_per_pixel_is_a_task_too(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = ["file\tcase\tstain\tmpp"]
    for index in range(8):
        Image.fromarray(rng.integers(0, 255, (256, 256, 3), np.uint8)).save(tmp_path / f"{index}.png")
        lines.append(f"{index}.png\tc{index}\tH&E\t0.25")
    (tmp_path / "fields.tsv").write_text("\n".join(lines))
    settings = config(tmp_path / "fields.tsv", tiles=30, mpp_range=(0.25, 1.0))
    found = compress(settings, "channels", "embedded", None, tmp_path / "small.safetensors")
    assert found.classes == ()
    assert found.after.scores.balanced_accuracy is None
    assert 0 <= found.after.scores.metric < 4
