"""Verification of a cohort's results against their records."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from wsi_scale.artifacts.calibration import read_calibration
from wsi_scale.artifacts.manifest import file_digest, find_fault
from wsi_scale.artifacts.names import CALIBRATION, PAGE, REGRESSOR
from wsi_scale.artifacts.record import find_newer, forget_record, read_record, record_path
from wsi_scale.artifacts.regressor import read_regressor
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.artifacts.state import FolderState
from wsi_scale.errors import ArtifactError
from wsi_scale.execution.guard import guarded
from wsi_scale.execution.lock import folder_lock
from wsi_scale.execution.progress import progress
from wsi_scale.jobs.cohort import is_slide_folder, jobs_at, shown_names
from wsi_scale.jobs.job import SlideJob
from wsi_scale.jobs.runner import holding


@dataclass(frozen=True)
class Damage:
    """A result that differs from its record.

    Attributes
    ----------
    place
        The slide's name, or the cohort's folder.
    stage
        The stage that wrote the result.
    fault
        One line.
    """

    place: str
    stage: str
    fault: str


def verify(results: Path) -> tuple[int, list[Damage]]:
    """Read every file that stages wrote, and remove the records of damaged ones: the next run computes them again.

    Parameters
    ----------
    results
        A cohort's results, or one slide's folder.

    Returns
    -------
    slides, damage
        Number of slides, and what was found.

    Raises
    ------
    ArtifactError
        There are no results.
    """
    jobs = jobs_at(results)
    found = [] if is_slide_folder(results) else remove_damaged(results)
    with progress("verify", len(jobs), unit="slides") as advance:
        for name, job in zip(shown_names(jobs), jobs, strict=True):
            found += guarded(f"{name}: verify", partial(_slide, job, name), partial(_not_verified, name))
            advance(1)
    return len(jobs), found


def remove_damaged(results: Path) -> list[Damage]:
    """Remove a damaged calibration, regressor or report of a cohort: the next run makes it again.

    Raises
    ------
    ArtifactError
        A file cannot be removed.
    """
    found = []
    for name, stage, read in ((CALIBRATION, "calibrate", read_calibration), (REGRESSOR, "fit", read_regressor)):
        path = results / name
        if path.exists():
            try:
                read(path)
            except ArtifactError as error:
                _remove(path)
                found.append(Damage(str(results), stage, str(error)))
    return found + _report(results)


def _report(results: Path) -> list[Damage]:
    """Remove tables and page of a cohort that differ from what was stored about them."""
    reported = FolderState(results).last.get("report")
    files = reported.files if reported is not None else {}
    faults = {name: fault for name, file in files.items() if (fault := find_fault(results, {name: file}))}
    if not faults:
        return []
    for name in faults:
        _remove(results / name)
    with folder_lock(results):
        state = FolderState(results)
        state.last.pop("report", None)
        state.save()
    return [Damage(str(results), "report", fault) for fault in faults.values()]


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:  # a folder, say
        raise ArtifactError(f"cannot remove {path}, which is damaged: {error.strerror}; move it away") from error


def _not_verified(name: str, reason: str) -> list[Damage]:
    """Return a damage with the reason why a slide's folder cannot be read; the next one is still verified."""
    return [Damage(name, "verify", reason)]


def _slide(job: SlideJob, name: str) -> list[Damage]:
    found = []
    with holding(job.folder):
        state = FolderState(job.folder)
        forgotten: set[str] = set()
        for stage in SLIDE_STAGES:
            if fault := _fault(job.folder, stage, forgotten, expected=stage in state.last):
                forget_record(job.folder, stage)
                forgotten.add(stage)
                found.append(Damage(name, stage, fault))
        page = job.folder / PAGE
        if state.page is not None and not (page.is_file() and file_digest(page) == state.page.digest):
            state.page = None
            found.append(Damage(name, "report", f"{PAGE} is damaged or missing"))
        state.save()
    return found


def _fault(folder: Path, stage: str, forgotten: Collection[str], *, expected: bool) -> str:
    try:
        record = read_record(folder, stage)
        if record is None:
            return f"{record_path(folder, stage).name} is missing" if expected else ""
        newer = find_newer(folder, record)
    except ArtifactError as error:
        return str(error)
    if newer and newer not in forgotten:
        return f"{record_path(folder, stage).name} is older than {newer}.json"
    return find_fault(folder, record.files)
