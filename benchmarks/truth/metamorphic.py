"""Metamorphic tests on real tissue: what must happen to an estimate when the image is changed in a known way.

No true scale is needed: both of a pair are files of the same tissue, each with noise and JPEG of its own.
"""

from pathlib import Path

import numpy as np

from benchmarks.truth.estimators import TILE_UM, Estimator, Field
from benchmarks.truth.figures import Finding, difference_figures, slope_figures
from benchmarks.truth.tissue import Case, as_scanned, defocused, denser, resized, restained, unseen_cases

#: Factors of the enlarged or shrunken field.
FACTORS = (0.5, 2.0)
#: The shift of a tile, µm: a quarter of its side.
SHIFT_UM = 28.0


def metamorphic_test(estimator: Estimator, root: Path, cases: int, factors: int) -> Finding:
    """Compare fields with their resized selves: mpp tag unchanged, and truthful.

    Parameters
    ----------
    cases
        How many.
    factors
        Factors a case.
    """
    chosen = unseen_cases(root)[:cases]
    pairs = [pair for case in chosen for pair in _size_pairs(case, factors)]
    own, other = estimator.log2_of_fields([p[0] for p in pairs]), estimator.log2_of_fields([p[1] for p in pairs])
    log2_factor = np.log2([len(second.pixels) / len(first.pixels) for first, second, _ in pairs])
    errors = other - own - log2_factor
    known = np.isfinite(errors)
    figures = difference_figures(errors, [name for _, _, name in pairs])
    figures["slope"] = (
        slope_figures(log2_factor[known], (other - own)[known][None])["median"] if known.sum() > 2 else None
    )
    halved = [pair for case in chosen for pair in _halved(case)]
    fine, coarse = ([first for first, _, _ in halved], [second for _, second, _ in halved])
    change = estimator.log2_of_tiles(coarse)[0] - estimator.log2_of_tiles(fine)[0]
    figures["downsampled"] = difference_figures(change, [name for f, _, name in halved for _ in range(f.tiles**2)])
    return Finding(figures, {"log2_factor": log2_factor, "followed": other - own})


def _size_pairs(case: Case, count: int) -> list[tuple[Field, Field, str]]:
    """Pair a field with itself enlarged or shrunken at the same mpp tag."""
    rng = case.rng("size")
    smallest = max(FACTORS[0], TILE_UM / case.side_um * 1.001)
    # Stratified over the octaves that the field's size allows.
    shares = (np.arange(count) + rng.uniform(size=count)) / count
    factors = smallest * (FACTORS[1] / smallest) ** shares
    return [
        (as_scanned(case.pixels, case.mpp, rng), as_scanned(resized(case.pixels, factor), case.mpp, rng), case.name)
        for factor in factors
    ]


def _halved(case: Case) -> list[tuple[Field, Field, str]]:
    """Pair a field with itself at twice the mpp, as its file states; only of 40x scans can the half be tiled."""
    if case.mpp > 0.3:
        return []
    rng = case.rng("halved")
    even = case.pixels[: len(case.pixels) // 2 * 2, : len(case.pixels) // 2 * 2]
    return [(as_scanned(even, case.mpp, rng), as_scanned(resized(even, 0.5), 2 * case.mpp, rng), case.name)]


def stability_test(estimator: Estimator, root: Path, cases: int) -> Finding:
    """Change what should not matter: place, dyes, JPEG, focus, section thickness; one tile a case."""
    chosen = unseen_cases(root)[:cases]
    names = [case.name for case in chosen]
    plain, _ = estimator.log2_of_tiles([Field(case.middle(TILE_UM), case.mpp, 90) for case in chosen])
    figures, points = {}, {}
    for change in CHANGES:
        found, _ = estimator.log2_of_tiles([_changed(case, change) for case in chosen])
        figures[change] = difference_figures(found - plain, names)
        points[change] = found - plain
    return Finding(figures, points)


#: Change → its way with a tile's pixels at an mpp; position and JPEG are changed otherwise.
CHANGES = {
    "position, a quarter tile": None,
    "haematoxylin × 0.75, eosin × 1.3": lambda pixels, _: restained(pixels, 0.75, 1.3),
    "haematoxylin × 1.3, eosin × 0.75": lambda pixels, _: restained(pixels, 1.3, 0.75),
    "JPEG quality 60": 60,
    "JPEG quality 30": 30,
    "blur 0.5 µm": lambda pixels, mpp: defocused(pixels, mpp, 0.5),
    "blur 1 µm": lambda pixels, mpp: defocused(pixels, mpp, 1.0),
    "density × 0.7": lambda pixels, _: denser(pixels, 0.7),
    "density × 1.4": lambda pixels, _: denser(pixels, 1.4),
}


def _changed(case: Case, name: str) -> Field:
    change = CHANGES[name]
    if change is None:
        angle = case.rng("position").uniform(0, 2 * np.pi)
        shifted = case.middle(TILE_UM, SHIFT_UM * float(np.cos(angle)), SHIFT_UM * float(np.sin(angle)))
        return Field(shifted, case.mpp, 90)
    pixels = case.middle(TILE_UM)
    if isinstance(change, int):
        return Field(pixels, case.mpp, change)
    return Field(change(pixels, case.mpp), case.mpp, 90)
