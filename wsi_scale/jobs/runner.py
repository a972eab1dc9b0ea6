"""Running a stage on a slide: lock, fingerprint, verification and record; a failure never stops other slides."""

import logging
import shutil
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from wsi_scale.artifacts.atomic import remove_progress, sweep_parts
from wsi_scale.artifacts.fingerprint import file_identity, fingerprint
from wsi_scale.artifacts.manifest import find_fault, manifest_of
from wsi_scale.artifacts.names import SLIDE_INFO
from wsi_scale.artifacts.record import (
    Record,
    Status,
    check_artefact,
    forget_record,
    read_record,
    valid_record,
    write_record,
)
from wsi_scale.artifacts.slide_info import read_slide_info
from wsi_scale.artifacts.stages import StageSpec, is_artefact
from wsi_scale.artifacts.state import FolderState, stamp_of
from wsi_scale.config.settings import StageSettings
from wsi_scale.errors import ArtifactError, SlideError
from wsi_scale.execution.guard import guarded
from wsi_scale.execution.lock import folder_lock
from wsi_scale.jobs.job import SlideJob
from wsi_scale.jobs.ownership import check_own, check_owner
from wsi_scale.jobs.timing import Clock, inputs_words, timed
from wsi_scale.slides.metadata import SlideInfo

log = logging.getLogger(__name__)

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class _Hold:
    """What lasts as long as a folder's lock."""

    ends: ExitStack
    things: dict[Hashable, Any] = field(default_factory=dict)


#: Folders whose lock this thread holds.
_held: ContextVar[Mapping[Path, _Hold]] = ContextVar("_held", default={})  # noqa: B039 - replaced, never changed


@dataclass(frozen=True)
class Outcome:
    """The result of a stage."""

    status: Status = "ok"
    reason: str = ""


@dataclass(frozen=True)
class Prepared:
    """A stage whose inputs are known.

    Attributes
    ----------
    depends_on
        What its artefacts depend on besides slide and settings: names and JSON-able values.
    work
        Fingerprint → outcome; it writes the artefacts.
    """

    depends_on: Mapping[str, Any]
    work: Callable[[str], Outcome]


@dataclass(frozen=True)
class Stage:
    """One stage of one slide.

    Attributes
    ----------
    spec
        Its line of the table.
    settings
        What it reads from the configuration.
    prepare
        Finds out what the artefacts depend on; may raise UserError.
    after
        Stages whose failure or emptiness is passed on; by default the table's.
    is_shown
        Whether the artefacts show current facts that no fingerprint covers, such as the slide's path.
    """

    spec: StageSpec
    settings: StageSettings
    prepare: Callable[[FolderState], Prepared]
    after: Sequence[str] | None = None
    is_shown: Callable[[], bool] = lambda: True

    @property
    def waits_for(self) -> Sequence[str]:
        """Stages that must run before it."""
        return self.spec.after if self.after is None else self.after


@contextmanager
def holding(folder: Path) -> Iterator[None]:
    """Lock a slide's folder for several stages, which then do not lock it themselves.

    Raises
    ------
    ArtifactError, BusyError
        The folder cannot be written, holds user files, or is locked by another process.
    """
    place = folder.resolve()
    if place in _held.get():
        yield
        return
    check_own(folder)
    with folder_lock(folder, on_wait=log.warning), ExitStack() as ends:
        token = _held.set({**_held.get(), place: _Hold(ends)})
        try:
            # Nobody else writes a stage's artefacts while the lock is held.
            sweep_parts(folder, is_artefact)
            yield
        finally:
            _held.reset(token)


def lasting(folder: Path, key: Hashable, begin: Callable[[], AbstractContextManager[Thing]]) -> Thing:
    """Enter a context for all stages that still run while a slide's folder is held; once for a key."""
    hold = _held.get()[folder.resolve()]
    if key not in hold.things:
        hold.things[key] = hold.ends.enter_context(begin())
    thing: Thing = hold.things[key]
    return thing


def run_stage(job: SlideJob, stage: Stage) -> Record:
    """Run a stage if its artefacts are missing, damaged or of other inputs, and write its record.

    Raises
    ------
    ArtifactError, BusyError
        The slide's folder cannot be written, or holds user files or results of another slide, so that no record can be
        written.
    """
    with holding(job.folder), timed(stage.spec.name, job) as clock:
        state = FolderState(job.folder)
        check_owner(job, state, begins=not stage.spec.after)
        record = _passed_on(job, stage, state)
        if record is not None:
            clock.how = "passed on"
        else:
            record = _run(job, stage, state, clock)
        record = replace(record, after=_fingerprints(job, stage))
        if record.status != "failed":  # what an earlier run left is kept, and known, for when the failure is mended
            state.last[stage.spec.name] = record
        state.save()
        if record.status == "failed" or valid_record(job.folder, stage.spec.name) != record:
            write_record(job.folder, record)
        clock.ended = (record.status, record.fingerprint)
    if record.status == "failed":
        log.info("%s: %s failed: %s", job.row.slide_id, stage.spec.name, record.reason)
    return record


