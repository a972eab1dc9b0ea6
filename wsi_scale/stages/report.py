"""Stage `report`: results of the other stages → HTML pages and tables."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from wsi_scale.artifacts.atomic import replacing_file, sweep_parts
from wsi_scale.artifacts.fingerprint import fingerprint
from wsi_scale.artifacts.manifest import file_digest, find_missing, manifest_of
from wsi_scale.artifacts.names import REGRESSOR, RUNS, STATUS
from wsi_scale.artifacts.record import Record, record_path, valid_record
from wsi_scale.artifacts.runs import Made, made_in
from wsi_scale.artifacts.slides_table import write_slides
from wsi_scale.artifacts.stages import COHORT_STAGES, SLIDE_STAGES
from wsi_scale.artifacts.state import FolderState, Page
from wsi_scale.artifacts.status import StatusRow, read_status, write_status
from wsi_scale.config.models import Config
from wsi_scale.errors import ArtifactError, BusyError
from wsi_scale.execution.guard import guarded
from wsi_scale.execution.lock import folder_lock
from wsi_scale.execution.progress import progress
from wsi_scale.jobs.audit import audit, audit_slide
from wsi_scale.jobs.job import SlideJob
from wsi_scale.jobs.runner import holding
from wsi_scale.jobs.status import status_of
from wsi_scale.jobs.summary import summary_of
from wsi_scale.jobs.timing import recording, timed, timed_cohort
from wsi_scale.report.cohort import read_cohort_view
from wsi_scale.report.pages import MOST_EMBEDDED, NAME, page_context, render_cohort_page, render_slide_page
from wsi_scale.report.runs_section import lay_cohort_runs, lay_slide_runs
from wsi_scale.report.slide_view import SlideView, read_slide_view
from wsi_scale.results.audit import AuditRow
from wsi_scale.results.summary import SlideSummary

SPEC = COHORT_STAGES["report"]


def report_slide(job: SlideJob, config: Config) -> None:
    """Write a slide's own page, unless an up-to-date one exists."""
    with holding(job.folder), timed(SPEC.name, job) as clock:
        clock.ended = ("ok", "")
        context = _with_runs(page_context(config), made_in(job.folder))
        if not job.overwrite and _noted(job, context) is not None:
            clock.how = "up to date"
            return
        view = _write_slide_page(job, audit_slide(job), context)
        _note_page(job, context, _summary(job, view))


def _with_runs(context: Mapping[str, object], made: Sequence[Made]) -> dict[str, object]:
    return {**context, "made": lay_slide_runs(made)}


def _noted(job: SlideJob, context: Mapping[str, object]) -> SlideSummary | None:
    """Return the slide's summary as it was noted with its page; None if the page is not of what lies there now."""
    page = FolderState(job.folder).page
    if page is None or page != _page(job, context, page.summary):
        return None
    records = [valid_record(job.folder, stage) for stage in SLIDE_STAGES]
    stands = all(record is None or not find_missing(job.folder, record.files) for record in records)
    return page.summary if stands else None


def _page(job: SlideJob, context: Mapping[str, object], summary: SlideSummary) -> Page:
    """Return the fingerprint of what the page shows, and the digest of the present page."""
    made_of = fingerprint(
        "page", SPEC.version, path=str(job.row.path), context=context,
        records=[_digest(record_path(job.folder, stage)) for stage in SLIDE_STAGES],
    )  # fmt: skip
    return Page(made_of, _digest(job.folder / NAME), summary)


def _note_page(job: SlideJob, context: Mapping[str, object], summary: SlideSummary) -> None:
    """Store the digest of the page for verification, and the summary; the caller holds the folder's lock."""
    state = FolderState(job.folder)
    state.page = _page(job, context, summary)
    state.save()


def _summary(job: SlideJob, view: SlideView) -> SlideSummary:
    """Sum up a slide; a result that cannot be read fails one whose records are all well."""
    row = status_of(job.folder, job.row.slide_id, str(job.row.path))
    if row.status != "failed" and view.status.status == "failed":
        row = view.status
    return summary_of(job, row, view.audit)


