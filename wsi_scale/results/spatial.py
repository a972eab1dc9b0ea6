"""Results of a slide as SpatialData: tiles as shapes, features as a table, scale map and picture as images."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wsi_scale.errors import ConfigError
from wsi_scale.results.scale_map import CHANNELS
from wsi_scale.results.tiles import TileGrid, TileTable

if TYPE_CHECKING:
    import anndata
    import spatialdata

    from wsi_scale.results.features import TileFeatures

#: Coordinate systems: level-0 pixels, as SpatialData's own default, and µm; both from the slide's top left corner.
PIXELS, MICROMETRES = "global", "um"

#: Columns of the table that say which shape a row belongs to.
_ELEMENT, _TILE = "element", "tile"


def to_spatialdata(
    features: "TileFeatures", thumbnail: NDArray[np.uint8] | None, name: str
) -> "spatialdata.SpatialData":
    """Lay the results of a slide into one SpatialData object.

    Parameters
    ----------
    thumbnail
        (row, col, rgb) picture of the whole slide, or None.
    name
        Of the slide.

    Raises
    ------
    ConfigError
        The extra ``spatialdata`` is not installed.
    """
    try:
        import spatialdata
    except ImportError as error:
        raise ConfigError("SpatialData is not installed: pip install 'wsi-scale[spatialdata]'") from error
    grid = features.tiles.grid
    elements: dict[str, Any] = {"tiles": _shapes(features.tiles), "features": _table(features.to_anndata())}
    if features.scale_map is not None:
        # A pixel of the map stands about a tile's centre, as large as the distance of tiles.
        edge = (grid.tile_px * grid.mpp - grid.step_um) / 2
        channels = np.asarray(features.scale_map.image, np.float32)
        elements["scale_map"] = _image(channels, CHANNELS, grid, (grid.step_um, grid.step_um), edge)
    if thumbnail is not None:
        rows, cols = thumbnail.shape[:2]
        side = (grid.slide_width * grid.mpp_x / cols, grid.slide_height * grid.mpp_y / rows)
        elements["slide"] = _image(np.moveaxis(thumbnail, -1, 0), ("r", "g", "b"), grid, side, 0.0)
    return spatialdata.SpatialData.init_from_elements(elements, attrs={"wsi_scale": {"slide": name, **features.said()}})


def _shapes(tiles: TileTable) -> Any:
    """Tiles as rectangles in level-0 pixels."""
    import geopandas
    import shapely
    from spatialdata.models import ShapesModel
    from spatialdata.transformations import Identity, Scale

    width, height = tiles.grid.tile_size
    boxes = shapely.box(tiles.x, tiles.y, tiles.x + width, tiles.y + height)
    frame = geopandas.GeoDataFrame({"geometry": boxes, **tiles.regions()}, index=tiles.names())
    to_um = Scale([tiles.grid.mpp_x, tiles.grid.mpp_y], axes=("x", "y"))
    return ShapesModel.parse(frame, transformations={PIXELS: Identity(), MICROMETRES: to_um})


def _table(table: "anndata.AnnData") -> Any:
    """Features as a table that annotates the tiles."""
    from spatialdata.models import TableModel

    table.obs[_ELEMENT] = np.full(table.n_obs, "tiles")
    table.obs[_ELEMENT] = table.obs[_ELEMENT].astype("category")
    table.obs[_TILE] = table.obs_names.to_numpy()
    return TableModel.parse(table, region="tiles", region_key=_ELEMENT, instance_key=_TILE)


def _image(
    values: NDArray[Any], channels: tuple[str, ...], grid: TileGrid, side_um: tuple[float, float], edge_um: float
) -> Any:
    """Lay (channel, row, col) on the slide: side of a pixel, and the outer edge of the first one, µm."""
    from spatialdata.models import Image2DModel
    from spatialdata.transformations import Scale, Sequence, Translation

    axes = ("x", "y")
    to_um = Sequence([Scale(list(side_um), axes=axes), Translation([edge_um, edge_um], axes=axes)])
    to_px = Sequence([to_um, Scale([1 / grid.mpp_x, 1 / grid.mpp_y], axes=axes)])
    return Image2DModel.parse(
        values, dims=("c", "y", "x"), c_coords=list(channels), transformations={PIXELS: to_px, MICROMETRES: to_um}
    )
