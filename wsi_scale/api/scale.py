"""Tiles, scale maps and features of one slide, in memory."""

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

import numpy as np

from wsi_scale.api.belonging import check_map, slide_of
from wsi_scale.api.settings import configured, settled
from wsi_scale.api.slide import SlideLike, opened
from wsi_scale.artifacts.names import CALIBRATION
from wsi_scale.config.settings import ExtractSettings, SearchSettings, TileSettings
from wsi_scale.execution.progress import showing_progress
from wsi_scale.learning.calibrations import calibration_for, read_for
from wsi_scale.networks.known import describe
from wsi_scale.results.features import TileFeatures
from wsi_scale.results.scale_map import ScaleMap
from wsi_scale.results.tiles import Tiles
from wsi_scale.scale.calibration import Calibration
from wsi_scale.steps.blocks import BlockRun
from wsi_scale.steps.extract import Extraction, extract_network, feature_attributes
from wsi_scale.steps.search import SearchedTiles, search_network, search_tiles
from wsi_scale.steps.tile import tile_slide as tiles_of

if TYPE_CHECKING:
    from wsi_scale.networks.network import Network


def tile_slide(
    slide: SlideLike,
    *,
    tile_px: int = 224,
    mpp: float = 0.5,
    overlap_px: int = 0,
    edge: Literal["drop", "pad"] = "drop",
    min_tissue: float = 0.3,
    method: Literal["auto", "none"] = "auto",
    mask: str | PathLike[str] | None = None,
    regions: str | PathLike[str] | None = None,
    thumbnail_px: int = 2048,
    brightfield_only: bool = False,
    unreadable_share: float = 0.01,
    slide_mpp: float | None = None,
) -> Tiles:
    """Find the tissue of a slide and lay square tiles on it at an exact µm per pixel.

    Parameters
    ----------
    slide
        An opened slide, a path, or an (H, W, 3) array of uint8.
    tile_px, mpp, overlap_px, edge, min_tissue
        Keys of the section ``tiling``: ``mpp`` is that of the tiles.
    method, mask, regions, thumbnail_px
        Keys of the section ``tissue``.
    brightfield_only, unreadable_share
        Keys of the section ``slides``.
    slide_mpp
        µm per pixel of the slide's level 0; outranks its header.

    Returns
    -------
    tiles
        ``.to_dataframe()`` has row, col, x, y (top left, level-0 pixels) and tissue_fraction; with regions, also region
        and region_class.

    Raises
    ------
    MppError
        The slide has no usable µm per pixel.
    UserError
        The slide, the mask or the regions cannot be read, or a value is none that the key can have.

    Examples
    --------
    >>> import numpy as np, wsi_scale as ws
    >>> image = np.full((600, 900, 3), 240, np.uint8)
    >>> tiles = ws.tile_slide(image, slide_mpp=0.5, method="none")
    >>> len(tiles), list(tiles.to_dataframe().columns)
    (8, ['row', 'col', 'x', 'y', 'tissue_fraction'])
    """
    config = configured(
        tiling={
            "tile_px": tile_px, "mpp": mpp, "overlap_px": overlap_px, "edge": edge, "min_tissue": min_tissue,
        },
        tissue={"method": method, "thumbnail_px": thumbnail_px},
        slides={"brightfield_only": brightfield_only, "unreadable_share": unreadable_share},
    )  # fmt: skip
    with opened(slide, slide_mpp) as own:
        info = replace(own.info, identity=own.identity)
        drawn = (None if file is None else Path(file) for file in (mask, regions))
        return tiles_of(own.reader, info, TileSettings.of(config), *drawn)


def search_scale(
    slide: SlideLike,
    tiles: Tiles,
    *,
    network: str | PathLike[str] = "embedded",
    weights: str | PathLike[str] | None = None,
    method: Literal["covariant", "published"] = "covariant",
    ladder: Literal["adaptive", "full"] = "adaptive",
    layers: Sequence[str] | None = None,
    finest_mpp: float = 0.25,
    coarsest_mpp: float = 4.0,
    rungs_per_octave: int = 3,
    calibration: str | PathLike[str] | None = None,
    unreadable_share: float = 0.01,
    device: Literal["auto", "cpu", "cuda", "cuda:all"] = "auto",
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
    workers: int | None = None,
    threads: int = 1,
    block_tiles: int | None = None,
    batch_mpx: float | None = None,
    mpp: float | None = None,
    progress: bool = False,
) -> ScaleMap:
    """Search the µm per pixel at which each tile excites a network most.

    Parameters
    ----------
    slide
        An opened slide, a path, or an (H, W, 3) array of uint8.
    tiles
        Its tiles, as :func:`tile_slide` lays them.
    network, weights
        A network by name (embedded, vgg19, ...) or a network file, and a weights file for it.
    method, ladder, layers, finest_mpp, coarsest_mpp, rungs_per_octave
        Keys of the section ``search``.
    calibration
        A calibration file of the network; by default it is found, or measured (minutes, once).
    unreadable_share
        Share of the tiles that may be impossible to decode.
    device, dtype, workers, threads, block_tiles, batch_mpx
        Keys of the section ``execution``.
    mpp
        µm per pixel of the slide's level 0, by which the tiles were laid.
    progress
        Whether to show a progress bar.

    Returns
    -------
    scale_map
        ``optimal_mpp`` and ``confidence``, (row, col); ``curves``; ``to_xarray()``; ``plot()``.

    Raises
    ------
    UserError
        The slide, the network or its weights cannot be read, or there is no tile.

    Examples
    --------
    >>> import numpy as np, wsi_scale as ws
    >>> image = np.random.default_rng(0).integers(0, 255, (600, 900, 3), np.uint8)
    >>> tiles = ws.tile_slide(image, slide_mpp=0.5, method="none")
    >>> scale_map = ws.search_scale(image, tiles, rungs_per_octave=1, layers=["C3_1"], method="published")
    >>> scale_map.optimal_mpp.shape, list(scale_map.curves)
    ((2, 4), ['C3_1'])
    """
    config = configured(
        network=network,
        weights=weights,
        search={
            "method": method, "ladder": ladder, "layers": layers, "finest_mpp": finest_mpp,
            "coarsest_mpp": coarsest_mpp, "rungs_per_octave": rungs_per_octave,
        },
        slides={"unreadable_share": unreadable_share},
        execution={
            "device": device, "dtype": dtype, "workers": workers, "threads": threads, "block_tiles": block_tiles,
            "batch_mpx": batch_mpx,
        },
    )  # fmt: skip
    settings = SearchSettings.of(settled(config))
    with showing_progress(progress), opened(slide) as own:
        on = SearchedTiles(slide_of(tiles, own, mpp), tiles.table, tiles.tissue, tiles.min_tissue)
        loaded = search_network(settings)
        calibrated = _calibration(loaded, settings, None if calibration is None else Path(calibration))
        return search_tiles(on, loaded, settings, calibrated, BlockRun("search", settings.execution))


