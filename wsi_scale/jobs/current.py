"""The latest results of a slide's stages, read and checked against their records.

Every function raises ArtifactError if its artefact is missing, damaged, or of another slide or other parameters.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wsi_scale.artifacts.features import read_features
from wsi_scale.artifacts.names import FEATURES, MASK, PREDICTION, REGIONS, SCALE_MAP, SLIDE_INFO, THUMBNAIL, TILES
from wsi_scale.artifacts.pictures import read_thumbnail, read_tissue
from wsi_scale.artifacts.prediction import read_prediction
from wsi_scale.artifacts.record import check_artefact
from wsi_scale.artifacts.regions import read_regions
from wsi_scale.artifacts.scale_map import read_channels, read_scale_map
from wsi_scale.artifacts.slide_info import read_slide_info
from wsi_scale.artifacts.tiles import read_tiles, tile_count
from wsi_scale.errors import ArtifactError, SlideError
from wsi_scale.jobs.job import SlideJob
from wsi_scale.results.features import TileFeatures
from wsi_scale.results.prediction import Prediction
from wsi_scale.results.regions import Region
from wsi_scale.results.scale_map import ScaleMap
from wsi_scale.results.tiles import Tiles, TileTable, TissueMask
from wsi_scale.slides.metadata import SlideInfo, with_estimated_mpp


def current_info(job: SlideJob) -> SlideInfo:
    """Read the metadata that `inspect` wrote.

    Raises
    ------
    SlideError
        The slide could not be read.
    """
    info = SlideInfo.from_dict(read_slide_info(job.folder))
    check_artefact(job.folder, SLIDE_INFO)
    if info.slide_id != job.row.slide_id:
        raise ArtifactError(
            f"{job.folder} holds results of {info.slide_id!r}, not of {job.row.slide_id!r}; choose another folder"
        )
    if info.status != "ok":
        raise SlideError(info.warnings[0])
    return info


def settled_info(job: SlideJob, *, estimate: bool) -> SlideInfo:
    """Read the same; without a usable mpp, the estimate from the slide's pixels may be used.

    Parameters
    ----------
    estimate
        Whether the estimate may be used (``slides.mpp=estimate``).

    Raises
    ------
    SlideError
        The slide could not be read.
    """
    info = current_info(job)
    if not estimate or info.usable_mpp is not None:
        return info
    prediction = current_prediction(job)
    found = prediction.estimate if prediction else None
    return info if found is None else with_estimated_mpp(info, found)


def current_prediction(job: SlideJob) -> Prediction | None:
    """Read a slide's prediction; None if it was removed between check and reading."""
    check_artefact(job.folder, PREDICTION)
    return read_prediction(job.folder)


def current_tiles(job: SlideJob) -> TileTable:
    """Read a slide's tiles."""
    tiles, _ = read_tiles(job.folder)
    check_artefact(job.folder, TILES)
    return tiles


def current_tile_count(job: SlideJob) -> int:
    """Read the number of a slide's tiles alone."""
    count = tile_count(job.folder)
    check_artefact(job.folder, TILES)
    return count


def current_tissue(job: SlideJob) -> TissueMask:
    """Read a slide's tissue mask, and where it cannot be decoded."""
    tissue = read_tissue(job.folder)
    check_artefact(job.folder, MASK)
    return tissue


def current_regions(job: SlideJob) -> tuple[Region, ...]:
    """Read the regions that a slide's tiles lie in; () where none were given."""
    if not (job.folder / REGIONS).exists():
        return ()
    found = read_regions(job.folder)
    check_artefact(job.folder, REGIONS)
    return found


def current_tiling(job: SlideJob) -> Tiles:
    """Read a slide's tiles with its tissue mask and its picture, as `tile` found them.

    ``min_tissue``, which no artefact holds, is the least of its tiles: it only decides which places without a tile
    count as unreadable, not as glass.
    """
    table = current_tiles(job)
    thumbnail = read_thumbnail(job.folder)
    record = check_artefact(job.folder, THUMBNAIL)
    least = float(np.min(table.tissue_fraction, initial=1.0))
    identity, outlines = current_info(job).identity, current_regions(job)
    return Tiles(table, current_tissue(job), thumbnail, least, record.reason, identity, outlines)


def current_map(job: SlideJob) -> ScaleMap:
    """Read a slide's scale map."""
    scale_map, _ = read_scale_map(job.folder)
    check_artefact(job.folder, SCALE_MAP)
    return scale_map


def current_channels(job: SlideJob, labels: Sequence[str]) -> list[NDArray[np.float32]]:
    """Read some channels of a slide's scale map alone, (row, col) each."""
    channels = read_channels(job.folder, labels)
    check_artefact(job.folder, SCALE_MAP)
    return channels


def current_features(job: SlideJob, tiles: TileTable, scale_map: ScaleMap) -> TileFeatures:
    """Read a slide's features: at fixed µm per pixel, and at the optimal one of its scale map."""
    features = read_features(job.folder)
    check_artefact(job.folder, FEATURES)
    return TileFeatures(**vars(features), tiles=tiles, scale_map=scale_map)
