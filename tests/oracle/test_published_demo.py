"""The published search against its demo, written down step by step (Penkin et al. 2022)."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsi_scale.scale.published import SIGNED_SCALES, published_sizes, search_published

GRID = [-3, -2.75, -2.5, -2.25, -2, -1.75, -1.5, -1.25, 0]
GRID += [1.25, 1.5, 1.75, 2, 2.25, 2.5, 2.75, 3, 3.25, 3.5, 3.75, 4]
LAST = len(GRID) - 1


def demo_layer(channels: list[list[float]]) -> tuple[float | None, list[float], float]:
    """Vote of one layer (None: "None"), its merged curve, and the share of channels kept."""
    kept = []
    for curve in channels:
        if np.isclose(max(curve), min(curve)):
            continue
        # index() is the first place, as argmax and argmin have it.
        highest, lowest = curve.index(max(curve)), curve.index(min(curve))
        if highest in (0, LAST) and lowest in (0, LAST):
            continue
        kept.append(curve)
    if not kept:
        return None, [math.nan] * len(GRID), 0.0
    merged = [sum(curve[rung] for curve in kept) / len(kept) for rung in range(len(GRID))]
    highest, lowest = merged.index(max(merged)), merged.index(min(merged))
    vote = None
    if highest not in (0, LAST) and lowest not in (0, LAST):
        vote = GRID[highest] if abs(max(merged)) >= abs(min(merged)) else GRID[lowest]
    elif highest not in (0, LAST):
        vote = GRID[highest]
    elif lowest not in (0, LAST):
        vote = GRID[lowest]
    return vote, merged, len(kept) / len(channels)


def demo_factor(votes: list[float | None]) -> float:
    """Mean of the votes on the signed axis, read as a factor; NaN without a vote."""
    given_votes = [vote for vote in votes if vote is not None]
    if not given_votes:
        return math.nan
    mean = sum(given_votes) / len(given_votes)
    if mean >= 1:
        return mean
    if mean <= -1:
        return 1 / abs(mean)
    return 1.0


levels = st.integers(0, 8).map(lambda level: level / 4)
free = st.lists(levels, min_size=21, max_size=21)
constant = levels.map(lambda level: [level] * 21)
rising = free.map(sorted)
falling = rising.map(lambda curve: curve[::-1])
single_peak = st.tuples(st.integers(0, 20), levels).map(
    lambda drawn: [2.0 if rung == drawn[0] else drawn[1] for rung in range(21)]
)
single_dip = st.tuples(st.integers(0, 20), levels).map(
    lambda drawn: [0.0 if rung == drawn[0] else 0.25 + drawn[1] for rung in range(21)]
)
noisy_constant = st.integers(0, 20).map(lambda place: [1 + 1e-7 * (rung == place) for rung in range(21)])
curves = st.one_of(free, constant, rising, falling, single_peak, single_dip, noisy_constant)


@st.composite
def responses(draw: st.DrawFn) -> dict[str, np.ndarray]:
    """Layer → (tile, channel, rung)."""
    tiles = draw(st.integers(1, 3))
    answers = {}
    for layer in ("C1_2", "C2_2", "C3_4")[: draw(st.integers(1, 3))]:
        channels = draw(st.integers(1, 4))
        answers[layer] = np.array([[draw(curves) for _ in range(channels)] for _ in range(tiles)])
    return answers


@given(responses())
@settings(max_examples=150, deadline=None)
def test_the_search_answers_as_the_demo(drawn: dict[str, np.ndarray]) -> None:
    answer = search_published(drawn)
    for tile in range(len(answer.scale)):
        votes = []
        for layer, values in drawn.items():
            vote, merged, kept = demo_layer(values[tile].tolist())
            votes.append(vote)
            np.testing.assert_array_equal(answer.votes[layer][tile], np.nan if vote is None else vote)
            np.testing.assert_allclose(answer.curves[layer][tile], merged, rtol=1e-12)
            assert answer.kept[layer][tile] == pytest.approx(kept)
        np.testing.assert_allclose(answer.scale[tile], demo_factor(votes), rtol=1e-12)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_smooth_noisy_curves_are_answered_as_by_the_demo(seed: int) -> None:
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, 0.1, (2, 3, 4, 21)) + rng.normal(0, 0.1, (2, 3, 4, 1))
    walks = np.maximum(np.cumsum(steps, axis=-1) + 0.5, 0)
    answer = search_published({"C1_2": walks[0], "C2_2": walks[1]})
    expected = [demo_factor([demo_layer(layer[tile].tolist())[0] for layer in walks]) for tile in range(3)]
    np.testing.assert_allclose(answer.scale, expected, rtol=1e-12)


def test_the_grid_and_its_sizes_are_the_demos() -> None:
    assert list(SIGNED_SCALES) == GRID
    sizes = [74, 81, 89, 99, 112, 128, 149, 179, 224, 280, 336, 392, 448, 504, 560, 616, 672, 728, 784, 840, 896]
    assert list(published_sizes(224)) == sizes


@given(st.integers(64, 2048))
@settings(deadline=None)
def test_a_size_is_the_tile_times_the_factor_truncated(tile_px: int) -> None:
    for signed, size in zip(GRID, published_sizes(tile_px), strict=True):
        factor = 1 if signed == 0 else signed if signed > 0 else 1 / -signed
        # One part in 10^9 keeps 1/3 of 66 from falling below 22.
        assert size == math.floor(tile_px * factor * (1 + 1e-9))
