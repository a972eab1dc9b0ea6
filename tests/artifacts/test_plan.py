"""``planned.json``: the slides that a run started with."""

import os
from pathlib import Path

import pytest

from wsi_scale.artifacts.plan import NAME, PlannedSlide, read_plan, write_plan
from wsi_scale.errors import ArtifactError

SLIDES = [
    PlannedSlide("a", Path("/slides/a b 100%.svs"), 0.25, "patient 1", "a"),
    PlannedSlide("Gewebe-_", Path(os.fsdecode(b"slides/Gewebe-\xe4.svs")), None, None, "batch-0001"),
    PlannedSlide("切片", Path("切片.tif"), None, None, "batch-0001"),
]


def test_names_in_any_encoding_come_back_and_the_file_is_plain_text(tmp_path: Path) -> None:
    write_plan(tmp_path, SLIDES)
    assert read_plan(tmp_path / NAME) == SLIDES
    assert (tmp_path / NAME).read_text(encoding="utf-8")


def test_a_plan_that_says_the_same_is_left_as_it_is(tmp_path: Path) -> None:
    write_plan(tmp_path, SLIDES)
    before = (tmp_path / NAME).stat().st_ino
    write_plan(tmp_path, SLIDES)
    assert (tmp_path / NAME).stat().st_ino == before
    write_plan(tmp_path, SLIDES[:1])
    assert read_plan(tmp_path / NAME) == SLIDES[:1]


@pytest.mark.parametrize("text", ["", "[", "[1]", '[{"path": "a"}]', '[{"slide_id": "a"}]', "3"])
def test_what_is_no_plan_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(text)
    with pytest.raises(ArtifactError, match=NAME):
        read_plan(tmp_path / NAME)
