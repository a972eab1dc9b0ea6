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

#: Resolutions (dots per inch) that programs write where they know none: screens, printers, cameras, scanners of
#: paper; 2.54, 25.4 and 254 are 1, 10 and 100 per centimetre. Finer ones, from 2400 on, can be true scans.
DEFAULT_DPI = (
    1, 2.54, 25.4, 72, 75, 90, 96, 100, 120, 144, 150, 180, 192, 200, 220, 240, 250, 254, 300, 350, 360, 400, 600, 720,
    1200,
)  # fmt: skip

#: Such a value is written with four digits or more.
_FOUR_DIGITS = 5e-4

MICROMETRES_PER_UNIT = {
    "nm": 1e-3, "µm": 1.0, "um": 1.0, "μm": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0,
    "micrometre": 1.0, "mm": 1e3, "cm": 1e4, "dm": 1e5, "m": 1e6, "inch": 25_400.0, "in": 25_400.0,
    "nanometer": 1e-3, "millimeter": 1e3, "centimeter": 1e4, "meter": 1e6, "angstrom": 1e-4,
    "å": 1e-4, "pm": 1e-6, "km": 1e9, "mil": 25.4, "thou": 25.4, "ft": 304_800.0, "pt": 25_400.0 / 72,
}  # fmt: skip


def as_duration(seconds: float) -> str:
    """Write a duration in the two units that matter.

    >>> as_duration(0.234), as_duration(42.4), as_duration(90), as_duration(3000), as_duration(86400 * 1.5)
    ('0.2 s', '42 s', '1 min 30 s', '50 min', '1 d 12 h')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min {rest:02} s" if rest and minutes < 10 else f"{minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if days else f"{hours} h {minutes} min"


def mpp_from_power(power: float) -> float:
    """Nominal µm per pixel of an objective power (10x = 1 µm/px).

    >>> mpp_from_power(40)
    0.25
    """
    return POWER_TIMES_MPP / power


def nominal_power(mpp: float) -> float:
    """Nominal objective power of a µm per pixel (10x = 1 µm/px): whole from 4x on, as programs expect it.

    >>> nominal_power(0.2525), nominal_power(0.5), nominal_power(4.0)
    (40, 20, 2.5)
    """
    power = POWER_TIMES_MPP / mpp
    return round(power) if power >= 4 else round(power, 2)


def is_plausible_mpp(mpp: float) -> bool:
    """Whether a value is plausible as a slide's µm per pixel (finite, 0.05–50).

    >>> is_plausible_mpp(0.25), is_plausible_mpp(1000.0), is_plausible_mpp(float("nan"))
    (True, False, False)
    """
    return math.isfinite(mpp) and PLAUSIBLE_MPP[0] <= mpp <= PLAUSIBLE_MPP[1]


def is_default_resolution(mpp: float) -> bool:
    """Whether a pixel size is a default that programs write when they know none (72 dpi, 10 px/cm, …).

    >>> is_default_resolution(25_400 / 72), is_default_resolution(1000.0), is_default_resolution(896.0)
    (True, True, False)
    """
    if not (math.isfinite(mpp) and mpp > 0):
        return False
    per_inch, per_cm = MICROMETRES_PER_UNIT["inch"] / mpp, MICROMETRES_PER_UNIT["cm"] / mpp
    return any(
        # Per centimetre some write whole numbers only: 28 for 72 dpi.
        math.isclose(per_inch, dpi, rel_tol=_FOUR_DIGITS) or math.isclose(per_cm, round(dpi / 2.54), rel_tol=1e-6)
        for dpi in DEFAULT_DPI
    )


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
