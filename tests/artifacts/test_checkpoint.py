"""Checkpoints bring every tensor and number back, and belong to the work that wrote them."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from wsi_scale.artifacts.checkpoint import kept_work, read_checkpoint, write_checkpoint
from wsi_scale.errors import ArtifactError
from wsi_scale.results.prediction import Prediction

PRINT, OTHER = "0123456789abcdef", "fedcba9876543210"


@dataclass
class Training:
    """What a training keeps."""

    epoch: int
    best: float
    losses: list[float]
    optimizer: dict[Any, Any]
    weights: dict[str, torch.Tensor]


def training() -> Training:
    views = torch.arange(12.0).reshape(3, 4)
    state = {0: {"step": torch.tensor(7.0), "moments": [views[:, 1], views.T]}, 1: {"step": None}}
    groups = [{"lr": 1e-3, "betas": [0.9, 0.999], "params": [0, 1]}]
    optimizer = {"state": state, "param_groups": groups}
    return Training(3, float("inf"), [1.5, 0.25], optimizer, {"a.weight": views, "b/bias": torch.zeros(0)})


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    written = training()
    write_checkpoint(tmp_path / "c", written)
    read = read_checkpoint(tmp_path / "c", Training)

    assert (read.epoch, read.best, read.losses) == (3, float("inf"), [1.5, 0.25])
    assert read.optimizer["param_groups"] == written.optimizer["param_groups"]
    assert list(read.optimizer["state"]) == [0, 1]  # numbers stay numbers: an optimizer looks its state up by them
    assert read.optimizer["state"][1] == {"step": None}
    for own, expected in zip(
        (*read.optimizer["state"][0]["moments"], *read.weights.values()),
        (*written.optimizer["state"][0]["moments"], *written.weights.values()),
        strict=True,
    ):
        assert torch.equal(own, expected)
        assert own.dtype == expected.dtype


def test_a_checkpoint_replaces_the_one_before(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "c", training())
    later = training()
    later.epoch = 4
    write_checkpoint(tmp_path / "c", later)
    assert read_checkpoint(tmp_path / "c", Training).epoch == 4
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


@pytest.mark.parametrize("content", [b"", b"text", b"\x08\0\0\0\0\0\0\0{}      ", bytes(100)])
def test_what_is_no_checkpoint_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "c").write_bytes(content)
    with pytest.raises(ArtifactError, match="delete it to train again") as told:
        read_checkpoint(tmp_path / "c", Training)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "outline",
    [{"items": [["epoch", {"value": 3}]]}, {"items": [["epoch", {"tensor": "none"}]]}, {"strange": 1}, [], "["],
    ids=["too few fields", "a tensor that is not there", "another structure", "a list", "no JSON"],
)
def test_an_outline_that_is_not_that_of_the_state_is_one_line(tmp_path: Path, outline: Any) -> None:
    text = outline if isinstance(outline, str) else json.dumps(outline)
    save_file({"a": torch.zeros(1)}, tmp_path / "c", metadata={"state": text})
    with pytest.raises(ArtifactError, match="is not a checkpoint"):
        read_checkpoint(tmp_path / "c", Training)


def test_other_work_keeps_its_checkpoint_and_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "net[1].safetensors"
    with caplog.at_level(logging.WARNING):
        own = kept_work(path, PRINT)
        assert own.name == "net[1].0123456789ab.checkpoint"
        assert not caplog.records
        other = kept_work(path, OTHER)
        other.write_text("")
        assert kept_work(path, PRINT) == own
        (record,) = caplog.records
        assert str(other) in record.getMessage()
        own.write_text("")
        assert kept_work(path, PRINT) == own
        assert len(caplog.records) == 1
    assert other.exists()


def test_a_checkpoint_comes_back_bit_by_bit(tmp_path: Path, state: Any) -> None:
    path = tmp_path / "checkpoint.safetensors"
    write_checkpoint(path, state)
    read = read_checkpoint(path, type(state))
    assert (read.epoch, read.score, read.history) == (state.epoch, state.score, state.history)
    torch.testing.assert_close(read.model, state.model, rtol=0, atol=0)
    torch.testing.assert_close(read.optimizer["state"], state.optimizer["state"], rtol=0, atol=0)
    groups = [{**group, "betas": tuple(group["betas"])} for group in read.optimizer["param_groups"]]
    assert groups == state.optimizer["param_groups"]


def test_a_fresh_checkpoint_keeps_infinity_and_emptiness(tmp_path: Path, state: Any) -> None:
    fresh = type(state)()
    write_checkpoint(tmp_path / "c.safetensors", fresh)
    assert read_checkpoint(tmp_path / "c.safetensors", type(state)) == fresh


def test_a_checkpoint_of_another_training_is_refused_in_one_line(tmp_path: Path, state: Any) -> None:
    path = tmp_path / "checkpoint.safetensors"
    write_checkpoint(path, Prediction(1, 1, 1, "ok", "", 3, {}, ""))
    with pytest.raises(ArtifactError, match="checkpoint") as error:
        read_checkpoint(path, type(state))
    assert "\n" not in str(error.value)


def test_weights_are_no_checkpoint(tmp_path: Path, state: Any) -> None:
    save_file({"a": torch.zeros(2)}, tmp_path / "weights.safetensors")
    with pytest.raises(ArtifactError, match="not a checkpoint") as error:
        read_checkpoint(tmp_path / "weights.safetensors", type(state))
    assert "\n" not in str(error.value)
