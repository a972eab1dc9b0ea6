"""Ladders: one field of view, falling numbers of pixels."""

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from wsi_scale.config.models import SearchConfig, TilingConfig
from wsi_scale.errors import ConfigError
from wsi_scale.networks.architectures import ARCHITECTURES
from wsi_scale.scale.ladder import Ladder, geometric_ladder

#: The strides and smallest sides of networks.
shapes = st.sampled_from([(4, 16), (8, 24), (16, 16), (32, 32), (32, 96)])


@st.composite
def wishes(draw: st.DrawFn) -> dict[str, Any]:
    """A field of view and the ladder that is wished for."""
    multiple_px, min_px = draw(shapes)
    finest = draw(st.floats(0.1, 1.0))
    return {
        "field_um": finest * draw(st.floats(100, 3000)),
        "finest_mpp": finest,
        "coarsest_mpp": finest * draw(st.floats(2, 64)),
        "rungs_per_octave": draw(st.integers(1, 8)),
        "multiple_px": multiple_px,
        "min_px": min_px,
    }


def laid(wish: dict[str, Any]) -> Ladder:
    try:
        return geometric_ladder(wish.pop("field_um"), **wish)
    except ConfigError:
        assume(False)
        raise


@given(wishes())
@settings(deadline=None)
def test_every_rung_shows_the_same_field(wish: dict[str, Any]) -> None:
    field_um = wish["field_um"]
    ladder = laid(wish)
    assert ladder.field_um == field_um
    for rung in ladder.rungs:
        assert rung.mpp * rung.size_px == pytest.approx(field_um, rel=1e-12)
    assert ladder.mpps == tuple(rung.mpp for rung in ladder.rungs)


@given(wishes())
@settings(deadline=None)
def test_sizes_are_multiples_that_fall_and_stay_large_enough(wish: dict[str, Any]) -> None:
    multiple_px, min_px = wish["multiple_px"], wish["min_px"]
    sizes = laid(wish).sizes_px
    assert all(size % multiple_px == 0 for size in sizes)
    assert min(sizes) >= min_px
    assert list(sizes) == sorted(set(sizes), reverse=True)
    assert len(sizes) >= 5


@given(wishes())
@settings(deadline=None)
def test_no_rung_is_further_from_its_place_than_half_a_multiple(wish: dict[str, Any]) -> None:
    field_um, finest, per_octave = wish["field_um"], wish["finest_mpp"], wish["rungs_per_octave"]
    half = wish["multiple_px"] / 2
    ladder = laid(wish)
    wished_px = field_um / (finest * 2 ** (np.arange(100 * per_octave) / per_octave))
    for size in ladder.sizes_px:
        assert np.abs(wished_px - size).min() <= half * (1 + 1e-9)
    # The finest rung is the finest that was wished for, after rounding.
    assert abs(ladder.sizes_px[0] - wished_px[0]) <= half * (1 + 1e-9)


@given(wishes())
@settings(deadline=None)
def test_cost_is_all_pixels_over_those_of_the_finest_rung(wish: dict[str, Any]) -> None:
    ladder = laid(wish)
    assert ladder.cost == pytest.approx(sum((s / ladder.sizes_px[0]) ** 2 for s in ladder.sizes_px))


@given(st.integers(128, 2048), st.floats(0.25, 2), st.sampled_from([4, 8, 16, 32]))
@settings(deadline=None)
def test_a_default_ladder_costs_at_most_three_times_its_finest_rung(tile_px: int, mpp: float, multiple_px: int) -> None:
    search = SearchConfig()
    wish = {"field_um": tile_px * mpp, "multiple_px": multiple_px, "min_px": multiple_px}
    wish |= {key: getattr(search, key) for key in ("finest_mpp", "coarsest_mpp", "rungs_per_octave")}
    assert laid(wish).cost <= 3.2


@pytest.mark.parametrize("network", ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_the_default_tile_gives_every_network_a_ladder(network: Any) -> None:
    search, tiling = SearchConfig(), TilingConfig()
    ladder = geometric_ladder(
        tiling.field_um, finest_mpp=search.finest_mpp, coarsest_mpp=search.coarsest_mpp,
        rungs_per_octave=search.rungs_per_octave, multiple_px=16, min_px=network.min_px,
    )  # fmt: skip
    assert ladder.mpps[0] == pytest.approx(0.25)
    assert ladder.cost <= 3.2


def test_the_first_try_of_the_paper_trail_costs_two_at_two_rungs_an_octave() -> None:
    ladder = geometric_ladder(1120, finest_mpp=0.25, coarsest_mpp=4, rungs_per_octave=2, multiple_px=4, min_px=16)
    assert len(ladder.rungs) == 9
    assert ladder.cost == pytest.approx(2.0, abs=0.01)


def test_too_few_rungs_are_said_in_one_line() -> None:
    with pytest.raises(ConfigError, match="a field of 16 µm gives") as error:
        geometric_ladder(16, finest_mpp=0.25, coarsest_mpp=4, rungs_per_octave=3, multiple_px=16, min_px=16)
    assert "\n" not in str(error.value)
