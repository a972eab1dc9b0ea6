"""What the Snakefile asks at the start."""

from pathlib import Path
from typing import Any

import pytest

from wsi_scale.stages.workflow import SECTIONS, Study


def study(folder: Path, **slides: Any) -> Study:
    return Study({"slides": {"path": str(folder), **slides}, "results": str(folder / "results")})


def test_tiles_wait_for_an_estimate_only_where_it_may_be_needed(tmp_path: Path) -> None:
    slide = tmp_path / "a"
    assert study(tmp_path).before_tiles(slide) == [str(slide / "inspect.json")]
    assert study(tmp_path, mpp="estimate").before_tiles(slide) == [
        str(slide / "inspect.json"), str(slide / "predict.json"),
    ]  # fmt: skip


@pytest.mark.parametrize("mpp", ["metadata", "estimate"])
def test_only_predict_is_told_whether_an_estimate_may_stand_in(tmp_path: Path, mpp: str) -> None:
    asked = study(tmp_path, mpp=mpp)
    assert f"--set=slides.mpp={mpp}" in asked.settings("predict")
    for stage in SECTIONS:
        if stage != "predict":
            assert not any("slides.mpp" in setting for setting in asked.settings(stage)), stage


def test_every_stage_that_reads_pixels_is_told_how_much_may_be_unreadable(tmp_path: Path) -> None:
    asked = study(tmp_path, unreadable_share=0.25)
    told = {stage for stage in SECTIONS if "--set=slides.unreadable_share=0.25" in asked.settings(stage)}
    assert told == {"predict", "tile", "search", "extract"}


@pytest.mark.parametrize("stage", SECTIONS)
def test_a_stage_is_told_its_own_sections_only(tmp_path: Path, stage: str) -> None:
    told = [setting.split("=")[1] for setting in study(tmp_path).settings(stage)]
    assert [name for name in told if not name.startswith("slides.")] == list(SECTIONS[stage])