def _digest(path: Path) -> str:
    """Digest of a file; "" if there is none."""
    return file_digest(path) if path.is_file() else ""


def _write_slide_page(job: SlideJob, verdict: AuditRow, context: Mapping[str, object]) -> SlideView:
    view = read_slide_view(job.folder, job.row.slide_id, path=str(job.row.path), audit=verdict)
    _write(job.folder / NAME, render_slide_page(view, context))
    return view


def report_cohort(jobs: Sequence[SlideJob], results: Path, config: Config) -> list[StatusRow]:
    """Write status.tsv, slides.tsv, audit.tsv and the cohort's page; above 50 slides each has a page of its own.

    A slide whose results cannot be read is a failed row.
    """
    with recording(config), folder_lock(results), timed_cohort(SPEC.name, results, locked=True) as clock:
        sweep_parts(results, (*SPEC.artefacts, RUNS).__contains__)
        clock.ended = ("ok", "")
        return _report(jobs, results, config)


def _report(jobs: Sequence[SlideJob], results: Path, config: Config) -> list[StatusRow]:
    verdicts = audit(jobs, results)
    embedded = len(jobs) <= MOST_EMBEDDED
    context = page_context(config)
    told, made = [], []
    with progress("report", len(jobs), unit="slides") as advance:
        for job, verdict in zip(jobs, verdicts, strict=True):
            found = made_in(job.folder)
            told.append(_told(job, verdict, _with_runs(context, found), embedded))
            made += found
            advance(1)
    summaries = [summary for summary, _ in told]
    rows = [StatusRow(one.slide_id, one.verdict.path, one.status, one.reason) for one in summaries]
    write_status(results, rows)
    write_slides(results, summaries)
    regressor = results / REGRESSOR
    cohort = read_cohort_view(verdicts, regressor if regressor.exists() else None)
    views = [view for _, view in told if view is not None]
    shown = {**context, "made": lay_cohort_runs(made)}
    _write(results / NAME, render_cohort_page(summaries, views, cohort, shown))
    state = FolderState(results)
    state.last[SPEC.name] = Record(SPEC.name, "ok", "", "", manifest_of(results, SPEC.artefacts))
    state.save()
    return rows


def complete(jobs: Sequence[SlideJob], results: Path, config: Config) -> list[StatusRow]:
    """Make the report of a run that ended before its report; an up-to-date report stays."""
    rows = [status_of(job.folder, job.row.slide_id, str(job.row.path)) for job in jobs]
    try:
        told = [(row.slide_id, row.status, row.reason) for row in read_status(results / STATUS)]
    except ArtifactError:  # not made yet
        told = []
    if told == [(row.slide_id, row.status, row.reason) for row in rows]:
        return rows
    return report_cohort(jobs, results, config)


def _told(
    job: SlideJob, verdict: AuditRow, context: Mapping[str, object], embedded: bool
) -> tuple[SlideSummary, SlideView | None]:
    """Return a slide's summary, and its view for the cohort's page; in a large cohort it gets its own page."""
    slide_id, path = job.row.slide_id, str(job.row.path)

    def read() -> tuple[SlideSummary, SlideView | None]:
        if embedded:
            view = read_slide_view(job.folder, slide_id, path=path, audit=verdict)
            return _summary(job, view), view
        if (noted := _noted(job, context)) is not None and noted.verdict == verdict:
            return noted, None
        summary = _summary(job, _write_slide_page(job, verdict, context))
        # Who works there just now writes the page again.
        with suppress(BusyError), folder_lock(job.folder, patience_s=0):
            _note_page(job, context, summary)
        return summary, None

    def failed(reason: str) -> tuple[SlideSummary, None]:
        return summary_of(job, StatusRow(slide_id, path, "failed", reason), verdict), None

    return guarded(f"{slide_id}: report", read, failed)


def _write(path: Path, page: str) -> None:
    with replacing_file(path) as part:
        part.write_text(page, encoding="utf-8")
