"""How a stage runs on a slide: locked, fingerprinted, recorded, and never stopping the others."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from wsi_scale.artifacts.atomic import sweep_parts
from wsi_scale.artifacts.fingerprint import file_identity, fingerprint
from wsi_scale.artifacts.names import is_artefact
from wsi_scale.artifacts.record import SLIDE_STAGES, Record, Status, read_record, write_record
from wsi_scale.errors import ArtifactError, UserError
from wsi_scale.execution.lock import LOCK, folder_lock
from wsi_scale.slides.border import check_place
from wsi_scale.slides.dicom import series_beside
from wsi_scale.slides.sheet import SheetRow

log = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class SlideJob:
    """A slide and the folder of its results."""

    row: SheetRow
    folder: Path
    overwrite: bool = False

    @property
    def group(self) -> str:
        """What a split keeps together: the sheet's group, else the slide itself."""
        return self.row.group or self.row.slide_id

    def identity(self) -> str:
        """Identity of the slide's content.

        Raises
        ------
        SlideError
            The slide is gone, or no file or folder at all.
        """
        check_place(self.row.path)
        files = series_beside(self.row.path)
        if len(files) == 1:
            return file_identity(files[0])
        return fingerprint("series", files=[file_identity(file) for file in files])


@dataclass(frozen=True)
class Outcome:
    """What a stage's artefacts say."""

    status: Status = "ok"
    reason: str = ""


@dataclass(frozen=True)
class Stage:
    """One stage of one slide.

    Attributes
    ----------
    name
        Of the stage and its record.
    after
        Stages whose failure or emptiness is passed on.
    fingerprint
        Digest of everything the stage depends on; may raise UserError.
    current
        Fingerprint → outcome of the artefacts in place, or None where they are others or missing.
    work
        Fingerprint → outcome, with the artefacts written.
    """

    name: str
    after: Sequence[str]
    fingerprint: Callable[[], str]
    current: Callable[[str], Outcome | None]
    work: Callable[[str], Outcome]


def run_stage(job: SlideJob, stage: Stage) -> Record:
    """Run a stage where its artefacts are missing or of other inputs, and record what became of it.

    Raises
    ------
    ArtifactError, BusyError
        The slide's folder cannot be written, or holds files of the user's own, so that nothing can be recorded.
    """
    _check_own(job.folder)
    with folder_lock(job.folder, on_wait=log.warning):
        # Nobody else writes a stage's artefacts while the lock is held.
        sweep_parts(job.folder, is_artefact)
        record = _passed_on(job, stage) or _run(job, stage)
        write_record(job.folder, record)
    if record.status == "failed":
        log.info("%s: %s failed: %s", job.row.slide_id, stage.name, record.reason)
    return record


def _check_own(folder: Path) -> None:
    """Make sure that no stage writes over what a user keeps in a folder in which no stage has ever run."""
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError:  # not there yet; or the lock will say what is wrong
        return
    if not names or LOCK in names or any(_is_record(folder, stage) for stage in SLIDE_STAGES):
        return
    from wsi_scale.report.pages import NAME as PAGE

    if foreign := [name for name in names if is_artefact(name) or name == PAGE]:
        raise ArtifactError(
            f"{folder} holds {', '.join(foreign)} not made by this program, which would write over it; "
            "choose another folder"
        )


def _is_record(folder: Path, stage: str) -> bool:
    try:
        return read_record(folder, stage) is not None
    except ArtifactError:
        return False


def _passed_on(job: SlideJob, stage: Stage) -> Record | None:
    for name in stage.after:
        before = read_record(job.folder, name)
        if before is None:
            raise ArtifactError(f"{job.folder}: `{stage.name}` needs `wsi-scale {name}` first")
        if before.status != "ok":
            return Record(stage.name, before.status, before.reason, "")
    return None


def _run(job: SlideJob, stage: Stage) -> Record:
    print_ = ""

    def attempt() -> Outcome:
        nonlocal print_
        print_ = stage.fingerprint()
        outcome = None if job.overwrite else stage.current(print_)
        return stage.work(print_) if outcome is None else outcome

    outcome = guarded(f"{job.row.slide_id}: {stage.name}", attempt, lambda reason: Outcome("failed", reason))
    return Record(stage.name, outcome.status, _without_places(outcome.reason, job), print_)


def guarded(what: str, work: Callable[[], _Answer], failed: Callable[[str], _Answer]) -> _Answer:
    """Do something with one slide at the per-slide border: it may fail, and the next slide goes on.

    Parameters
    ----------
    what
        The slide and what is done with it, for the log.
    work
        What is done.
    failed
        Makes an answer of the reason, one line, where the work raises whatever it may.
    """
    try:
        return work()
    except UserError as error:
        return failed(one_line(error))
    except Exception as error:  # the per-slide border
        log.exception(what)
        return failed(f"unexpected {type(error).__name__}: {one_line(error)} (see the log; please report it)")


def _without_places(reason: str, job: SlideJob) -> str:
    """Name the slide and its results without their absolute folders: a record holds wherever it is moved."""
    if job.row.path.is_absolute():
        reason = reason.replace(str(job.row.path), job.row.path.name)
    return reason.replace(f"{job.folder}/", "") if job.folder.is_absolute() else reason


def one_line(error: BaseException) -> str:
    """Put an error's text on one line."""
    return " ".join(str(error).split()) or type(error).__name__
