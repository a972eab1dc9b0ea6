"""µm per pixel, magnification, pixels and octaves."""

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wsi_scale
from wsi_scale.units import (
    PLAUSIBLE_MPP,
    POWER_TOLERANCE,
    agrees_with_power,
    is_default_resolution,
    is_plausible_mpp,
    micrometres_per_unit,
    mpp_from_power,
    octaves,
    pixels,
)

positive = st.floats(1e-3, 1e4)


@pytest.mark.parametrize(("power", "mpp"), [(1.25, 8.0), (5, 2.0), (10, 1.0), (20, 0.5), (40, 0.25), (63, 10 / 63)])
def test_an_objective_power_has_its_nominal_mpp(power: float, mpp: float) -> None:
    assert mpp_from_power(power) == pytest.approx(mpp)


@pytest.mark.parametrize("mpp", [0.05, 0.25, 1.0, 8.09, 50.0])
def test_what_a_scanner_can_have_is_plausible(mpp: float) -> None:
    assert is_plausible_mpp(mpp)


@pytest.mark.parametrize("mpp", [0.0, -0.25, 0.0499, 50.1, 264.0, 352.0, 896.0, 1000.0, math.nan, math.inf, -math.inf])
def test_what_converters_leave_is_not(mpp: float) -> None:
    assert not is_plausible_mpp(mpp)


@pytest.mark.parametrize(
    "per_cm",
    [
        *(1, 10, 100, 28.35, 28.346457, 28, 37.8, 37.795, 38, 39.37, 59.055, 59.06, 59, 70.87, 118.11, 118, 236.22),
        *(236, 472.44),
    ],
)
def test_what_programs_write_that_know_no_resolution_is_known(per_cm: float) -> None:
    assert is_default_resolution(1e4 / per_cm)


@pytest.mark.parametrize("dpi", [72, 96, 150, 200, 300, 600, 1200])
@pytest.mark.parametrize("off", [1, 1 + 1e-6, 1 - 1e-6])
def test_so_is_what_screens_and_printers_have_up_to_rounding(dpi: float, off: float) -> None:
    assert is_default_resolution(25_400 / dpi * off)
    assert not is_default_resolution(25_400 / dpi * (1 + (off - 1) * 1e3 + 2e-3))


@pytest.mark.parametrize(
    "mpp", [896.0, 42.3, 50, 20, 10.0, 8.09, 1.0, 0.5, 0.25, 25_400 / 2400, 0.0, -1.0, math.nan, math.inf]
)
def test_what_could_be_a_scan_is_no_default(mpp: float) -> None:
    assert not is_default_resolution(mpp)


@given(positive)
@settings(deadline=None)
def test_plausible_is_a_range(mpp: float) -> None:
    assert is_plausible_mpp(mpp) == (PLAUSIBLE_MPP[0] <= mpp <= PLAUSIBLE_MPP[1])


@given(st.floats(1, 100), st.floats(-3, 3))
@settings(deadline=None)
def test_an_mpp_agrees_with_a_power_up_to_a_factor_either_way(power: float, off: float) -> None:
    mpp = mpp_from_power(power) * 2**off
    if abs(abs(off) - math.log2(POWER_TOLERANCE)) > 1e-9:
        assert agrees_with_power(mpp, power) == (abs(off) < math.log2(POWER_TOLERANCE))


@given(positive, positive, positive)
@settings(deadline=None)
def test_octaves_add_up_and_turn_round(a: float, b: float, c: float) -> None:
    assert octaves(a, b) + octaves(b, c) == pytest.approx(octaves(a, c), abs=1e-9)
    assert octaves(a, b) == pytest.approx(-octaves(b, a), abs=1e-9)
    assert octaves(2 * a, a) == pytest.approx(1)


@given(positive, positive)
@settings(deadline=None)
def test_pixels_times_their_size_are_the_length(length_um: float, mpp: float) -> None:
    assert pixels(length_um, mpp) * mpp == pytest.approx(length_um)


@pytest.mark.parametrize(
    ("unit", "um"),
    [("µm", 1), ("um", 1), ("μm", 1), (" UM ", 1), ("Micrometer", 1), ("nm", 1e-3), ("mm", 1e3), ("cm", 1e4),
     ("m", 1e6), ("inch", 25_400), ("in", 25_400), ("pt", 25_400 / 72), ("Å", 1e-4)],
)  # fmt: skip
def test_a_unit_of_length_is_known_by_its_names(unit: str, um: float) -> None:
    assert micrometres_per_unit(unit) == pytest.approx(um)


@pytest.mark.parametrize("unit", ["", "pixel", "reference frame", "°C", "furlong"])
def test_anything_else_is_no_unit(unit: str) -> None:
    assert micrometres_per_unit(unit) is None


def test_nobody_else_converts_magnification_to_mpp() -> None:
    package = Path(wsi_scale.__file__).parent
    conversion = ("10 / power", "10.0 / power", "10 / mag", "10 / objective", "POWER_TIMES_MPP /")
    guilty = [
        path.name
        for path in package.rglob("*.py")
        if path.name != "units.py" and any(text in path.read_text(encoding="utf-8") for text in conversion)
    ]
    assert guilty == []
