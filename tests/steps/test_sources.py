"""Slides, images and folders as sources of estimates and audits."""

import shutil
from pathlib import Path

import pytest

from tests.runs import own_cache, shared, small_slide
from wsi_scale.config.models import Config
from wsi_scale.errors import UserError
from wsi_scale.learning.estimator import Estimator, load_estimator
from wsi_scale.slides import views
from wsi_scale.slides.tissue import Thumbnail, read_thumbnail
from wsi_scale.steps.sources import SHOWN_DOWNSAMPLES, audit_sources, predict_sources

__all__ = ["own_cache", "shared", "small_slide"]


@pytest.fixture(scope="module")
def estimator() -> Estimator:
    return load_estimator(Config())


def test_a_slide_s_thumbnail_is_read_once(
    small_slide: Path, estimator: Estimator, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Thumbnail] = []

    def read(*arguments: object) -> Thumbnail:
        seen.append(read_thumbnail(*arguments))  # type: ignore[arg-type]
        return seen[-1]

    monkeypatch.setattr(views, "read_thumbnail", read)
    (audited,) = audit_sources(small_slide, Config(), estimator)
    assert len(seen) == 1
    assert {tile.downsample for tile in audited.tiles} == set(SHOWN_DOWNSAMPLES)
    (row,) = predict_sources([small_slide], Config(), estimator)
    assert len(seen) == 2
    assert (row["mpp"], row["mpp_low"], row["mpp_high"]) == audited.row.estimate


def test_of_several_sources_one_without_slides_is_a_row(
    small_slide: Path, tmp_path: Path, estimator: Estimator
) -> None:
    rows = list(predict_sources([small_slide, tmp_path], Config(), estimator))
    assert [row["status"] for row in rows] == ["ok", "failed"]
    assert str(tmp_path) in rows[1]["reason"]
    with pytest.raises(UserError):
        predict_sources([tmp_path], Config(), estimator)


def test_a_slide_is_answered_before_the_next_is_looked_at(
    small_slide: Path, tmp_path: Path, estimator: Estimator
) -> None:
    shutil.copy(small_slide, tmp_path / "later.tiff")
    rows = predict_sources([small_slide, tmp_path / "later.tiff"], Config(), estimator)
    first = next(rows)
    (tmp_path / "later.tiff").unlink()
    (second,) = rows
    assert (first["status"], second["status"]) == ("ok", "failed")
