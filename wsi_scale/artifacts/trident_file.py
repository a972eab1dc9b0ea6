"""A slide's features in the HDF5 layout of TRIDENT, which CLAM and other MIL programs read."""

from pathlib import Path

import numpy as np

from wsi_scale.artifacts.atomic import replacing_file
from wsi_scale.errors import ArtifactError, ConfigError
from wsi_scale.results.features import TileFeatures
from wsi_scale.units import nominal_power


def write_trident(path: Path, features: TileFeatures, name: str, mpp: str | None = None) -> int:
    """Write features and coordinates.

    ``features`` is (tile, channel) float32; ``coords`` is (tile, 2) int64, x and y of the top left corner of the field
    that the features show, level-0 pixels. With the user's regions, ``region`` and ``region_class`` are (tile,) texts.
    Tiles without features are left out: training has no use for NaN.

    Parameters
    ----------
    name
        Of the slide.
    mpp
        µm per pixel of the features, or ``optimal``; by default the first there is.

    Returns
    -------
    left_out
        How many tiles have no features there.

    Raises
    ------
    ConfigError
        There are no features at that mpp, or h5py is not installed.
    ArtifactError
        No tile has features there, or the file cannot be written.
    """
    try:
        import h5py
    except ImportError as error:
        raise ConfigError("h5py is not installed: pip install 'wsi-scale[h5]'") from error
    values, field_mpp = features.at(mpp)
    held = np.isfinite(values).all(axis=1)
    if not held.any():
        raise ArtifactError(f"{name}: no tile has features at {mpp or field_mpp} µm/px; choose another --features-mpp")
    grid = features.tiles.grid
    side = np.array([grid.tile_px * field_mpp / grid.mpp_x, grid.tile_px * field_mpp / grid.mpp_y])
    corners = np.round(features.tiles.centers() - side / 2).astype(np.int64)
    said = {
        "patch_size": grid.tile_px,
        "patch_size_level0": round(float(side.mean())),
        "overlap": max(0, round(grid.tile_px - grid.step_um / field_mpp)),
        "level0_magnification": nominal_power((grid.mpp_x + grid.mpp_y) / 2),
        "target_magnification": nominal_power(field_mpp),
        "level0_width": grid.slide_width,
        "level0_height": grid.slide_height,
        "level0_mpp_x": grid.mpp_x,
        "level0_mpp_y": grid.mpp_y,
        "target_mpp": field_mpp,
        "name": name,
    }
    with replacing_file(path) as part, h5py.File(part, "w") as file:
        coords = file.create_dataset("coords", data=corners[held])
        coords.attrs.update(said)
        stored = file.create_dataset("features", data=values[held])
        network = features.attributes
        stored.attrs.update({"encoder": f"{network.get('network', '')}:{network.get('layer', '')}", "name": name})
        for column, texts in features.tiles.regions().items():
            file.create_dataset(column, data=texts[held].astype(object), dtype=h5py.string_dtype())
    return int((~held).sum())
