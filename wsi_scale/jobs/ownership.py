"""Owners of results folders: user files and results of other slides are never overwritten."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wsi_scale.artifacts.record import valid_record
from wsi_scale.artifacts.slide_info import read_slide_info
from wsi_scale.artifacts.stages import SLIDE_STAGES, is_artefact
from wsi_scale.artifacts.state import FolderState, Owner, place_text
from wsi_scale.errors import ArtifactError, UserError
from wsi_scale.execution.lock import LOCK
from wsi_scale.slides.metadata import SlideInfo

if TYPE_CHECKING:
    from wsi_scale.jobs.job import SlideJob


def check_own(folder: Path) -> None:
    """Check that no stage overwrites user files in a folder in which no stage has run before.

    Raises
    ------
    ArtifactError
        It holds files under names that stages write.
    """
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError:  # not there yet; or the lock will say what is wrong
        return
    if _is_worked_in(folder, names):
        return
    if foreign := [name for name in names if is_artefact(name)]:
        raise ArtifactError(
            f"{folder} holds {', '.join(foreign)} not made by this program, which would overwrite it; "
            "choose another folder"
        )


def _is_worked_in(folder: Path, names: Sequence[str]) -> bool:
    """Whether a stage has run in a folder; a lock alone may belong to a cohort's results."""
    if LOCK in names and (FolderState(folder).owner or any(spec.record in names for spec in SLIDE_STAGES.values())):
        return True
    return any(valid_record(folder, stage) is not None for stage in SLIDE_STAGES)


def check_owner(job: "SlideJob", state: FolderState, *, begins: bool) -> None:
    """Check that a folder holds results of this slide, and store the slide as its owner.

    A slide that was moved or copied is recognised by its content; one that was replaced, by its path.

    Parameters
    ----------
    begins
        Whether the stage is the first, which may replace results of another slide if the user asks for it.

    Raises
    ------
    ArtifactError
        It holds results of another slide.
    """
    try:
        identity = job.identity(state)
    except UserError:  # gone, or not to be read: the stage says so
        identity = ""
    now = Owner(job.row.slide_id, place_text(job.row.path), identity)
    before = state.owner or _described_owner(job.folder)
    if before is not None and not (job.overwrite and begins):
        if before.slide_id != now.slide_id:
            raise ArtifactError(_of_another(job, before.slide_id))
        if before.place != now.place and identity and before.identity not in ("", identity):
            raise ArtifactError(_of_another(job, f"another slide named {before.slide_id}"))
    # What cannot be read may be anything: it takes the place of nobody.
    state.owner = before if before is not None and not identity else now


def _described_owner(folder: Path) -> Owner | None:
    """Find the owner of a folder by its slide.json, if the cache is lost."""
    try:
        info = SlideInfo.from_dict(read_slide_info(folder))
    except ArtifactError:
        return None
    path = Path(info.path)  # relative to what, nobody knows
    return Owner(info.slide_id, place_text(path) if path.is_absolute() else "", info.identity)


def _of_another(job: "SlideJob", slide: str) -> str:
    return (
        f"{job.folder} holds results of {slide}, not of {job.row.path}; choose another folder, or replace them with "
        "`wsi-scale run --overwrite`"
    )
