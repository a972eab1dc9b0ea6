"""Which slides a cohort's results belong to."""

from pathlib import Path

from wsi_scale.artifacts.slide_info import NAME, read_slide_info
from wsi_scale.errors import ArtifactError
from wsi_scale.slides.metadata import SlideInfo
from wsi_scale.slides.sheet import SheetRow, slides_of
from wsi_scale.stages.job import SlideJob


def slide_folder(results: Path, slide_id: str) -> Path:
    """Folder of one slide's results."""
    return results / "slides" / slide_id


def jobs_of(source: Path, results: Path) -> list[SlideJob]:
    """Jobs of all slides that a folder or sheet stands for."""
    return [SlideJob(row, slide_folder(results, row.slide_id)) for row in slides_of(source, exclude=results)]


def jobs_in(results: Path) -> list[SlideJob]:
    """Jobs of all slides that have left results in a folder: below slides/, or directly in it.

    Raises
    ------
    ArtifactError
        There is none.
    """
    folder = results / "slides" if (results / "slides").is_dir() else results
    found = sorted(path.parent for path in folder.glob(f"*/{NAME}"))
    if not found:
        raise ArtifactError(
            f"{results} holds no results of slides; run `wsi-scale run SLIDE -o {results}/slides/ID` first"
        )
    return [SlideJob(_row_of(place), place) for place in found]


def _row_of(folder: Path) -> SheetRow:
    """Name the slide of a folder; by the folder where what it says of itself is damaged."""
    try:
        info = SlideInfo.from_dict(read_slide_info(folder))
    except ArtifactError:
        return SheetRow(folder.name, Path(), None, None)
    return SheetRow(info.slide_id, Path(info.path), None, None)
