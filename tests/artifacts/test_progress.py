"""Finished blocks of a stage: what was whole comes back, what was not is gone."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from wsi_scale.artifacts.atomic import sweep_parts
from wsi_scale.artifacts.progress import FinishedBlocks
from wsi_scale.errors import ArtifactError


@dataclasses.dataclass(frozen=True)
class Answer:
    """As blocks answer."""

    values: NDArray[np.float32]
    curves: dict[str, NDArray[np.float64]]
    problems: tuple[str, ...]


def answer(seed: int) -> Answer:
    rng = np.random.default_rng(seed)
    # Not in the order of the names, and a value that is missing.
    curves = {name: rng.random((3, 2)) for name in ("fire9", "fire10", "conv1")}
    curves["conv1"][1] = np.nan
    return Answer(rng.random(3).astype(np.float32), curves, ("", "its tile ä is broken", ""))


def blocks(folder: Path, print_: str = "print") -> "FinishedBlocks[Answer]":
    return FinishedBlocks(folder / "scale.ome.zarr", print_, Answer)


def same(one: Answer, other: Answer) -> bool:
    return (
        np.array_equal(one.values, other.values)
        and list(one.curves) == list(other.curves)
        and all(np.array_equal(one.curves[name], other.curves[name], equal_nan=True) for name in one.curves)
        and one.problems == other.problems
    )


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """A folder in which three blocks are finished."""
    finished = blocks(tmp_path)
    assert list(finished.read()) == []
    for seed in range(3):
        finished.add(answer(seed))
    return tmp_path


def test_answers_come_back_bit_by_bit_and_in_order(three: Path) -> None:
    found = list(blocks(three).read())
    assert len(found) == 3
    assert all(same(one, answer(seed)) for seed, one in enumerate(found))


@pytest.mark.parametrize("cut", [1, 5, 100])
def test_a_block_that_was_half_written_is_computed_again(three: Path, cut: int) -> None:
    path = blocks(three).path
    path.write_bytes(path.read_bytes()[:-cut])
    finished = blocks(three)
    assert len(list(finished.read())) == 2
    finished.add(answer(2))
    assert [same(one, answer(seed)) for seed, one in enumerate(blocks(three).read())] == [True] * 3


def test_a_block_that_was_changed_ends_what_is_known(three: Path) -> None:
    path = blocks(three).path
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert len(list(blocks(three).read())) == 1


def test_blocks_of_other_inputs_are_not_taken(three: Path) -> None:
    assert list(blocks(three, "another").read()) == []
    assert list(blocks(three).read()) == []


def test_they_outlive_the_process_and_go_with_the_artefact(three: Path) -> None:
    sweep_parts(three, lambda name: True)
    finished = blocks(three)
    assert finished.path.exists()
    finished.remove()
    assert list(three.iterdir()) == []


def test_where_they_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / ".scale.ome.zarr.progress.wsi-scale-part").mkdir()
    with pytest.raises(ArtifactError, match="cannot write"):
        list(blocks(tmp_path).read())
