"""Where the run of a cohort stands: slides done, failed, in work and left, and about how long they will take."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wsi_scale.artifacts.at_work import AtWork, read_at_work
from wsi_scale.artifacts.plan import NAME as PLAN
from wsi_scale.artifacts.record import read_record, record_path
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.artifacts.status import NAME as STATUS
from wsi_scale.artifacts.status import StatusRow, is_gone, read_status
from wsi_scale.artifacts.tiles import tile_count
from wsi_scale.errors import ArtifactError
from wsi_scale.jobs.cohort import is_slide_folder, jobs_at, jobs_of, shown_names, slide_folder
from wsi_scale.jobs.job import SlideJob
from wsi_scale.jobs.status import status_of
from wsi_scale.slides.sheet import SheetRow

#: The first and the last stage of a slide.
_FIRST, *_, _LAST = SLIDE_STAGES
#: Slides that were done last, from whose times the time left is estimated.
_RECENT = 50
#: Fewer say nothing about the others.
_FEWEST = 4


@dataclass(frozen=True)
class Standing:
    """What a run has done so far.

    Attributes
    ----------
    counts
        Slides that are ok, empty, failed, in work, waiting.
    tiles
        Tiles of the slides that are done.
    failed
        The slides that failed, with their reasons; where several folders have results of slides with one id, the id is
        followed by the folder.
    at_work
        Where the jobs are that work now, or were killed.
    left_s
        Seconds until the last slide is done, by the pace of the last ones; None where that is unknown, or nothing
        is left.
    """

    counts: Mapping[str, int]
    tiles: int
    failed: Sequence[StatusRow]
    at_work: Sequence[AtWork]
    left_s: float | None


@dataclass(frozen=True)
class SlideStanding:
    """What a run has done of a slide so far.

    Attributes
    ----------
    state
        ok, empty, failed, in work, waiting.
    row
        Its status, if it is done or has failed already; else None.
    """

    job: SlideJob
    state: str
    row: StatusRow | None


def standing(results: Path, *, ended: bool = False) -> Standing:
    """Look where a run stands; it may be at work.

    Parameters
    ----------
    ended
        Whether the run has ended: then a slide that is not done has failed, because its job was lost.

    Raises
    ------
    ArtifactError
        The folder holds no results of slides.
    """
    at_work = [] if ended else read_at_work(results)
    slides = slide_standings(results, at_work, ended=ended)
    counts = Counter(slide.state for slide in slides)
    times = [ended_at(slide.job.folder) for slide in slides]
    names = shown_names([slide.job for slide in slides])
    rows = [replace(slide.row, slide_id=name) for name, slide in zip(names, slides, strict=True) if slide.row]
    return Standing(
        {state: counts[state] for state in ("ok", "empty", "failed", "in work", "waiting")},
        sum(_tiles(slide.job.folder) for slide in slides if slide.row and slide.row.status == "ok"),
        [row for row in rows if row.status == "failed"],
        at_work,
        seconds_left(sorted(filter(None, times)), counts["in work"] + counts["waiting"]),
    )


def slide_standings(results: Path, at_work: Sequence[AtWork], *, ended: bool = False) -> list[SlideStanding]:
    """Look where each slide of a run, or of a slide's own folder, stands.

    Parameters
    ----------
    at_work
        Where the jobs are that work now.
    ended
        As for :func:`standing`.

    Raises
    ------
    ArtifactError
        The folder holds no results of slides.
    """
    working = {this.slide_id for this in at_work}
    found = []
    for job in _jobs(results):
        gone = not record_path(job.folder, _FIRST).exists() and is_gone(str(job.row.path))
        row = _row(job, done=ended or gone or ended_at(job.folder) is not None)
        state = row.status if row else "in work" if job.row.slide_id in working else "waiting"
        found.append(SlideStanding(job, state, row))
    return found


def _jobs(results: Path) -> list[SlideJob]:
    """Jobs of the slides of a run; without its plan those with results, and those that only the report knows."""
    if (results / PLAN).exists():
        return jobs_of(results / PLAN, results)
    jobs = jobs_at(results)
    try:
        told = [] if is_slide_folder(results) else read_status(results / STATUS)
    except ArtifactError:  # no report, or a damaged one
        told = []
    known = {job.row.slide_id for job in jobs}
    rows = [SheetRow(row.slide_id, Path(row.path), None, None) for row in told if row.slide_id not in known]
    return jobs + [SlideJob(row, slide_folder(results, row.slide_id)) for row in rows]


def ended_at(folder: Path) -> float | None:
    """Time, in seconds, at which a slide's last stage ended; None if it has not."""
    try:
        return record_path(folder, _LAST).stat().st_mtime
    except OSError:
        return None


def _row(job: SlideJob, *, done: bool) -> StatusRow | None:
    """Status of a slide that is done, or has failed already."""
    row = status_of(job.folder, job.row.slide_id, str(job.row.path))
    if done or (row.status == "failed" and _has_failed(job.folder)):
        return row
    return None


def _has_failed(folder: Path) -> bool:
    try:
        records = [read_record(folder, stage) for stage in SLIDE_STAGES]
    except ArtifactError:
        return True
    return any(record is not None and record.status == "failed" for record in records)


def _tiles(folder: Path) -> int:
    try:
        return tile_count(folder)
    except ArtifactError:  # the slide's status tells it
        return 0


def seconds_left(ended: Sequence[float], left: int) -> float | None:
    """Expect how long the slides that are left will take, by the pace of the last ones.

    Parameters
    ----------
    ended
        Times at which slides ended, in order, seconds.
    left
        Number of slides that are left.

    Returns
    -------
    float or None
        Seconds; None where nothing is left, or too few have ended to tell.
    """
    recent = ended[-_RECENT:]
    if not left or len(recent) < _FEWEST or recent[-1] <= recent[0]:
        return None
    return left * (recent[-1] - recent[0]) / (len(recent) - 1)
