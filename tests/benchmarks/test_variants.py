"""Variants of the covariant search: on channels that are made to follow size, each finds it."""

import numpy as np
import pytest

from benchmarks.variants.__main__ import variants
from benchmarks.variants.estimators import Variant, fit
from benchmarks.variants.figures import figures_of, octaves_moved
from benchmarks.variants.observed import PARTS, Observed
from wsi_scale.errors import UserError

LOG2_MPP = np.linspace(-2, 2, 13)
LAYERS = ("C2_2", "C3_4")
CHANNELS, REGIONS = 12, 20


def curves(log2_radius: np.ndarray, noise: float, seed: int) -> Observed:
    """Bells over log2 mpp that peak where a channel's line puts a radius, of two layers."""
    rng = np.random.default_rng(seed)
    found = {}
    for layer, name in enumerate(LAYERS):
        slope = 0.9 + 0.02 * np.arange(CHANNELS)
        offset = -1.8 - 0.2 * layer
        peak = offset + slope * log2_radius[:, None] + rng.normal(0, noise, (len(log2_radius), CHANNELS))
        found[name] = np.exp(-((LOG2_MPP - peak[..., None]) ** 2)).astype(np.float32)
    return Observed(found, LOG2_MPP)


def scenes(seed: int, count: int = 512) -> tuple[Observed, np.ndarray]:
    log2_radius = np.linspace(0.6, 3, count)
    return curves(log2_radius, 0.1, seed), 2**log2_radius


def regions(shift: float) -> Observed:
    """Regions whose whole, the last of five images, shows everything smaller by ``shift`` octaves."""
    log2_radius = np.repeat(np.linspace(1.6, 2.4, REGIONS), PARTS + 1)
    log2_radius[PARTS :: PARTS + 1] -= shift
    return curves(log2_radius, 0.1, 5)


@pytest.mark.parametrize("variant", list(variants(LAYERS)), ids=lambda variant: f"{variant.factor} {variant.name}")
def test_every_variant_follows_size(variant: Variant) -> None:
    fitted = fit(variant, *scenes(1), regions(1))
    found = figures_of(fitted, *scenes(2, 96), regions(1))
    assert abs(found.slope - 1) < 0.05
    assert found.deviation < 0.12
    assert found.tissue_median < 0.15
    assert found.answered > 0.7


def test_a_wrong_factor_is_an_error() -> None:
    fitted = fit(Variant("as it is", ""), *scenes(1))
    found = figures_of(fitted, *scenes(2, 96), regions(0.5))
    assert abs(found.tissue_median - 0.5) < 0.05


def test_offsets_alone_leave_the_channels_slopes() -> None:
    seen, radius = scenes(1)
    one = figures_of(fit(Variant("line", "", line="slope 1"), seen, radius), *scenes(2, 96), regions(1))
    own = figures_of(fit(Variant("line", ""), seen, radius), *scenes(2, 96), regions(1))
    assert abs(own.slope - 1) < abs(one.slope - 1)


def test_channels_that_do_not_follow_tissue_are_left_out() -> None:
    seen, radius = scenes(1)
    still = regions(0.0)  # nothing becomes smaller: no channel can follow
    with pytest.raises(UserError, match="no channel"):
        fit(Variant("channels", "", tissue=True), seen, radius, still)
    assert fit(Variant("channels", "", tissue=True), seen, radius, regions(1)).channels == len(LAYERS) * CHANNELS


def test_changes_are_paired() -> None:
    good, bad = scenes(2, 96), (curves(np.linspace(0.6, 3, 96), 0.4, 2), scenes(2, 96)[1])
    fitted = fit(Variant("as it is", ""), *scenes(1))
    first, second = figures_of(fitted, *good, regions(1)), figures_of(fitted, *bad, regions(1))
    change, low, high = second.changes_from(first)["deviation"]
    assert 0 < low < change < high
    assert first.changes_from(first)["deviation"] == (0, 0, 0)
    assert set(first.as_dict()) >= {"slope", "deviation", "channels"}
    assert "errors" not in first.as_dict()


def test_moved_octaves_count_regions_with_both_answers() -> None:
    answers = np.array([1, 1, np.nan, 3, 0.5, np.nan, np.nan, np.nan, np.nan, 2, 1, 1, 1, 1, np.nan])
    np.testing.assert_allclose(octaves_moved(answers), [0.5, np.nan, np.nan])
