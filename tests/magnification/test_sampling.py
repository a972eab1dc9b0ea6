"""Training tiles drawn from fields."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsi_scale.magnification.augment import Augmentation
from wsi_scale.magnification.sampling import FINER_OCTAVES, SourceField, Span, draw_batch, draw_field

Grating = Callable[..., np.ndarray]


def span(low: float, high: float) -> Span:
    """One range, and nothing beyond it."""
    return Span((low, high), (low, high), 0.0)


def field(side_px: int, mpp: float, group: str) -> SourceField:
    return SourceField(np.full((side_px, side_px, 3), 128, np.uint8), mpp, group)


@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_a_share_of_draws_comes_from_the_wider_range_and_the_rest_from_the_narrow_one(share: float) -> None:
    rng = np.random.default_rng(0)
    both = Span((0.25, 1.0), (0.125, 8.0), share)
    octaves = np.log2([both.draw(rng) for _ in range(4000)])
    assert octaves.min() >= (-3 if share else -2)
    assert octaves.max() <= (3 if share else 0)
    # The wider range is 6 octaves, of which 2 are the narrow one.
    beyond = (octaves < -2) | (octaves > 0)
    assert beyond.mean() == pytest.approx(share * 4 / 6, abs=0.03)
    assert (octaves < -2).mean() == pytest.approx(share / 6, abs=0.02)


@given(st.integers(0, 2**32 - 1), st.floats(0.05, 1), st.floats(1.01, 8), st.floats(1, 4), st.floats(0, 1))
@settings(deadline=None)
def test_no_draw_leaves_both_ranges(seed: int, low: float, factor: float, wider: float, share: float) -> None:
    both = Span((low, low * factor), (low / wider, low * factor * wider), share)
    drawn = both.draw(np.random.default_rng(seed))
    assert low / wider * (1 - 1e-9) <= drawn <= low * factor * wider * (1 + 1e-9)


def test_a_tile_may_be_an_octave_finer_than_its_source_and_not_much_more() -> None:
    source = field(512, 0.5, "a")
    assert source.allows(0.25, 96)
    assert not source.allows(0.5 * 2**-1.2, 96)


@given(st.integers(64, 2000), st.floats(0.1, 3), st.floats(0.1, 8), st.integers(32, 224))
@settings(deadline=None)
def test_a_field_allows_what_fits_and_is_not_much_finer_than_itself(
    side_px: int, mpp: float, target: float, tile_px: int
) -> None:
    allowed = SourceField(np.empty((side_px, 2 * side_px, 3), np.uint8), mpp, "a").allows(target, tile_px)
    room = np.log2(side_px * mpp / (tile_px * target))
    coarseness = np.log2(target / mpp) + FINER_OCTAVES
    if abs(room) > 1e-9 and abs(coarseness) > 1e-9:
        assert allowed == (room > 0 and coarseness > 0)


@given(st.integers(0, 2**32 - 1), st.floats(0.2, 1), st.floats(1.1, 8))
@settings(deadline=None)
def test_draws_stay_within_the_range_and_with_fields_that_allow_them(seed: int, low: float, factor: float) -> None:
    fields = [field(1024, 0.25, "a"), field(512, 0.5, "b"), field(1024, 1.0, "c")]
    rng = np.random.default_rng(seed)
    drawn, target = draw_field(fields, span(low, low * factor), 96, rng)
    assert low * (1 - 1e-9) <= target <= low * factor * (1 + 1e-9)
    assert drawn.allows(target, 96)


def test_targets_are_log_uniform_where_every_field_allows_them() -> None:
    fields = [field(1024, 0.25, "a")]
    rng = np.random.default_rng(0)
    octaves = np.log2([draw_field(fields, span(0.25, 2.0), 96, rng)[1] for _ in range(3000)])
    counts, _ = np.histogram(octaves, bins=6, range=(-2, 1))
    np.testing.assert_allclose(counts, 500, atol=90)


def test_groups_are_drawn_evenly_however_many_fields_they_have() -> None:
    fields = [field(256, 0.5, "many") for _ in range(9)] + [field(256, 0.5, "one"), field(256, 0.5, "other")]
    rng = np.random.default_rng(0)
    groups = [draw_field(fields, span(0.5, 1.0), 96, rng)[0].group for _ in range(3000)]
    counts = [groups.count(group) for group in ("many", "one", "other")]
    np.testing.assert_allclose(counts, 1000, atol=120)


def test_every_field_of_a_group_has_its_turn() -> None:
    fields = [field(256, 0.5, "many") for _ in range(5)]
    rng = np.random.default_rng(0)
    drawn = {id(draw_field(fields, span(0.5, 1.0), 96, rng)[0]) for _ in range(200)}
    assert drawn == {id(each) for each in fields}


def test_a_group_that_cannot_serve_a_target_is_not_drawn_for_it() -> None:
    fields = [field(256, 0.25, "fine"), field(1024, 1.0, "coarse")]
    rng = np.random.default_rng(0)
    for _ in range(300):
        drawn, target = draw_field(fields, span(0.2, 4.0), 96, rng)
        assert drawn.group == ("fine" if target < 1.0 * 2**-FINER_OCTAVES else "coarse") or target <= 256 * 0.25 / 96


def test_a_range_that_no_field_allows_is_said() -> None:
    with pytest.raises(ValueError, match="no field allows tiles of 96 px"):
        draw_field([field(64, 0.25, "a")], span(0.25, 1.0), 96, np.random.default_rng(0))


def test_a_batch_carries_the_truth_of_each_tile(grating: Grating, wavelength_px: Callable[[np.ndarray], float]) -> None:
    wavelength_um = {"a": 4.0, "b": 9.0}
    fields = [SourceField(grating(500, 0.25, um), 0.25, group) for group, um in wavelength_um.items()]
    tiles, log2_mpp, groups = draw_batch(fields, span(0.3, 0.6), 96, 24, np.random.default_rng(0), Augmentation())
    assert tiles.shape == (24, 96, 96, 3)
    assert log2_mpp.dtype == np.float32
    assert set(groups) == {"a", "b"}
    for tile, octaves, group in zip(tiles, log2_mpp, groups, strict=True):
        assert wavelength_px(tile) * 2.0**octaves == pytest.approx(wavelength_um[group], rel=0.03)


def test_the_same_seed_gives_the_same_batch(grating: Grating) -> None:
    fields = [SourceField(grating(300, 0.25, 4.0), 0.25, group) for group in "abc"]
    once, twice, other = (
        draw_batch(fields, span(0.3, 0.6), 64, 4, np.random.default_rng(seed), Augmentation()) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(once[0], twice[0])
    np.testing.assert_array_equal(once[1], twice[1])
    assert once[2] == twice[2]
    assert not np.array_equal(once[1], other[1])
