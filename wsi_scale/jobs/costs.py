"""What a cohort will cost: tiles by a look at some slides, time, memory and disk by rates that were measured."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from wsi_scale.artifacts.record import valid_record
from wsi_scale.artifacts.runs import Made, made_in
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.artifacts.tiles import tile_count
from wsi_scale.config.models import Config
from wsi_scale.config.settings import TileSettings
from wsi_scale.errors import ArtifactError, ConfigError, UserError
from wsi_scale.execution.progress import progress
from wsi_scale.jobs.batches import Batch
from wsi_scale.jobs.cohort import jobs_in
from wsi_scale.report.words import count_text
from wsi_scale.slides.metadata import inspect_slide
from wsi_scale.slides.open import open_slide
from wsi_scale.slides.sheet import SheetRow
from wsi_scale.steps.tile import tile_slide

#: Slides of a cohort that are looked at; the others are taken to have as many tiles a gigabyte.
MOST_LOOKED_AT = 40
#: Processor time of what a run does once (Snakemake 3.5, calibration 5, regressor 3, report and status 5.5), which
#: nothing else runs beside. Three slides on 2 cores of an Intel Xeon with bfloat16 (docs/sizing.md).
ONCE_S = 17.0
#: Processor time until a process has loaded what it needs: one that inspects or tiles, of which a batch has two, and
#: the one with the network. Measured there, and by a thousand slides.
READING_START_S, NETWORK_START_S = 2.4, 4.0
#: Part of a slide's own time that passes in the process with the network: the estimate of µm per pixel. Measured there.
NETWORK_SHARE = 2 / 3
#: How many times as many tiles as another a slide must have to tell what a slide costs from what a tile costs.
UNLIKE = 2
#: Most cores of one job.
BATCH_CORES = 8
#: Sections of the configuration on which the rates depend.
_SECTIONS = ("network", "tiling", "search", "features")


@dataclass(frozen=True)
class Rates:
    """What slides cost.

    Attributes
    ----------
    source
        Where the rates were measured.
    slide_s, tile_s
        Processor time of a slide, and of each of its tiles, in all stages.
    slide_bytes, tile_bytes
        Size of the results.
    memory_mb
        Most memory of a process.
    """

    source: str
    slide_s: float
    tile_s: float
    slide_bytes: float
    tile_bytes: float
    memory_mb: float


#: Network → rates on a known machine with the default settings, from slides of 56 and 323 tiles (docs/sizing.md).
KNOWN: Mapping[str, Rates] = {
    "embedded": Rates("2 cores of an AMD EPYC with bfloat16", 9.0, 0.042, 2.3e6, 27e3, 1100),
    "vgg19": Rates("2 cores of an AMD EPYC with bfloat16", 9.0, 1.5, 2.3e6, 32e3, 1700),
}


@dataclass(frozen=True)
class Tissue:
    """How much there is to do.

    Attributes
    ----------
    slides, gigabytes
        Of the cohort.
    looked_at
        Slides whose tiles were counted.
    tiles
        Expected number of tiles of all slides.
    tiles_error
        Its standard error; 0 where all slides were looked at.
    unreadable
        One line for each slide, of those looked at, that cannot be read.
    """

    slides: int
    gigabytes: float
    looked_at: int
    tiles: float
    tiles_error: float
    unreadable: tuple[str, ...]


@dataclass(frozen=True)
class Cost:
    """What a cohort will cost on a machine.

    Attributes
    ----------
    seconds
        By the clock.
    memory_mb
        Of all processes that work at a time.
    disk_bytes
        Of the results.
    """

    seconds: float
    memory_mb: float
    disk_bytes: float


def look_at(rows: Sequence[SheetRow], gigabytes: Mapping[str, float], config: Config) -> Tissue:
    """Count the tiles of some slides on their thumbnails, and expect as many a gigabyte of the others.

    Parameters
    ----------
    gigabytes
        Slide's id → size of its files.
    """
    chosen = sorted(random.Random(0).sample(range(len(rows)), min(len(rows), MOST_LOOKED_AT)))
    counts, problems = [], []
    with progress("look at slides", len(chosen), unit="slides") as advance:
        for row in (rows[number] for number in chosen):
            try:
                counts.append((gigabytes[row.slide_id], _tiles(row, config)))
            except UserError as error:
                counts.append((gigabytes[row.slide_id], 0))
                problems.append(str(error))
            advance(1)
    total = sum(gigabytes.values())
    tiles, spread = expected_tiles(np.array(counts, float), len(rows), total)
    return Tissue(len(rows), total, len(chosen), tiles, spread, tuple(problems))


def expected_tiles(counts: NDArray[np.float64], slides: int, gigabytes: float) -> tuple[float, float]:
    """Expect the tiles of a cohort from some of its slides.

    A ratio estimate: as many tiles a gigabyte as the slides that were looked at have (Cochran, Sampling Techniques,
    1977, section 6.3).

    Parameters
    ----------
    counts
        Gigabytes and tiles of the slides that were looked at, (slide, 2).
    slides, gigabytes
        Of the cohort.

    Returns
    -------
    tiles, error
        Of all slides, and its standard error; 0 where all of them were looked at.
    """
    sizes, tiles = counts.T
    if not sizes.sum():
        return 0.0, 0.0
    ratio = tiles.sum() / sizes.sum()
    looked = len(counts)
    if looked == slides or looked < 2:
        return ratio * gigabytes, 0.0
    spread = np.sqrt((1 - looked / slides) * np.sum((tiles - ratio * sizes) ** 2) / (looked - 1) / looked)
    return ratio * gigabytes, float(slides * spread)


def _tiles(row: SheetRow, config: Config) -> int:
    info = inspect_slide(row.path, row.slide_id, row.mpp)
    if info.status != "ok":
        raise ArtifactError(info.warnings[0])
    with open_slide(row.path) as slide:
        return len(tile_slide(slide, info, TileSettings.of(config)).table)


def measured(results: Path, config: Config) -> Rates:
    """Rates of the slides that a run has done, fitted as so much a slide and so much a tile.

    Raises
    ------
    ArtifactError
        The folder holds no results of slides, or no record of how long they took.
    ConfigError
        They were computed with another network or other settings.
    """
    rows, memory = [], 0.0
    for job in jobs_in(results):
        made = made_in(job.folder)
        if not {"search", "extract"} <= {one.stage.stage for one in made}:
            continue
        _check_settings(results, made, config)
        files = [record.files for stage in SLIDE_STAGES if (record := valid_record(job.folder, stage)) is not None]
        size = sum(file.size for found in files for file in found.values())
        rows.append((tile_count(job.folder), sum(one.stage.cpu_seconds for one in made), size))
        memory = max([memory, *(one.stage.peak_memory_mb for one in made)])
    if not rows:
        raise ArtifactError(f"{results} does not tell how long its slides took; run some of the slides first")
    tiles, seconds, sizes = np.array(rows, float).T
    (slide_s, tile_s), (slide_bytes, tile_bytes) = _fit(tiles, seconds), _fit(tiles, sizes)
    alike = "" if tiles.max() >= UNLIKE * max(tiles.min(), 1) else ", too alike to tell a slide's time from its tiles'"
    return Rates(
        f"{count_text(len(rows), 'slide')} in {results}{alike}", slide_s, tile_s, slide_bytes, tile_bytes, memory
    )


def _fit(tiles: Any, values: Any) -> tuple[float, float]:
    """Fit values as so much a slide and so much a tile, neither below zero."""
    (slide, tile), _ = nnls(np.stack([np.ones_like(tiles), tiles], axis=1), values)
    return float(slide), float(tile)


def _check_settings(results: Path, made: Sequence[Made], config: Config) -> None:
    now = config.model_dump(mode="json")
    for one in made:
        for section in _SECTIONS:
            then = one.run.configuration.get(section)
            if then is not None and then != now[section]:
                named = ", ".join(_differing(section, then, now[section]))
                raise ConfigError(
                    f"{results} was computed with another value of {named}; give the same --config and --set"
                )


def _differing(section: str, then: Any, now: Any) -> list[str]:
    """Name the keys of a section whose values differ."""
    if not (isinstance(then, Mapping) and isinstance(now, Mapping)):
        return [section]
    return [f"{section}.{key}" for key in {**then, **now} if then.get(key) != now.get(key)]


def known(config: Config) -> Rates:
    """Rates of a network in the table of known hardware.

    Raises
    ------
    ConfigError
        The network is not in it.
    """
    if config.network not in KNOWN:
        raise ConfigError(
            f"network={config.network} is not in the table of known rates ({', '.join(KNOWN)}); run a few slides with "
            "`wsi-scale run SLIDE --results RESULTS` and give --like RESULTS"
        )
    return KNOWN[config.network]


def cost_of(tissue: Tissue, batches: Sequence[Batch], rates: Rates, cores: int) -> Cost:
    """Expect what a cohort costs on a machine.

    Jobs of one core share the cores. The job with the network of a slide that is alone has all of them, up to eight,
    though only its tiles use them all; so while it starts, the others wait. A run takes no less than its longest batch.
    """
    one_core = [_one_core_seconds(batch, rates) for batch in batches]
    network = [_network_seconds(batch, tissue, rates, cores) for batch in batches]
    busy = sum(seconds * _workers(batch, cores) for batch, seconds in zip(batches, network, strict=True)) / cores
    # Three jobs on two cores take as long as four.
    rounds = -(-len(batches) // cores) / max(len(batches), 1)
    longest = max((sum(both) for both in zip(one_core, network, strict=True)), default=0.0)
    return Cost(
        ONCE_S + max(sum(one_core) * rounds + busy, longest),
        rates.memory_mb * min(cores, len(batches)),
        tissue.slides * rates.slide_bytes + tissue.tiles * rates.tile_bytes,
    )


def _workers(batch: Batch, cores: int) -> int:
    """Cores of a batch's job with the network; the tiles of a slide that is alone share up to eight."""
    return min(cores, BATCH_CORES) if len(batch.slide_ids) == 1 else 1


def _one_core_seconds(batch: Batch, rates: Rates) -> float:
    return 2 * READING_START_S + len(batch.slide_ids) * rates.slide_s * (1 - NETWORK_SHARE)


def _network_seconds(batch: Batch, tissue: Tissue, rates: Rates, cores: int) -> float:
    slides = len(batch.slide_ids)
    share = batch.gigabytes / tissue.gigabytes if tissue.gigabytes else slides / tissue.slides
    tiles = share * tissue.tiles * rates.tile_s / _workers(batch, cores)
    return NETWORK_START_S + slides * rates.slide_s * NETWORK_SHARE + tiles
