"""Estimators: anything that says of fields, files with a µm per pixel each, the optimal mpp and its confidence."""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

import wsi_scale
from benchmarks.cache import images_identity, kept_arrays, network_identity
from wsi_scale.api.belonging import slide_of
from wsi_scale.api.scale import tile_slide
from wsi_scale.api.settings import configured, settled
from wsi_scale.api.slide import opened
from wsi_scale.config.settings import SearchSettings
from wsi_scale.execution.machine import usable_cores
from wsi_scale.execution.progress import progress
from wsi_scale.execution.settled import compute_of
from wsi_scale.learning.calibrations import calibration_for, read_for
from wsi_scale.networks.known import describe
from wsi_scale.networks.network import Network
from wsi_scale.scale.calibration import Calibration
from wsi_scale.steps.blocks import BlockRun
from wsi_scale.steps.search import SearchedTiles, search_network, search_tiles
from wsi_scale.synthesis.pyramid import QUALITY, write_pyramid

#: Side of a tile: usual pixels, and least side on the tissue.
TILE_PX, TILE_UM = 224, 112.0
#: Fields whose answers are kept together, so that an interrupted run goes on.
KEPT_FIELDS = 16


@dataclass(frozen=True)
class Field:
    """A square image that is written to a file and searched as a slide of its own.

    Attributes
    ----------
    pixels
        (side, side, rgb).
    mpp
        µm per pixel that its file states.
    quality
        Of its JPEG compression.
    """

    pixels: NDArray[np.uint8]
    mpp: float
    quality: int = QUALITY

    @property
    def tiles(self) -> int:
        """Tiles along a side: as many of at least 112 µm as fit, and together they cover all of it."""
        return max(1, math.floor(len(self.pixels) * self.mpp / TILE_UM + 1e-6))


@dataclass(frozen=True)
class Answers:
    """Answers to a field's tiles, row by row.

    Attributes
    ----------
    optimal_mpp, confidence
        (tile,); the mpp is NaN without an answer.
    """

    optimal_mpp: NDArray[np.float64]
    confidence: NDArray[np.float64]

    @property
    def log2_mpp(self) -> float:
        """Log2 of the field's optimal mpp: the median over the tiles that are answered; NaN if none is."""
        known = self.optimal_mpp[np.isfinite(self.optimal_mpp)]
        return float(np.median(np.log2(known))) if len(known) else math.nan


