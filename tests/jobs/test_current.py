"""Results of a slide's stages count only where they are the ones that were recorded."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.runs import job
from wsi_scale.artifacts.names import MASK, PREDICTION, SLIDE_INFO, THUMBNAIL, TILES
from wsi_scale.errors import ArtifactError
from wsi_scale.jobs.cohort import job_in
from wsi_scale.jobs.current import current_info, current_prediction, current_tiling
from wsi_scale.jobs.job import SlideJob


@pytest.mark.parametrize(
    ("name", "read", "stage"),
    [
        (SLIDE_INFO, current_info, "inspect"),
        (PREDICTION, current_prediction, "predict"),
        (TILES, current_tiling, "tile"),
        (MASK, current_tiling, "tile"),
        (THUMBNAIL, current_tiling, "tile"),
    ],
)
def test_what_is_not_as_recorded_is_refused(
    finished_copy: Path, name: str, read: Callable[[SlideJob], object], stage: str
) -> None:
    this = job_in(finished_copy)
    assert read(this) is not None
    content = bytearray((finished_copy / name).read_bytes())
    content[-1] ^= 1
    (finished_copy / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=f"wsi-scale {stage}. again|delete it and run again"):
        read(this)


def test_results_of_another_slide_are_refused(finished: Path, small_slide: Path) -> None:
    this = job(small_slide, finished)
    with pytest.raises(ArtifactError, match="holds results of 'small', not of 'large'"):
        current_info(replace(this, row=replace(this.row, slide_id="large")))


def test_tiles_come_with_their_slide_tissue_and_picture(finished: Path) -> None:
    this = job_in(finished)
    tiles = current_tiling(this)
    assert tiles.slide_identity == current_info(this).identity != ""
    assert tiles.tissue.mask.shape == tiles.thumbnail.shape[:2]
    assert tiles.min_tissue == np.min(tiles.table.tissue_fraction)
    assert tiles.reason == ""
