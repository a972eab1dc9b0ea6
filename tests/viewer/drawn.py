"""A drawn slide with a pattern, and results of it with a map on which a few cells are marked."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.runs import recorded, wsi_scale
from wsi_scale.artifacts.pictures import write_pictures
from wsi_scale.artifacts.prediction import write_prediction
from wsi_scale.artifacts.regions import write_regions
from wsi_scale.artifacts.scale_map import write_scale_map
from wsi_scale.artifacts.tiles import write_tiles
from wsi_scale.results.prediction import Prediction
from wsi_scale.results.regions import Region
from wsi_scale.results.scale_map import Reason, ScaleMap
from wsi_scale.results.tiles import TileGrid, TileTable
from wsi_scale.synthesis import write_pyramid
from wsi_scale.viewer.server import ViewerServer

WIDTH, HEIGHT, MPP = 1900, 1300, 0.5
#: Tiles of 128 level-0 pixels that overlap by half.
GRID = TileGrid(19, 28, 64, 1.0, 32.0, WIDTH, HEIGHT, MPP, MPP, "metadata")
#: The cell that is marked, row and col: 64 level-0 pixels a side, around the centre of its tile.
MARKED = (6, 17)
MARKED_BOX = (32 + 17 * 64, 32 + 6 * 64, 64, 64)
#: Another cell with an answer, on white.
OTHER = (5, 15)
#: A cell that agrees too little to be shown, one without an answer, and one without a tile.
UNSURE, SILENT, GLASS = (3, 4), (10, 4), (0, 0)
BLUE = (20, 40, 220)

#: What a user would have outlined.
REGION = Region("core A", "Tumor", ((np.array([[100.0, 200.0], [1500.0, 200.0], [1500.0, 1200.0], [100.0, 1200.0]]),),))

Serve = Callable[..., ViewerServer]


def draw_slide(path: Path) -> Path:
    """Draw a white slide whose marked cell is blue."""
    image = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    x, y, width, height = MARKED_BOX
    image[y : y + height, x : x + width] = BLUE
    write_pyramid(path, image, MPP, quality=98)
    return path


def scale_map() -> ScaleMap:
    """Make a map on which only a few cells have anything to tell."""
    shape = (GRID.rows, GRID.cols)
    image = np.full((5, *shape), np.nan, np.float32)
    reason = np.full(shape, Reason.GLASS, np.uint8)
    for cell, mpp, confidence in ((MARKED, 2.0, 0.9), (UNSURE, 0.5, 0.1), (OTHER, 0.5, 0.9)):
        image[(slice(None), *cell)] = (mpp, confidence, 1.0, 0.5, 4 * mpp)
        reason[cell] = Reason.ANSWERED
    image[(slice(1, 4), *SILENT)] = (0.0, 1.0, 0.5)
    reason[SILENT] = Reason.NO_OPTIMUM
    rungs = 2.0 ** np.arange(-2, 3)
    curve = np.full((*shape, len(rungs)), np.nan, np.float32)
    curve[MARKED] = (np.nan, 0.2, 0.5, 0.9, 0.4)
    attributes = {"method": "covariant", "network": "embedded", "optimal_mpp_per_um": 0.25}
    return ScaleMap(GRID, image, reason, {"C3_1": curve}, rungs, rungs < MPP, attributes)


def write_results(slide: Path, folder: Path, slide_id: str) -> Path:
    """Leave in a folder what the stages would, on a real inspection of the slide."""
    assert wsi_scale("inspect", slide, "-o", folder, "--slide-id", slide_id).exit_code == 0
    write_prediction(folder, Prediction(0.6, 0.4, 0.9, "ok", "", 96, {"1": 0.6}, ""))
    recorded(folder, "predict")
    found = scale_map()
    row, col = np.nonzero(found.reason != Reason.GLASS)
    corners = [np.int64(place * 64) for place in (col, row)]
    named = [np.full(len(row), text) for text in (REGION.name, REGION.label)]
    table = TileTable(GRID, row.astype(np.int32), col.astype(np.int32), *corners, np.ones(len(row), np.float32), *named)
    write_regions(folder, [REGION])
    write_tiles(folder, table, "f")
    thumbnail = np.full((HEIGHT // 8, WIDTH // 8, 3), (250, 220, 90), np.uint8)
    write_pictures(folder, thumbnail, np.ones(thumbnail.shape[:2], np.bool_), thumbnail)
    recorded(folder, "tile")
    write_scale_map(folder, found, "f")
    recorded(folder, "search")
    recorded(folder, "extract")
    return folder