def extract_features(
    slide: SlideLike,
    tiles: Tiles,
    *,
    mpps: Sequence[float] = (0.5, 1.0, 2.0),
    optimal: ScaleMap | None = None,
    network: str | PathLike[str] = "embedded",
    weights: str | PathLike[str] | None = None,
    layer: str | None = None,
    unreadable_share: float = 0.01,
    device: Literal["auto", "cpu", "cuda", "cuda:all"] = "auto",
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
    workers: int | None = None,
    threads: int = 1,
    block_tiles: int | None = None,
    batch_mpx: float | None = None,
    mpp: float | None = None,
    progress: bool = False,
) -> TileFeatures:
    """Average a layer of a network over fields around each tile's centre, at several µm per pixel.

    Parameters
    ----------
    slide
        An opened slide, a path, or an (H, W, 3) array of uint8.
    tiles
        Its tiles, as :func:`tile_slide` lays them.
    mpps, layer
        Keys of the section ``features``.
    optimal
        The scale map of these tiles: each is also seen at its own optimal µm per pixel.
    network, weights, unreadable_share, device, dtype, workers, threads, block_tiles, batch_mpx, mpp, progress
        As in :func:`search_scale`.

    Returns
    -------
    features
        ``features`` (tile, mpp, channel), ``features_optimal`` (tile, channel); ``to_xarray()``, ``to_anndata()``.

    Raises
    ------
    UserError
        The slide, the network or its weights cannot be read, or there is no tile.

    Examples
    --------
    >>> import numpy as np, wsi_scale as ws
    >>> image = np.random.default_rng(0).integers(0, 255, (600, 900, 3), np.uint8)
    >>> tiles = ws.tile_slide(image, slide_mpp=0.5, method="none")
    >>> ws.extract_features(image, tiles, mpps=[0.5, 1.0]).features.shape
    (8, 2, 160)
    """
    config = configured(
        network=network,
        weights=weights,
        features={"layer": layer, "mpps": mpps, "optimal": optimal is not None},
        slides={"unreadable_share": unreadable_share},
        execution={
            "device": device, "dtype": dtype, "workers": workers, "threads": threads, "block_tiles": block_tiles,
            "batch_mpx": batch_mpx,
        },
    )  # fmt: skip
    settings = ExtractSettings.of(settled(config))
    with showing_progress(progress), opened(slide) as own:
        loaded = extract_network(settings)
        source = slide_of(tiles, own, mpp)
        if optimal is not None:
            check_map(optimal, tiles, own.path)
        extraction = Extraction.of(source, tiles.table, loaded, settings, optimal)
        answers = list(extraction.answers(settings, BlockRun("extract", settings.execution)))
    order = np.argsort(np.concatenate([numbers for numbers, _ in answers]))
    return TileFeatures(
        features=np.concatenate([answer.features for _, answer in answers])[order],
        features_optimal=np.concatenate([answer.optimal for _, answer in answers])[order],
        mpps=np.array(extraction.plan.mpps),
        padded_share=np.concatenate([answer.padded for _, answer in answers])[order],
        attributes=feature_attributes(tiles.table.grid, loaded, settings),
        tiles=tiles.table,
        scale_map=optimal,
    )


def _calibration(network: "Network", settings: SearchSettings, given: Path | None) -> Calibration | None:
    """Read the calibration that a search needs; one that is measured is kept in the user's cache, if it can be."""
    known = describe(network)
    with TemporaryDirectory() as folder:
        path = given or calibration_for(settings, known, Path(folder) / CALIBRATION)
        return read_for(path, known)[0] if path and settings.search.method == "covariant" else None
