"""Single tiles at seven fixed µm per pixel, by case, by scanner and, as published figures are, by patch."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold, KFold, LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.cache import Arrays, kept_arrays, network_identity
from benchmarks.magnification.draws import SEED, TILE_PX
from benchmarks.magnification.estimators import FOLDS, LEFT_OUT, kept_out, load_split
from benchmarks.magnification.features import Extractor
from benchmarks.magnification.figures import tile_errors, tile_figures
from benchmarks.sources import TRAINED_ON, Source, read_crops

#: µm per pixel, and tiles of each field at each.
MPPS = (0.25, 0.375, 0.5, 0.75, 1.0, 1.5, 2.0)
TILES_PER_FIELD = 3
#: How much coarser than asked for a field may be: 0.2528 counts as 0.25.
TOLERANCE = 1.06
PENALTIES, PARTS = 10.0 ** np.arange(0, 6.1, 0.5), 5


def measure(root: Path, frozen: Extractor) -> tuple[dict[str, Any], dict[str, Any]]:
    """Figures of the trained networks and of frozen features, by case and by scanner; of frozen ones by patch too.

    Parameters
    ----------
    frozen
        A network that was trained on no tissue.
    """
    sources = list(enumerate(read_crops(root, TRAINED_ON)))
    rows = {
        "embedded_by_case": _trained_rows({split: kept_out(split) for split in FOLDS}, sources),
        "embedded_by_scanner": _trained_rows(
            {split: {s.case for _, s in sources if s.scanner == scanner} for split, scanner in LEFT_OUT.items()},
            sources,
        ),
    }
    features, truth, cases = fixed_features(sources, frozen)
    scanner_of = {source.case: source.scanner for _, source in sources}
    scanners = np.array([scanner_of[case] for case in cases])
    ridge = make_pipeline(StandardScaler(), RidgeCV(PENALTIES))
    for name, groups, split in (
        ("case", cases, GroupKFold(PARTS)),
        ("scanner", scanners, LeaveOneGroupOut()),
        ("patch", None, KFold(PARTS, shuffle=True, random_state=0)),
    ):
        rows[f"frozen_by_{name}"] = _rows(cross_val_predict(ridge, features, truth, groups=groups, cv=split), truth)
    return {}, rows


def _trained_rows(
    asked: Mapping[str, Collection[str]], sources: Sequence[tuple[int, Source]]
) -> dict[str, dict[str, float]]:
    """Figures of the networks of some splits, each asked about cases that it was not trained on."""
    answers, truths = [], []
    for split, cases in asked.items():
        estimator = load_split(split)
        features, truth, _ = fixed_features([(n, s) for n, s in sources if s.case in cases], estimator)
        answers.append(estimator.regressor.predict_tiles(features).log2_mpp)
        truths.append(truth)
    return _rows(np.concatenate(answers), np.concatenate(truths))


def fixed_features(
    sources: Sequence[tuple[int, Source]], extractor: Extractor
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.str_]]:
    """Features, log2 mpp and cases of the tiles of numbered sources."""

    def make() -> Arrays:
        features, truth, cases = [], [], []
        for number, source in sources:
            tiles, log2_mpp = fixed_tiles(source, number)
            if len(tiles):
                features.append(extractor.features(tiles))
                truth.append(log2_mpp)
                cases += [source.case] * len(tiles)
        joined = np.concatenate(features).astype(np.float32)
        return {"features": joined, "truth": np.concatenate(truth), "cases": np.array(cases)}

    depends_on = network_identity(extractor.network, extractor.compute) | {
        "sources": [[number, source.case, *source.identity] for number, source in sources],
        "tiles": [TILE_PX, TILES_PER_FIELD, MPPS, TOLERANCE, SEED],
    }
    kept = kept_arrays("fixed", depends_on, make)
    return kept["features"].astype(np.float64), kept["truth"], kept["cases"]


def fixed_tiles(source: Source, number: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Tiles of a field at each mpp that it can show: (tile, row, col, rgb), and their log2 mpp."""
    rng = np.random.default_rng((SEED, 11, number))
    image = Image.fromarray(source.pixels())
    tiles, truth = [], []
    for mpp in MPPS:
        side = TILE_PX * mpp / source.mpp
        if source.mpp > mpp * TOLERANCE or side > min(image.size):
            continue
        for _ in range(TILES_PER_FIELD):
            x, y = (rng.uniform(0, extent - side) for extent in image.size)
            box = (x, y, x + side, y + side)
            tiles.append(np.asarray(image.resize((TILE_PX, TILE_PX), Image.Resampling.BILINEAR, box=box)))
            truth.append(np.log2(mpp))
    return np.array(tiles, np.uint8).reshape(-1, TILE_PX, TILE_PX, 3), np.array(truth)


def _rows(estimate: NDArray[np.floating], truth: NDArray[np.floating]) -> dict[str, dict[str, float]]:
    """Figures of all tiles, and of those at each mpp."""
    rows = {"all": tile_figures(estimate, truth)}
    for mpp in MPPS:
        here = np.isclose(truth, np.log2(mpp))
        rows[f"{mpp:g}"] = tile_errors(estimate[here], truth[here])
    return rows