def known_identity(state: FolderState, path: Path) -> str:
    """Identity of a file that a stage reads besides the slide; from the cache if its stamp has not changed.

    Raises
    ------
    ArtifactError
        It cannot be read.
    """
    try:
        stamp = stamp_of([path])
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error.strerror}; check the path") from error
    return state.identity(path, stamp, lambda: file_identity(path))


def _fingerprints(job: SlideJob, stage: Stage) -> dict[str, str]:
    """Fingerprints of the stages whose results a stage used."""
    records = [read_record(job.folder, name) for name in stage.waits_for]
    return {record.stage: record.fingerprint for record in records if record is not None}


def _passed_on(job: SlideJob, stage: Stage, state: FolderState) -> Record | None:
    for name in stage.waits_for:
        before = read_record(job.folder, name)
        if before is None:
            raise ArtifactError(f"{job.folder}: `{stage.spec.name}` needs `wsi-scale {name}` first")
        if before.status == "empty":
            _remove_last(job, stage.spec.name, state)
        if before.status != "ok":
            return Record(stage.spec.name, before.status, before.reason, "")
    return None


def _run(job: SlideJob, stage: Stage, state: FolderState, clock: Clock) -> Record:
    name = stage.spec.name
    print_ = ""

    def attempt() -> Record:
        nonlocal print_
        identity = _same_slide(job, stage, state)
        prepared = stage.prepare(state)
        print_ = fingerprint(
            name, stage.spec.version, slide=identity, settings=stage.settings.by_value(), **prepared.depends_on
        )  # fmt: skip
        clock.inputs = {"slide": identity, **prepared.depends_on}
        last = _last(job, name, state)
        stale = _stale(job, last, print_)
        if last is not None and not stale and stage.is_shown():
            clock.how = "up to date"
            remove_progress(job.folder, stage.spec.artefacts)
            return last
        with_what = f" ({words})" if (words := inputs_words(clock.inputs)) else ""
        log.info("%s: %s: %s%s", job.row.slide_id, name, stale or "the slide has moved", with_what)
        # Whose folder it is must be known before anything is written there.
        state.save()
        # From here on nothing that stands there is a result, until the record is written.
        forget_record(job.folder, name)
        outcome = prepared.work(print_)
        if job.identity(state) != identity:
            raise SlideError(f"{job.row.path}: the slide changed while `{name}` read it; run again")
        if stage.prepare(state).depends_on != prepared.depends_on:
            raise ArtifactError(f"a file that `{name}` reads was replaced during the run; run again")
        reason = _without_places(outcome.reason, job)
        return Record(name, outcome.status, reason, print_, manifest_of(job.folder, stage.spec.artefacts))

    def failed(reason: str) -> Record:
        return Record(name, "failed", _without_places(reason, job), print_)

    return guarded(f"{job.row.slide_id}: {name}", attempt, failed)


def _same_slide(job: SlideJob, stage: Stage, state: FolderState) -> str:
    """Compute the slide's identity; it must be that of the slide which was inspected.

    Raises
    ------
    SlideError, ArtifactError
        It is not.
    """
    identity = job.identity(state)
    if stage.waits_for:
        info = SlideInfo.from_dict(read_slide_info(job.folder))
        check_artefact(job.folder, SLIDE_INFO)
        if info.identity != identity:
            raise SlideError(f"{job.row.path}: this is not the slide that was inspected; run `wsi-scale inspect` again")
    return identity


def _last(job: SlideJob, stage: str, state: FolderState) -> Record | None:
    """Return the last record of a stage; from the cache if a failure or Snakemake removed it."""
    if job.overwrite:
        return None
    record = valid_record(job.folder, stage)
    return record if record is not None and record.status != "failed" else state.last.get(stage)


def _stale(job: SlideJob, last: Record | None, print_: str) -> str:
    """Say why a stage's last results do not count; "" where they do."""
    if last is None:
        return "computed again, as asked" if job.overwrite else "no result yet"
    if last.fingerprint != print_:
        return "settings, network or slide have changed since the last result"
    return find_fault(job.folder, last.files)


def _remove_last(job: SlideJob, stage: str, state: FolderState) -> None:
    """Remove results of an earlier run of a stage that now has nothing to do; other files stay."""
    # A folder that was merged with another has records that the notes know nothing of.
    found = (valid_record(job.folder, stage), state.last.get(stage))
    names = {name.partition("/")[0] for record in found if record is not None for name in record.files}
    if not names:
        return
    forget_record(job.folder, stage)
    for name in sorted(names):
        place = job.folder / name
        try:
            if place.is_dir() and not place.is_symlink():
                shutil.rmtree(place)
            else:
                place.unlink(missing_ok=True)
        except OSError as error:
            raise ArtifactError(f"cannot remove {place}, which is out of date: {error.strerror}") from error


def _without_places(reason: str, job: SlideJob) -> str:
    """Remove absolute folders from a message, so that a record stays valid when it is moved."""
    if job.row.path.is_absolute():
        reason = reason.replace(str(job.row.path), job.row.path.name)
    if job.folder.is_absolute():
        reason = reason.replace(f"{job.folder}/", "").replace(f"{job.folder}: ", "")
    return reason
