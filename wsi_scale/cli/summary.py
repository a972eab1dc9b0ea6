"""A slide's results in a few lines, as a run ends with them."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsi_scale.results.summary import Quartiles, SlideSummary


def summary_lines(summary: "SlideSummary", report: Path) -> Iterator[str]:
    """Say what became of a slide: status first, place of its report last."""
    yield f"{summary.slide_id}: {summary.status}{f' ({summary.reason})' if summary.reason else ''}"
    if summary.tiles:
        share = summary.answered_share
        answered = "" if share is None else f", {summary.answered} ({share:.0%}) with an optimal mpp"
        yield f"  tiles: {summary.tiles}{answered}"
    if summary.optimal_mpp:
        yield f"  optimal mpp: {_words(summary.optimal_mpp, 'µm/px')}"
    if summary.dominant_radius_um:
        yield f"  dominant radius: {_words(summary.dominant_radius_um, 'µm')}"
    yield f"  µm per pixel: {summary.verdict.flag}: {summary.verdict.reason}"
    if summary.warnings:
        yield f"  warnings: {len(summary.warnings)}, printed above and in the report"
    yield f"  report: {report}"


def _words(found: "Quartiles", unit: str) -> str:
    return f"median {found.median:.3g} {unit}, quartiles {found.low:.3g} and {found.high:.3g}"
