"""The report's pages: self-contained HTML, one file each, without scripts."""

import os
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import quote

import yaml

from wsi_scale.artifacts import names
from wsi_scale.artifacts.stages import COHORT_STAGES, SLIDE_STAGES, configuration_read
from wsi_scale.config.models import Config
from wsi_scale.execution.versions import versions
from wsi_scale.magnification.cohort_verdict import cohort_findings
from wsi_scale.report.cohort import CohortView, lay_regressor
from wsi_scale.report.slide_section import lay_section
from wsi_scale.report.slide_view import SlideView
from wsi_scale.report.svg import svg_file
from wsi_scale.report.words import (
    STATUS_TONES,
    audit_counts,
    claim_words,
    count_text,
    failed_first,
    finding_text,
    flagged_first,
    interval_text,
    mpp_text,
    verdict_words,
)
from wsi_scale.results.summary import SlideSummary

if TYPE_CHECKING:
    from jinja2 import Environment

NAME = names.PAGE
#: A cohort of more slides than this links to their own pages instead of holding everything.
MOST_EMBEDDED = 50

#: Keys of `execution` that say where a machine may put files, and nothing of how results were computed.
_OF_A_MACHINE = ("scratch", "scratch_gb")


def render_slide_page(view: SlideView, context: Mapping[str, object]) -> str:
    """Write the page of one slide.

    Parameters
    ----------
    view
        As ``read_slide_view`` gives it.
    context
        ``versions``: name → version; ``configuration``: YAML text; ``made``: as :mod:`wsi_scale.report.runs_section`
        lays it. Each may be missing.
    """
    return render("slide.html.j2", section=lay_section(view, "slide"), **provenance(context))


def render_cohort_page(
    rows: Sequence[SlideSummary], views: Sequence[SlideView], cohort: CohortView, context: Mapping[str, object]
) -> str:
    """Write the page of all slides.

    Parameters
    ----------
    rows
        One a slide.
    views
        Of the slides whose sections the page holds; not looked at above ``MOST_EMBEDDED`` slides. A row
        without a view links to ``slides/<slide_id>/report.html``.
    cohort
        The audit and the regressor.
    context
        ``versions``: name → version; ``configuration``: YAML text; ``made``: as :mod:`wsi_scale.report.runs_section`
        lays it. Each may be missing.
    """
    embedded = views if len(rows) <= MOST_EMBEDDED else ()
    anchors = {view.slide_id: f"slide-{number}" for number, view in enumerate(embedded, start=1)}
    links = {
        row.slide_id: f"#{anchors[row.slide_id]}" if row.slide_id in anchors else page_link(row.slide_id)
        for row in rows
    }
    order = failed_first([row.status for row in rows])
    return render(
        "cohort.html.j2",
        rows=[rows[position] for position in order],
        summary=_summary(rows),
        links=links,
        audit=flagged_first(cohort.audit),
        audit_counts=audit_counts(cohort.audit),
        findings=[finding_text(found) for found in cohort_findings(cohort.audit)],
        regressor=lay_regressor(cohort.regressor),
        sections=[lay_section(view, anchors[view.slide_id]) for view in embedded],
        **provenance(context),
    )


def page_link(slide_id: str) -> str:
    """Link from the cohort's page to a slide's own.

    Examples
    --------
    >>> page_link("a b#1")
    'slides/a%20b%231/report.html'
    """
    return f"slides/{quote(os.fsencode(slide_id), safe='')}/{NAME}"


def _summary(rows: Sequence[SlideSummary]) -> str:
    counts = [(sum(row.status == status for row in rows), status) for status in ("ok", "empty", "failed")]
    parts = ", ".join(f"{count} {status}" for count, status in counts if count)
    return f"{count_text(len(rows), 'slide')}: {parts}" if rows else "no slides"


def provenance(context: Mapping[str, object]) -> dict[str, object]:
    """Pick what every page ends with: how results were made, versions and configuration."""
    made = context.get("made") or {}
    known = made.get("versions") if isinstance(made, Mapping) else None
    return {
        "made": made,
        "versions": known or context.get("versions") or {},
        "configuration": context.get("configuration") or "",
    }


def render(template: str, **shown: object) -> str:
    """Fill a template of this package."""
    page = _environment().get_template(template).render(**shown)
    # A path that is not a valid text must not keep the page from being written.
    return page.encode("utf-8", "backslashreplace").decode("utf-8")


@cache
def _environment() -> "Environment":
    """Templates, compiled once for all pages of a process."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("wsi_scale.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["tones"] = STATUS_TONES
    environment.filters |= {"mpp": mpp_text, "count": count_text, "verdict": verdict_words, "claim": claim_words}
    environment.filters["svg_file"] = svg_file
    environment.globals["interval"] = interval_text
    return environment


def page_context(config: Config) -> dict[str, object]:
    """Versions, and the configuration that stages read, as every page ends with them."""
    values = configuration_read([*SLIDE_STAGES, *(name for name in COHORT_STAGES if name != "report")], config)
    for key in _OF_A_MACHINE:
        del values["execution"][key]
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    return {"versions": versions(), "configuration": text}
