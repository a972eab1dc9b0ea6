"""Stage `report`: what the other stages left → pages to look at."""

from collections.abc import Sequence
from pathlib import Path

import yaml

from wsi_scale.artifacts.atomic import replacing_file
from wsi_scale.artifacts.status import StatusRow, write_status
from wsi_scale.config.load import dump_section
from wsi_scale.config.models import Config
from wsi_scale.report.cohort import read_cohort_view
from wsi_scale.report.pages import MOST_EMBEDDED, NAME, render_cohort_page, render_slide_page
from wsi_scale.report.slide_view import read_slide_view
from wsi_scale.stages.audit import audit, audit_slide
from wsi_scale.stages.doctor import versions
from wsi_scale.stages.job import SlideJob
from wsi_scale.stages.status import status_of

REGRESSOR = "regressor.safetensors"


def report_slide(job: SlideJob, config: Config) -> None:
    """Write a slide's own page."""
    view = read_slide_view(job.folder, job.row.slide_id, path=str(job.row.path), audit=audit_slide(job))
    _write(job.folder / NAME, render_slide_page(view, page_context(config)))


def report_cohort(jobs: Sequence[SlideJob], results: Path, config: Config) -> list[StatusRow]:
    """Write status.tsv, audit.tsv and the cohort's page; above 50 slides each has a page of its own."""
    rows = [status_of(job.folder, job.row.slide_id, str(job.row.path)) for job in jobs]
    write_status(results, rows)
    verdicts = {row.slide_id: row for row in audit(jobs, results)}
    regressor = results / REGRESSOR
    cohort = read_cohort_view(list(verdicts.values()), regressor if regressor.exists() else None)
    embedded = len(jobs) <= MOST_EMBEDDED
    views = []
    for job in jobs:
        if embedded:
            slide_id = job.row.slide_id
            views.append(read_slide_view(job.folder, slide_id, path=str(job.row.path), audit=verdicts[slide_id]))
        else:
            report_slide(job, config)
    _write(results / NAME, render_cohort_page(rows, views, cohort, page_context(config)))
    return rows


def page_context(config: Config) -> dict[str, object]:
    """Versions and configuration, as every page ends with them."""
    text = yaml.safe_dump(dump_section(config), sort_keys=False, allow_unicode=True)
    return {"versions": versions(), "configuration": text}


def _write(path: Path, page: str) -> None:
    with replacing_file(path) as part:
        part.write_text(page, encoding="utf-8")
