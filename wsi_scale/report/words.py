"""Texts of the reports."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wsi_scale.results.audit import FLAGS, NOT_FLAGGED, AuditRow, CohortFinding, Flag, count_flags
from wsi_scale.results.prediction import Prediction
from wsi_scale.results.regions import RegionSummary
from wsi_scale.results.scale_map import Reason
from wsi_scale.results.summary import quartiles
from wsi_scale.slides.mpp_claim import SOURCE_NAMES
from wsi_scale.units import is_plausible_mpp

Tone = Literal["good", "doubt", "bad", "neutral"]

#: An audit's flag → its colour and what it is called.
VERDICTS: Mapping[Flag, tuple[Tone, str]] = {
    "off_10x": ("bad", "off by about 10"),
    "off_2x": ("bad", "off by about 2"),
    "off_together": ("doubt", "off together"),
    "mixed": ("bad", "mixed"),
    "implausible": ("bad", "implausible"),
    "missing": ("doubt", "missing"),
    "unreadable": ("bad", "unreadable"),
    "no_estimate": ("neutral", "no estimate"),
    "agrees": ("good", "agrees"),
}
#: A status → its colour.
STATUS_TONES: Mapping[str, Tone] = {"ok": "good", "empty": "neutral", "failed": "bad"}
_STATUS_ORDER = ("failed", "empty", "ok")
#: Why a place has no optimal mpp, in words.
REASON_WORDS: Mapping[Reason, str] = {
    Reason.GLASS: "too little tissue for a tile",
    Reason.UNREADABLE: "the slide cannot be decoded there",
    Reason.NO_OPTIMUM: "too few channels prefer a scale",
    Reason.BEYOND_LADDER: "the structures are larger or smaller than the ladder covers",
    Reason.NOT_SEARCHED: "left out on purpose",
}


def mpp_text(mpp: float | None) -> str:
    """Write µm per pixel with three digits, or a dash.

    Examples
    --------
    >>> mpp_text(0.25032), mpp_text(None)
    ('0.25', '–')
    """
    return "–" if mpp is None else f"{mpp:.3g}" if mpp < 1000 else f"{mpp:.0f}"


def quartiles_words(values: NDArray[np.floating], unit: str) -> str:
    """Sum up finite values in words.

    Examples
    --------
    >>> quartiles_words(np.array([1.0, 2.0, 3.0]), "µm")
    'median 2 µm, middle half between 1.5 and 2.5 µm'
    """
    found = quartiles(values)
    return (
        f"median {mpp_text(found.median)} {unit}, middle half between "
        f"{mpp_text(found.low)} and {mpp_text(found.high)} {unit}"
    )


def unanswered_words(counts: Mapping[Reason, int]) -> str:
    """Say how many places have no optimal mpp, and why; "" if there are none.

    Examples
    --------
    >>> unanswered_words({Reason.NO_OPTIMUM: 4})
    'Without an optimal mpp: 4 no_optimum (too few channels prefer a scale).'
    """
    listed = ", ".join(f"{count} {reason.label} ({REASON_WORDS[reason]})" for reason, count in counts.items())
    return f"Without an optimal mpp: {listed}." if listed else ""


def region_words(found: RegionSummary) -> str:
    """Say what the tiles of a region tell.

    Examples
    --------
    >>> region_words(RegionSummary("core A", "Tumor", 4, 3, quartiles(np.array([0.5, 1.0, 1.5]))))
    'Tumor; 4 tiles, 3 with an optimal mpp, median 1 µm/px'
    """
    label = f"{found.label}; " if found.label else ""
    said = f"{label}{count_text(found.tiles, 'tile')}, {found.answered} with an optimal mpp"
    return f"{said}, median {mpp_text(found.optimal_mpp.median)} µm/px" if found.optimal_mpp else said


def interval_text(low: float | None, high: float | None) -> str:
    """Write an interval, or nothing where there is none."""
    return "" if low is None or high is None else f"{mpp_text(low)}–{mpp_text(high)}"


def slide_facts(info: Mapping[str, object]) -> list[tuple[str, str]]:
    """(name, value) of a slide's metadata; nothing for a slide that cannot be read."""
    if info.get("status") != "ok":
        return []
    facts = [("Size", _size(info)), ("Vendor", str(info.get("vendor") or "unknown"))]
    power = info.get("objective_power")
    if isinstance(power, int | float):
        facts.append(("Objective", f"{power:g}×"))
    facts.append(("Pixel", _pixel(info)))
    return facts


def _size(info: Mapping[str, object]) -> str:
    width, height = info.get("width"), info.get("height")
    if not (isinstance(width, int) and isinstance(height, int)):
        return "unknown"
    size = f"{width:,} × {height:,} px".replace(",", "\u202f")
    mpp_x, mpp_y = info.get("mpp_x"), info.get("mpp_y")
    if not (isinstance(mpp_x, float) and isinstance(mpp_y, float)):
        return size
    if not (is_plausible_mpp(mpp_x) and is_plausible_mpp(mpp_y)):
        return size
    return f"{size} ({width * mpp_x / 1e3:.3g} × {height * mpp_y / 1e3:.3g} mm)"


