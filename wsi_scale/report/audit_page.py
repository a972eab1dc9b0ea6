"""The audit's page: tiles of each slide with scale bars by claim and by estimate, to check by eye."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wsi_scale.artifacts.atomic import replacing_file
from wsi_scale.config.models import Config
from wsi_scale.magnification.cohort_verdict import cohort_findings
from wsi_scale.report.images import picture
from wsi_scale.report.pages import page_context, provenance, render
from wsi_scale.report.words import audit_counts, count_text, finding_text, flagged_first
from wsi_scale.results.audit import AuditedSlide, AuditTile

#: Name of the page.
PAGE = "audit.html"
#: Lengths that a scale bar may have, µm.
BARS_UM = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


@dataclass(frozen=True)
class Bar:
    """A scale bar: its label, its length in pixels of the tile, and whether it is by claim or by estimate."""

    words: str
    length_px: float
    kind: str


def write_audit_page(folder: Path, slides: Sequence[AuditedSlide], config: Config) -> Path:
    """Write the page of an audit.

    Returns
    -------
    path
        Of the page.

    Raises
    ------
    ArtifactError
        It cannot be written.
    """
    page = folder / PAGE
    with replacing_file(page) as part:
        part.write_text(render_audit_page(slides, page_context(config)), encoding="utf-8")
    return page


def render_audit_page(slides: Sequence[AuditedSlide], context: Mapping[str, object]) -> str:
    """Write the page: flagged slides first, each with tiles and a scale bar by claim and by estimate."""
    rows = [slide.row for slide in slides]
    by_id = {slide.row.slide_id: slide for slide in slides}
    order = flagged_first(rows)
    return render(
        "audit.html.j2",
        summary=f"{count_text(len(rows), 'slide')}, {sum(row.flagged for row in rows)} flagged",
        counts=audit_counts(rows),
        findings=[finding_text(found) for found in cohort_findings(rows)],
        slides=[(by_id[row.slide_id], _pictures(by_id[row.slide_id])) for row in order if row.flag != "unreadable"],
        unreadable=[row for row in order if row.flag == "unreadable"],
        **provenance(context),
    )


def bars(tile: AuditTile) -> list[Bar]:
    """Scale bars of one round length (µm) for a tile, by its claim and by its estimate."""
    sizes = [("header", tile.claimed_mpp), ("pixels", tile.estimated_mpp)]
    known = [mpp for _, mpp in sizes if mpp]
    if not known:
        return []
    side = tile.image.shape[1]
    fitting = [um for um in BARS_UM if um <= 0.6 * side * min(known)]
    length = fitting[-1] if fitting else BARS_UM[0]
    names = {"header": "by the claim", "pixels": "by the estimate"}
    return [Bar(f"{length} µm {names[kind]}", length / mpp, kind) for kind, mpp in sizes if mpp]


def _pictures(slide: AuditedSlide) -> list[tuple[str, int, AuditTile, list[Bar]]]:
    return [(picture(tile.image), tile.image.shape[1], tile, bars(tile)) for tile in slide.tiles]
