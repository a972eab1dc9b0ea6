"""The slides of a cohort."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from wsi_scale.artifacts.plan import NAME as PLAN
from wsi_scale.artifacts.plan import PlannedSlide, read_plan, write_plan
from wsi_scale.artifacts.slide_info import NAME, read_slide_info
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.errors import ArtifactError, ConfigError, SlideError, UserError
from wsi_scale.execution.lock import LOCK
from wsi_scale.jobs.job import SLIDES, SlideJob
from wsi_scale.slides.border import check_place
from wsi_scale.slides.metadata import SlideInfo
from wsi_scale.slides.sheet import SheetRow, is_there, slides_of


def slide_folder(results: Path, slide_id: str) -> Path:
    """Folder of one slide's results."""
    return results / SLIDES / slide_id


def jobs_of(source: Path, results: Path) -> list[SlideJob]:
    """Jobs of all slides of a folder, a sheet or the plan of a run."""
    rows = planned(source) if source.name == PLAN else slides_of(source, exclude=results)
    return [SlideJob(row, slide_folder(results, row.slide_id)) for row in rows]


def plan(results: Path, rows: Sequence[SheetRow], batch_of: Mapping[str, str] | None = None) -> None:
    """Write the list of slides that a run starts with.

    Parameters
    ----------
    batch_of
        Slide's id → its batch; by default each slide is alone.
    """
    named = batch_of or {}
    slides = [
        PlannedSlide(row.slide_id, row.path, row.mpp, row.group, named.get(row.slide_id, row.slide_id)) for row in rows
    ]
    write_plan(results, slides)


def planned(path: Path) -> list[SheetRow]:
    """Read the list of slides that a run started with, including slides that no longer exist.

    Raises
    ------
    ArtifactError
        The plan is missing or damaged.
    """
    return [row_of(slide) for slide in read_plan(path)]


def batch_jobs(path: Path, batch: str) -> list[SlideJob]:
    """Jobs of the slides of a batch, in order.

    Parameters
    ----------
    path
        The plan, in the folder of the results.

    Raises
    ------
    ArtifactError
        The plan is missing or damaged.
    ConfigError
        It has no such batch.
    """
    slides = [slide for slide in read_plan(path) if slide.batch == batch]
    if not slides:
        raise ConfigError(f"{path} has no batch {batch!r}; start the run again")
    return [SlideJob(row_of(slide), slide_folder(path.parent, slide.slide_id)) for slide in slides]


def row_of(slide: PlannedSlide) -> SheetRow:
    """Return a planned slide as a row of a sample sheet."""
    return SheetRow(slide.slide_id, slide.path, slide.mpp, slide.group)


def sheet_rows(source: Path) -> tuple[list[SheetRow], list[str]]:
    """Rows of a new sample sheet, and one line for each slide that cannot be written into it.

    Raises
    ------
    UserError
        There is no slide.
    """
    rows, problems = [], []
    for row in slides_of(source):
        try:
            check_place(row.path)
            rows.append(row)
        except SlideError as error:
            problems.append(str(error))
    if not rows:
        raise UserError(f"{source}: none of its slides can be read; the first: {problems[0]}")
    return rows, problems


def jobs_in(results: Path) -> list[SlideJob]:
    """Jobs of all slides with results, also unfinished ones, in a folder: below slides/, or directly in it.

    Raises
    ------
    ArtifactError
        There are none.
    """
    if not results.is_dir():
        why = "is a file" if is_there(results) else "is not there"
        raise ArtifactError(f"{results} {why}; give a folder of results, as `run -o` or the workflow leave it")
    folder = results / SLIDES if (results / SLIDES).is_dir() else results
    found = sorted({path.parent for mark in (NAME, LOCK) for path in folder.glob(f"*/{mark}")})
    if not found:
        raise ArtifactError(
            f"{results} holds no results of slides; run `wsi-scale run SLIDE --results {results}` first"
        )
    return [job_in(place) for place in found]


def jobs_at(results: Path) -> list[SlideJob]:
    """Jobs of a cohort's results, or the one of a slide's own folder.

    Raises
    ------
    ArtifactError
        There are none.
    """
    return [job_in(results)] if is_slide_folder(results) else jobs_in(results)


def check_one_run_each(jobs: Sequence[SlideJob], results: Path) -> None:
    """Check that no two folders hold results of slides with one id, before anything is named after the ids.

    Raises
    ------
    ConfigError
        Two of them do; the first pair is named.
    """
    first: dict[str, Path] = {}
    for job in jobs:
        slide_id = job.row.slide_id
        if slide_id in first:
            raise ConfigError(
                f"{first[slide_id]} and {job.folder} both hold results of a slide {slide_id!r}, and nothing was "
                f"written: move one of them out of {results}, or run it again into a new folder with another --slide-id"
            )
        first[slide_id] = job.folder


def shown_names(jobs: Sequence[SlideJob]) -> list[str]:
    """Name slides for a reader: by their ids; where several folders have the same, with the folder too.

    Examples
    --------
    >>> runs = [SlideJob(SheetRow(name, Path(), None, None), Path("results") / place)
    ...         for name, place in (("a", "first"), ("a", "own-mpp"), ("b", "b"))]
    >>> shown_names(runs)
    ['a (first)', 'a (own-mpp)', 'b']
    """
    counts = Counter(job.row.slide_id for job in jobs)
    names = ((job.row.slide_id, job.folder.name) for job in jobs)
    return [slide_id if counts[slide_id] == 1 else f"{slide_id} ({folder})" for slide_id, folder in names]


def is_slide_folder(folder: Path) -> bool:
    """Whether a folder is that of one slide's results, not of a cohort's."""
    return any((folder / spec.record).exists() for spec in SLIDE_STAGES.values())


def job_in(folder: Path) -> SlideJob:
    """Job of the slide whose results are in a folder."""
    return SlideJob(_row_of(folder), folder)


def _row_of(folder: Path) -> SheetRow:
    """Name the slide of a folder: by its slide.json, or by the folder if that is damaged or missing."""
    try:
        info = SlideInfo.from_dict(read_slide_info(folder))
    except ArtifactError:
        return SheetRow(folder.name, Path(), None, None)
    return SheetRow(info.slide_id, Path(info.path), None, None)
