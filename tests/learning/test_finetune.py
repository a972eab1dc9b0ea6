"""Stage `finetune`: a tuned network is a network file with its training record."""

from pathlib import Path

import pytest
import torch

from tests.transfer.tasks import network_source
from wsi_scale.config.models import Config
from wsi_scale.config.training import TransferConfig
from wsi_scale.errors import ConfigError
from wsi_scale.learning import finetune as finetune_module
from wsi_scale.learning.finetune import finetune_network
from wsi_scale.networks.cut import write_cut
from wsi_scale.networks.file import read_network_file
from wsi_scale.networks.load import find_network


def config(data: Path, **changes: object) -> Config:
    small = {"data": data, "side_px": 48, "tuning_epochs": 2, "batch": 8}
    return Config(transfer=TransferConfig.model_validate(small | changes))


def weights_up_to(path: str, layer: str) -> dict[str, torch.Tensor]:
    return find_network(path).tapped([layer]).trunk.state_dict()


def test_the_file_holds_the_tuned_blocks_the_frozen_ones_and_the_record(stripe_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "tuned.safetensors"
    found = finetune_network(config(stripe_folder), "embedded", None, path, depth=1)
    assert (found.depth, found.blocks) == (1, 4)
    before, after = (weights_up_to(network, "C4_2") for network in ("embedded", str(path)))
    frozen = set(weights_up_to("embedded", "C3_2"))
    assert {name for name in before if torch.equal(before[name], after[name])} == frozen
    header, state = read_network_file(path)
    record = header.provenance
    assert (record["parent"], record["depth"], record["truncated"]) == ("embedded", 1, False)
    assert record["scores"]["metric"] == found.scores.metric
    assert len(record["history"]) == record["epochs"][0] == found.epochs[0]
    assert state["head.linear.weight"].shape == (2, 160)
    assert not list(tmp_path.glob("*.checkpoint"))


def test_depth_0_changes_no_weight(stripe_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "head.safetensors"
    finetune_network(config(stripe_folder), "embedded", None, path, depth=0)
    before, after = (find_network(network).tapped(["C4_2"]).digest for network in ("embedded", str(path)))
    assert before == after


def test_truncation_cuts_what_would_be_left_above(stripe_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.safetensors"
    found = finetune_network(config(stripe_folder), "embedded", None, path, depth=2, truncate=True)
    known = find_network(str(path)).architecture
    assert list(known.nodes)[-1] == known.feature_layer == "C2_2"
    assert found.blocks == 2
    before, after = (weights_up_to(network, "C2_2") for network in ("embedded", str(path)))
    assert not any(torch.equal(before[name], after[name]) for name in before if name.endswith("weight"))


@pytest.mark.parametrize(("depth", "truncate"), [(5, False), (0, True)])
def test_a_depth_that_there_is_not_is_refused(depth: int, truncate: bool, stripe_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"--depth {depth}: embedded has 4 blocks; give {int(truncate)} to 4"):
        finetune_network(config(stripe_folder), "embedded", None, tmp_path / "x", depth=depth, truncate=truncate)


def test_a_network_cut_within_a_block_keeps_its_top(stripe_folder: Path, tmp_path: Path) -> None:
    source = network_source("squeezenet1_1")
    write_cut(tmp_path / "cut.safetensors", source, "fire4", {})
    path = tmp_path / "tuned.safetensors"
    found = finetune_network(config(stripe_folder), str(tmp_path / "cut.safetensors"), None, path, depth=1)
    assert (found.depth, found.blocks) == (1, 3)
    before, after = (weights_up_to(str(file), "fire4") for file in (tmp_path / "cut.safetensors", path))
    tuned = {name for name in before if not torch.equal(before[name], after[name])}
    assert {name.split(".")[1] for name in tuned} == {"6"}


def test_what_would_fail_at_the_end_is_refused_at_the_start(stripe_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder; name the file to write"):
        finetune_network(config(stripe_folder), "embedded", None, tmp_path, depth=0)
    source = network_source("inception_v3")
    write_cut(tmp_path / "inception.safetensors", source, "Mixed_7c", {})
    with pytest.raises(ConfigError, match=r"transfer\.side_px: .* takes images of 96 px and more, not 48"):
        finetune_network(config(stripe_folder), str(tmp_path / "inception.safetensors"), None, tmp_path / "x", depth=0)


def test_an_interrupted_run_goes_on(stripe_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, path = tmp_path / "whole.safetensors", tmp_path / "resumed.safetensors"
    finetune_network(config(stripe_folder), "embedded", None, whole, depth=2)

    def killed(target: Path, state: object) -> None:
        write(target, state)
        raise KeyboardInterrupt

    write = finetune_module.write_checkpoint
    with monkeypatch.context() as patched:
        patched.setattr(finetune_module, "write_checkpoint", killed)
        with pytest.raises(KeyboardInterrupt):
            finetune_network(config(stripe_folder), "embedded", None, path, depth=2)
    finetune_network(config(stripe_folder), "embedded", None, path, depth=2)
    (_, one), (_, other) = read_network_file(whole), read_network_file(path)
    assert one.keys() == other.keys()
    assert all(torch.equal(value, other[name]) for name, value in one.items())
