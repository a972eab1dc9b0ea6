from dataclasses import replace

import numpy as np
import pytest

from wsi_scale.report.colors import CONFIDENCE_SCALE
from wsi_scale.report.maps import MapFrame, lay_map
from wsi_scale.results.regions import Region
from wsi_scale.results.tiles import TileGrid

GRID = TileGrid(4, 6, 200, 0.5, 100.0, 2500, 1700, 0.25, 0.25, "metadata")
VALUES = np.array([[0.25, 0.5], [1.0, np.nan]], np.float32)


def test_a_map_covers_its_tiles_in_micrometres_of_the_slide() -> None:
    drawing = lay_map(np.ones((4, 6)), GRID, CONFIDENCE_SCALE, MapFrame("", (500, 500)))
    assert drawing.slide_um == (625.0, 425.0)
    assert drawing.map_um == (0.0, 0.0, 600.0, 400.0)


def test_overlapping_tiles_are_drawn_around_their_centres() -> None:
    drawing = lay_map(np.ones((4, 6)), replace(GRID, step_um=60.0), CONFIDENCE_SCALE, MapFrame("", (500, 500)))
    left, top, width, height = drawing.map_um
    assert (left + 60 / 2, top + 60 / 2) == (50.0, 50.0)
    assert (width, height) == (360.0, 240.0)


@pytest.mark.parametrize("size", [(2500, 1700), (200, 90_000), (90_000, 200)])
def test_a_map_keeps_the_shape_of_its_slide_and_fits_its_box(size: tuple[int, int]) -> None:
    grid = replace(GRID, slide_width=size[0], slide_height=size[1])
    drawing = lay_map(np.ones((4, 6)), grid, CONFIDENCE_SCALE, MapFrame("", (500, 400)))
    assert drawing.slide_width / drawing.slide_height == pytest.approx(size[0] / size[1])
    assert drawing.slide_width <= 500.001
    assert drawing.slide_height <= 400.001


def test_a_region_s_name_is_left_out_where_it_would_lie_on_another() -> None:
    square = np.array([[0.0, 0.0], [0.0, 400.0], [400.0, 400.0], [400.0, 0.0]])
    places = {"core": (0, 0), "upon core": (10, 10), "beneath": (0, 300), "beside": (1200, 0)}
    regions = [Region(name, "", ((square + place,),)) for name, place in places.items()]

    drawing = lay_map(np.ones((4, 6)), GRID, CONFIDENCE_SCALE, MapFrame("", (500, 500), regions=regions))

    assert [name for *_, name in drawing.regions] == ["core", "", "beneath", "beside"]
    assert all(path for path, *_ in drawing.regions)
