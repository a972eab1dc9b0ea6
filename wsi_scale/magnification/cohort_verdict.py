"""The verdicts of an audit once more, with what the slides of one scanner have in common."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wsi_scale.magnification.cohort_claims import CohortClaims, judge_claims
from wsi_scale.magnification.verdict import OFF_OCTAVES, Claim, off_flag, quoted_estimate
from wsi_scale.results.audit import AuditRow, CohortFinding, Flag

#: Verdicts on a slide by itself that its claim is off, and all that compare a claim with an estimate.
_OFF: tuple[Flag, ...] = ("off_2x", "off_10x")
_COMPARED: tuple[Flag, ...] = ("agrees", "off_together", *_OFF)


@dataclass(frozen=True)
class _Cohort:
    """Slides of one scanner: their places among all rows, log2 of estimate over claim, and what they say together."""

    scanner: str
    places: tuple[int, ...]
    errors: NDArray[np.float64]
    claims: CohortClaims


def judge_together(rows: Sequence[AuditRow]) -> list[AuditRow]:
    """Judge each slide relative to the others of its scanner; a row whose flag does not change stays as it is.

    A slide that lies as far off as its whole cohort agrees; claims that are wrong alike are flagged although each
    alone lies within its interval. Of fewer slides than five of a scanner, nothing changes.
    """
    judged = list(rows)
    for cohort in _cohorts(rows):
        for number, place in enumerate(cohort.places):
            judged[place] = _judged(rows[place], cohort, number)
    return judged


def cohort_findings(rows: Sequence[AuditRow]) -> list[CohortFinding]:
    """Say what the slides of each scanner have in common; nothing of fewer than five."""
    return [
        CohortFinding(
            cohort.scanner,
            len(cohort.places),
            cohort.claims.shift_octaves,
            cohort.claims.spread_octaves,
            len(cohort.places) if cohort.claims.all_off else int(cohort.claims.subgroup.sum()),
            _off_octaves(cohort.claims),
        )
        for cohort in _cohorts(rows)
    ]


def _cohorts(rows: Sequence[AuditRow]) -> Iterator[_Cohort]:
    places: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        if row.flag in _COMPARED:
            places[row.scanner].append(place)
    for scanner, members in sorted(places.items()):
        errors = np.array([_octaves(rows[place].mpp, rows[place].claimed_mpp) for place in members])
        widths = np.array([_octaves(rows[place].mpp_high, rows[place].mpp_low) for place in members])
        claims = judge_claims(errors, widths / 2)
        if claims is not None:
            yield _Cohort(scanner, tuple(members), errors, claims)


def _judged(row: AuditRow, cohort: _Cohort, number: int) -> AuditRow:
    flag, because = _verdict(row, cohort, number)
    if flag == row.flag or row.estimate is None or row.claimed_mpp is None:
        return row
    given = row.mpp_source == "override"
    claim = Claim(row.claimed_mpp, True, given, row.header_mpp if given else None)
    joint = "; " if flag == "agrees" else ", but "
    return replace(row, flag=flag, reason=f"{claim}{joint}{quoted_estimate(*row.estimate)}, {because}")


def _verdict(row: AuditRow, cohort: _Cohort, number: int) -> tuple[Flag, str]:
    """Return a slide's flag as one of its cohort, and why it is that one."""
    claims, of = cohort.claims, f"of {cohort.scanner or 'this cohort'}"
    away = float(cohort.errors[number]) - claims.shift_octaves
    # What is off by itself stays so unless the others are off alike.
    if claims.apart[number] or (row.flag in _OFF and abs(away) >= OFF_OCTAVES):
        return off_flag(away), f"{2**away:.2g} times what the other slides {of} let expect"
    if claims.doubtful[number]:
        alike = "all slides" if claims.all_off else f"{int(claims.subgroup.sum())} slides"
        off = f"{alike} {of} are estimated at about {2 ** _off_octaves(claims):.2g} times their claims"
        return (row.flag if row.flag in _OFF else "off_together"), off
    return "agrees", f"as far off as the other slides {of}"


def _off_octaves(claims: CohortClaims) -> float:
    """Octaves by which the claims that are wrong alike are probably too small; 0 if there are none."""
    if claims.all_off:
        return claims.shift_octaves
    return claims.subgroup_octaves if claims.subgroup.any() else 0.0


def _octaves(above: float | None, below: float | None) -> float:
    return float(np.log2(above / below)) if above and below else float("nan")