def _pixel(info: Mapping[str, object]) -> str:
    mpp = info.get("mpp")
    if not isinstance(mpp, int | float):
        return "µm per pixel unknown"
    source, header = str(info.get("mpp_source")), info.get("header_mpp")
    said = SOURCE_NAMES.get(source, "source unknown")
    if source in ("override", "estimated"):
        said += f"; the header says {header:.4g}" if isinstance(header, int | float) else "; the header says nothing"
    unused = "" if is_plausible_mpp(float(mpp)) else ", not used"
    return f"{mpp:.4g} µm/px ({said}{unused})"


def prediction_words(prediction: Prediction) -> str:
    """Say what is estimated from a slide's pixels, or why nothing is."""
    if prediction.estimate is None:
        return f"The pixels alone give no estimate: {prediction.reason}."
    mpp, low, high = prediction.estimate
    return (
        f"Estimated from the pixels alone: {mpp_text(mpp)} µm/px at level 0 ({interval_text(low, high)}), "
        f"from {prediction.views} views."
    )


def no_brightfield_words(prediction: Prediction) -> str:
    """Say why the analysis does not apply to a slide that is not brightfield tissue; "" for any other."""
    if prediction.is_brightfield:
        return ""
    why = prediction.reason.removesuffix(": no brightfield tissue")
    return (
        f"{why[0].upper()}{why[1:]}. Network, calibration and regressor are made for "
        "stained tissue in transmitted light; their values are not valid here."
    )


def by_downsample(prediction: Prediction) -> list[tuple[str, str]]:
    """(downsample, estimate for level 0) in order of downsample."""
    ordered = sorted(prediction.by_downsample.items(), key=lambda item: float(item[0]))
    return [(f"{float(name):g}", mpp_text(mpp)) for name, mpp in ordered]


def verdict_words(row: AuditRow) -> tuple[Tone, str]:
    """Colour and name of a verdict."""
    return VERDICTS[row.flag]


def claim_words(row: AuditRow) -> str:
    """Name the source of a claim and, if a user gave it, what the header says."""
    if row.claimed_mpp is None:
        return ""
    said = SOURCE_NAMES.get(row.mpp_source, "source unknown")
    if row.mpp_source != "override":
        return said
    return f"{said}; the header says {'nothing' if row.header_mpp is None else mpp_text(row.header_mpp)}"


def audit_counts(rows: Sequence[AuditRow]) -> list[tuple[Tone, str, int]]:
    """(colour, name, number of slides) of each verdict that occurs; the numbers add up to all slides."""
    return [(*VERDICTS[flag], count) for flag, count in count_flags(rows).items()]


def audit_text(rows: Sequence[AuditRow]) -> str:
    """Sum up an audit in a line: which slides to check, and what became of the others.

    Examples
    --------
    >>> rows = [AuditRow("a", "a", None, "missing", None, "missing", None, None, None, flag, "")
    ...         for flag in ("missing", "missing", "unreadable", "no_estimate", "agrees")]
    >>> audit_text(rows)
    '2 of 5 slides flagged (2 missing), 1 unreadable, 1 without an estimate, 1 agrees'
    """
    counts = count_flags(rows)
    kinds = ", ".join(f"{count} {flag}" for flag, count in counts.items() if flag not in NOT_FLAGGED)
    flagged = sum(row.flagged for row in rows)
    others = {
        "unreadable": "{} unreadable",
        "no_estimate": "{} without an estimate",
        "agrees": "{} agrees" if counts.get("agrees") == 1 else "{} agree",
    }
    said = [words.format(counts[flag]) for flag, words in others.items() if flag in counts]
    return ", ".join([f"{flagged} of {count_text(len(rows), 'slide')} flagged{f' ({kinds})' if kinds else ''}", *said])


def finding_text(found: CohortFinding) -> str:
    """Say in a line what the slides of a scanner have in common.

    Examples
    --------
    >>> finding_text(CohortFinding("aperio SS1302", 12, -0.15, 0.2, 0, 0.0))
    'aperio SS1302: the estimates of 12 slides are 0.9 times their claims in common, give or take 15 % a slide'
    """
    named = f"{found.scanner or 'unknown scanner'}: the estimates of {count_text(found.slides, 'slide')}"
    vary = f"give or take {100 * (2**found.spread_octaves - 1):.0f} % a slide"
    said = f"{named} are {2**found.shift_octaves:.2g} times their claims in common, {vary}"
    if not found.off_together:
        return said
    whose = "all claims" if found.off_together == found.slides else f"{found.off_together} claims"
    return f"{said}; {whose} may be wrong alike, their pixels {2**found.off_octaves:.2g} times as large"


def flagged_first(rows: Sequence[AuditRow]) -> list[AuditRow]:
    """Order an audit's rows, the most urgent first."""
    return sorted(rows, key=lambda row: FLAGS.index(row.flag))


def _rank(order: Sequence[str], name: str) -> int:
    return order.index(name) if name in order else 0


def failed_first(statuses: Sequence[str]) -> list[int]:
    """Positions of statuses, the failed ones first."""
    return sorted(range(len(statuses)), key=lambda position: _rank(_STATUS_ORDER, statuses[position]))


def count_text(number: int, one: str, many: str | None = None) -> str:
    """Write a number with its noun.

    Examples
    --------
    >>> count_text(1, "slide"), count_text(3, "slide"), count_text(2, "is", "are")
    ('1 slide', '3 slides', '2 are')
    """
    return f"{number} {one if number == 1 else many or one + 's'}"
