"""The one place that converts between µm per pixel, magnification, pixels and octaves."""

import math

#: Objective power × mpp of the nominal convention 10x = 1 µm/px. Scanners differ by up to a factor of 2.2.
POWER_TIMES_MPP = 10.0

#: An mpp outside this range (µm/px) is shown, warned about and never used.
PLAUSIBLE_MPP = (0.05, 50.0)

#: An mpp further than this factor from what the objective power suggests is not trusted.
POWER_TOLERANCE = 2.2

#: How much finer than level 0 a requested mpp may be (interpolation) before it is refused.
MAX_UPSAMPLING = 1.25

MICROMETRES_PER_UNIT = {
    "nm": 1e-3, "µm": 1.0, "um": 1.0, "μm": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0,
    "micrometre": 1.0, "mm": 1e3, "cm": 1e4, "dm": 1e5, "m": 1e6, "inch": 25_400.0, "in": 25_400.0,
    "å": 1e-4, "pm": 1e-6, "km": 1e9, "mil": 25.4, "thou": 25.4, "ft": 304_800.0, "pt": 25_400.0 / 72,
}  # fmt: skip


def mpp_from_power(power: float) -> float:
    """Nominal µm per pixel of an objective power (10x = 1 µm/px).

    >>> mpp_from_power(40)
    0.25
    """
    return POWER_TIMES_MPP / power


def is_plausible_mpp(mpp: float) -> bool:
    """Whether a value can be a slide's µm per pixel at all (finite, 0.05–50).

    >>> is_plausible_mpp(0.25), is_plausible_mpp(1000.0), is_plausible_mpp(float("nan"))
    (True, False, False)
    """
    return math.isfinite(mpp) and PLAUSIBLE_MPP[0] <= mpp <= PLAUSIBLE_MPP[1]


def agrees_with_power(mpp: float, power: float) -> bool:
    """Whether an mpp lies within a factor of 2.2 of what the objective power suggests."""
    return abs(octaves(mpp, mpp_from_power(power))) <= math.log2(POWER_TOLERANCE)


def octaves(value: float, reference: float) -> float:
    """How many doublings lead from ``reference`` to ``value``.

    >>> octaves(0.5, 0.25)
    1.0
    """
    return math.log2(value / reference)


def micrometres_per_unit(unit: str) -> float | None:
    """µm in one ``unit`` of length (None for an unknown unit)."""
    return MICROMETRES_PER_UNIT.get(unit.strip().lower())


def pixels(length_um: float, mpp: float) -> float:
    """Length in pixels of ``length_um`` at ``mpp`` µm per pixel."""
    return length_um / mpp
