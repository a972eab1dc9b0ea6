"""``slides.tsv``: the results of every slide of a cohort in a few numbers."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from wsi_scale.artifacts import names
from wsi_scale.artifacts.table import Value, write_table
from wsi_scale.errors import ArtifactError
from wsi_scale.results.summary import Quartiles, SlideSummary

NAME = names.SLIDES_TABLE

#: Quartiles of the tiles of a slide: of the optimal mpp, µm per pixel, and of the dominant radius, µm.
_QUARTILES = ("optimal_mpp", "dominant_radius_um")
COLUMNS = (
    *("slide_id", "status", "tiles", "answered_share"),
    *(f"{name}{end}" for name in _QUARTILES for end in ("", "_q1", "_q3")),
    *("claimed_mpp", "mpp_source", "estimated_mpp", "estimated_low", "estimated_high", "verdict"),
    *("warnings", "reason", "path"),
)


def write_slides(results: Path, summaries: Sequence[SlideSummary]) -> None:
    """Write the table, one row for each slide; bytes of a path that are not valid text are escaped.

    Raises
    ------
    ArtifactError
        It cannot be written, or another table of this name lies there, such as a sample sheet.
    """
    path = results / NAME
    if path.exists() and not _is_own(path):
        raise ArtifactError(
            f"{path} is a table of the user's own; move it away, because the report writes its own there"
        )
    write_table(path, COLUMNS, [list(_cells(one)) for one in summaries])


def _is_own(path: Path) -> bool:
    with path.open(encoding="utf-8", errors="replace") as stream:
        return stream.readline().rstrip("\n").split("\t") == list(COLUMNS)


def _cells(one: SlideSummary) -> Iterator[Value]:
    verdict = one.verdict
    yield from (one.slide_id, one.status, one.tiles, _rounded(one.answered_share))
    yield from (*_of(one.optimal_mpp), *_of(one.dominant_radius_um))
    yield from (_rounded(verdict.claimed_mpp), verdict.mpp_source)
    yield from map(_rounded, (verdict.mpp, verdict.mpp_low, verdict.mpp_high))
    yield from (verdict.flag, "; ".join(one.warnings), one.reason, verdict.path)


def _of(found: Quartiles | None) -> tuple[Value, ...]:
    values = (None, None, None) if found is None else (found.median, found.low, found.high)
    return tuple(map(_rounded, values))


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
