"""Stage `inspect`: what a slide says of itself, written down once."""

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.runs import MPP, draw, job
from wsi_scale.artifacts.record import read_record
from wsi_scale.errors import ArtifactError, SlideError
from wsi_scale.jobs.current import current_info
from wsi_scale.slides.metadata import inspect_slide
from wsi_scale.stages.inspect import inspect


def test_what_the_slide_says_stands_in_slide_json(small_slide: Path, tmp_path: Path) -> None:
    record = inspect(job(small_slide, tmp_path))

    stored = json.loads((tmp_path / "slide.json").read_text())
    assert record.status == "ok"
    assert stored == inspect_slide(small_slide, "small").as_dict()
    assert (stored["width"], stored["height"], stored["mpp"], stored["mpp_source"]) == (1300, 1000, MPP, "tiff")


def test_a_given_mpp_outranks_the_header_and_the_contradiction_is_told(small_slide: Path, tmp_path: Path) -> None:
    inspect(job(small_slide, tmp_path, mpp=0.3))

    info = current_info(job(small_slide, tmp_path))
    assert (info.mpp, info.mpp_source) == (0.3, "override")
    assert "differs from 0.5" in info.warnings[0]


def test_an_unreadable_slide_fails_with_its_reason_and_without_a_place(tmp_path: Path) -> None:
    text = tmp_path / "letter.svs"
    text.write_text("Dear colleague\n" * 20)

    record = inspect(job(text, tmp_path / "out"))

    assert record == read_record(tmp_path / "out", "inspect")
    assert record.status == "failed"
    assert record.reason.startswith("letter.svs: not a known slide or image format")
    assert str(tmp_path) not in record.reason
    with pytest.raises(SlideError, match="not a known slide or image format"):
        current_info(job(text, tmp_path / "out"))


def test_a_folder_of_another_slide_is_not_taken_for_this_one(small_slide: Path, tmp_path: Path) -> None:
    inspect(job(small_slide, tmp_path))
    other = tmp_path / "other.png"
    Image.fromarray(draw(3.0, 120, 120)).save(other)

    with pytest.raises(ArtifactError, match="holds results of 'small', not of 'other'"):
        current_info(job(other, tmp_path))


def test_a_second_look_leaves_the_same_bytes(small_slide: Path, tmp_path: Path) -> None:
    inspect(job(small_slide, tmp_path))
    first = (tmp_path / "slide.json").read_bytes(), (tmp_path / "inspect.json").read_bytes()

    inspect(job(small_slide, tmp_path))

    assert ((tmp_path / "slide.json").read_bytes(), (tmp_path / "inspect.json").read_bytes()) == first
