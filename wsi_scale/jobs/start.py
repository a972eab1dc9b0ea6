"""The start of a run: what of an earlier run must be done again."""

from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import suppress
from pathlib import Path

from wsi_scale.artifacts.at_work import remove_at_work
from wsi_scale.artifacts.execution import read_execution
from wsi_scale.artifacts.job_mark import is_mark_of, mark_path
from wsi_scale.artifacts.manifest import find_missing
from wsi_scale.artifacts.record import find_newer, forget_record, read_record, record_path, valid_record
from wsi_scale.artifacts.slide_info import read_slide_info
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.artifacts.state import FolderState
from wsi_scale.artifacts.status import NAME as STATUS
from wsi_scale.artifacts.status import read_status
from wsi_scale.errors import ArtifactError, BusyError, UserError
from wsi_scale.execution.lock import folder_lock
from wsi_scale.jobs.batches import Batch
from wsi_scale.jobs.cohort import slide_folder
from wsi_scale.jobs.job import SlideJob
from wsi_scale.jobs.verify import remove_damaged
from wsi_scale.slides.sheet import SheetRow


def take_up(
    results: Path,
    rows: Mapping[str, SheetRow],
    same: Set[str],
    batches: Iterable[Batch],
    jobs: Sequence[Sequence[str]],
) -> None:
    """Remove the records of stages that must run again, and the marks of the jobs that run them.

    These are stages that failed in an earlier run, stages whose artefacts are missing, all stages of slides that
    have changed since they were inspected, of slides that were computed with another device or dtype than the
    cohort now has, and of slides whose results the last report could not read. A damaged calibration, regressor
    or report is removed too.

    Parameters
    ----------
    rows
        The slides by their ids.
    same
        Slides that the run before had with the same path, mpp and group.
    jobs
        Stages of each job of a batch.

    Raises
    ------
    ArtifactError
        The folder of the results cannot be written.
    """
    remove_damaged(results)
    damaged = _damaged(results)
    for slide_id, row in rows.items():
        job = SlideJob(row, slide_folder(results, slide_id))
        if job.folder.is_dir():
            # A slide at which another run works just now is left to that.
            with suppress(BusyError), folder_lock(job.folder, patience_s=0):
                _forget(job, all_of_it=slide_id in damaged)
    for batch in batches:
        # Of a job that was killed, it says that it still works.
        remove_at_work(results, batch.name)
        for stages in jobs:
            mark = mark_path(results, batch.name, stages)
            stands = is_mark_of(mark, batch.slide_ids) and same >= set(batch.slide_ids)
            if not (stands and all(_has_records(results, slide_id, stages) for slide_id in batch.slide_ids)):
                mark.unlink(missing_ok=True)


def _has_records(results: Path, slide_id: str, stages: Sequence[str]) -> bool:
    folder = slide_folder(results, slide_id)
    return all(record_path(folder, stage).exists() for stage in stages)


def _damaged(results: Path) -> set[str]:
    """Slides that the last report lists as failed although no stage failed."""
    try:
        rows = read_status(results / STATUS)
    except ArtifactError:  # no report yet
        return set()
    failed = {row.slide_id: slide_folder(results, row.slide_id) for row in rows if row.status == "failed"}
    return {name for name, folder in failed.items() if all(_is_done(folder, stage) for stage in SLIDE_STAGES)}


def _forget(job: SlideJob, *, all_of_it: bool) -> None:
    """Remove the records of stages that must run again."""
    state = FolderState(job.folder)
    otherwise = _was_computed_otherwise(job, state)
    for stage, spec in SLIDE_STAGES.items():
        again = all_of_it or (otherwise and "execution" in spec.keys)
        if record_path(job.folder, stage).exists() and (again or _must_run(job, stage, state)):
            forget_record(job.folder, stage)


def _was_computed_otherwise(job: SlideJob, state: FolderState) -> bool:
    """Whether a slide's last run had another device or dtype than its cohort has now."""
    noted = state.execution
    try:
        settled = read_execution(job.results) if job.results is not None else None
    except ArtifactError:  # the stages say so
        return True
    return None not in (noted, settled) and noted != settled


def _must_run(job: SlideJob, stage: str, state: FolderState) -> bool:
    """Whether a stage that has a record must run again, judged without reading a result."""
    try:
        record = read_record(job.folder, stage)
        if record is None or record.status == "failed" or find_newer(job.folder, record):
            return True
        if find_missing(job.folder, record.files):
            return True
        return stage == "inspect" and _has_changed(job, state)
    except UserError:  # damaged, or of an earlier version; or the slide is gone, and says so when it is inspected
        return True


def _has_changed(job: SlideJob, state: FolderState) -> bool:
    """Whether a slide's content has changed since it was inspected; it is read only if its stamp has changed."""
    identity = job.identity(state)
    state.save()
    return bool(read_slide_info(job.folder)["identity"] != identity)


def _is_done(folder: Path, stage: str) -> bool:
    """Whether a stage has a valid record that is not of a failure."""
    record = valid_record(folder, stage)
    return record is not None and record.status != "failed"