@dataclass(frozen=True)
class Estimator:
    """An estimator under test.

    Attributes
    ----------
    network, method
        Its place in the table.
    answer
        Fields → answers to their tiles.
    mpp_per_um
        Optimal mpp for a radius of 1 µm, by which its answers are radii; NaN where it claims none.
    """

    network: str
    method: str
    answer: Callable[[Sequence[Field]], list[Answers]]
    mpp_per_um: float = math.nan

    def log2_of_fields(self, fields: Sequence[Field]) -> NDArray[np.float64]:
        """(field,) log2 of the optimal mpp of each field."""
        return np.array([answers.log2_mpp for answers in self.answer(fields)])

    def log2_of_tiles(self, fields: Sequence[Field]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(tile,) log2 of the optimal mpp and confidence of all tiles of all fields."""
        answers = self.answer(fields)
        optimal = np.concatenate([each.optimal_mpp for each in answers])
        return np.log2(optimal), np.concatenate([each.confidence for each in answers])


def constant() -> Estimator:
    """Say 1 µm/px of everything: the control that has looked at nothing."""

    def answer(fields: Sequence[Field]) -> list[Answers]:
        return [Answers(np.ones(field.tiles**2), np.ones(field.tiles**2)) for field in fields]

    return Estimator("constant", "constant", answer)


def searching(
    network: str, method: str, *, name: str | None = None, calibration: Calibration | None = None
) -> Estimator:
    """Search as the pipeline does: a file for each field, through reading, tiling and the scale search.

    Parameters
    ----------
    network
        A network's name or file.
    method
        Of the search.
    name
        In the table; by default the network's.
    calibration
        Of the network; by default found or measured as in every search.
    """
    config = configured(network=network, search={"method": method}, execution={"threads": 1, "block_tiles": 4})
    settings = SearchSettings.of(settled(config))
    loaded = search_network(settings)
    if method == "covariant" and calibration is None:
        with TemporaryDirectory() as folder:
            path = calibration_for(settings, describe(loaded), Path(folder) / "calibration.json")
            calibration = None if path is None else read_for(path, loaded)[0]
    search = _Search(settings, loaded, calibration)
    log2_k = math.nan if calibration is None else calibration.log2_k
    return Estimator(name or Path(network).stem, method, search, 2**log2_k)


@dataclass(frozen=True)
class _Search:
    settings: SearchSettings
    network: Network
    calibration: Calibration | None

    def __call__(self, fields: Sequence[Field]) -> list[Answers]:
        found: list[Answers] = []
        with progress(f"{self.network.name}, {self.settings.search.method}", len(fields), unit="fields") as advance:
            for start in range(0, len(fields), KEPT_FIELDS):
                part = fields[start : start + KEPT_FIELDS]
                found += self._kept(part)
                advance(len(part))
        return found

    def _kept(self, fields: Sequence[Field]) -> list[Answers]:
        depends_on = network_identity(self.network, compute_of(self.settings.execution)) | {
            "method": self.settings.search.method,
            "calibration": None if self.calibration is None else _content(self.calibration),
            "code": _code(),
            "fields": [[images_identity(field.pixels), field.mpp, field.quality] for field in fields],
        }

        def make() -> dict[str, NDArray[np.float64]]:
            answers = self._search(fields)
            return {name: np.concatenate([getattr(a, name) for a in answers]) for name in ("optimal_mpp", "confidence")}

        kept = kept_arrays("truth", depends_on, make)
        ends = np.cumsum([field.tiles**2 for field in fields])[:-1]
        parts = zip(np.split(kept["optimal_mpp"], ends), np.split(kept["confidence"], ends), strict=True)
        return [Answers(optimal, confidence) for optimal, confidence in parts]

    def _search(self, fields: Sequence[Field]) -> list[Answers]:
        """Search fields; those of one kind lie one below the other in one file."""
        kinds = [(len(field.pixels), field.mpp, field.quality) for field in fields]
        found: dict[int, Answers] = {}
        for kind in dict.fromkeys(kinds):
            members = [index for index, other in enumerate(kinds) if other == kind]
            found |= zip(members, self._search_file([fields[index] for index in members]), strict=True)
        return [found[index] for index in range(len(fields))]

    def _search_file(self, fields: Sequence[Field]) -> list[Answers]:
        """Write fields of one size, mpp and quality to a file and search it."""
        side, tiles, mpp, quality = len(fields[0].pixels), fields[0].tiles, fields[0].mpp, fields[0].quality
        with TemporaryDirectory(prefix="truth-") as folder:
            path = Path(folder) / "fields.tiff"
            write_pyramid(path, np.concatenate([field.pixels for field in fields]), mpp, quality=quality)
            with opened(path) as slide:
                # The mpp that was read, not the one written: a tile that ended half a pixel beyond would be dropped.
                tile_mpp = side * (slide.mpp or mpp) / (tiles * TILE_PX)
                laid = tile_slide(slide, mpp=tile_mpp, tile_px=TILE_PX, method="none", min_tissue=0)
                on = SearchedTiles(slide_of(laid, slide, None), laid.table, laid.tissue, laid.min_tissue)
                run = _Threads("search", self.settings.execution)
                scale_map = search_tiles(on, self.network, self.settings, self.calibration, run)
        shape = (len(fields), tiles**2)
        optimal, confidence = (
            channel.astype(np.float64).reshape(shape) for channel in (scale_map.optimal_mpp, scale_map.confidence)
        )
        return [Answers(*pair) for pair in zip(optimal, confidence, strict=True)]


class _Threads(BlockRun):
    """Blocks on threads; the network stays loaded from file to file."""

    def answers(self, function: Callable[[Any], Any], blocks: Sequence[Any]) -> Iterator[Any]:
        with ThreadPoolExecutor(usable_cores()) as pool:
            yield from pool.map(function, blocks)


@cache
def _code() -> str:
    """Digest of the package's source: what is kept was computed by this very code."""
    digest = hashlib.sha256()
    for path in sorted(Path(wsi_scale.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def _content(calibration: Calibration) -> str:
    parts = [
        (name, layer.channels.tolist(), layer.offset.tolist(), layer.slope.tolist(), layer.residual.tolist())
        for name, layer in calibration.layers.items()
    ]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]
