"""Options that several commands share, and how errors are printed."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

import typer

from wsi_scale.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from wsi_scale.config.models import Config
    from wsi_scale.jobs.job import SlideJob


def number(text: str) -> float:
    """Read the number of an option; one with a decimal comma is told how it is written here."""
    from wsi_scale.errors import comma_hint

    try:
        return float(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a number{comma_hint(text)}") from error


Slide = Annotated[
    Path, typer.Argument(help="A slide: a file that OpenSlide or tifffile reads, or a folder in OME-Zarr or DICOM.")
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Folder of this slide's results.", show_default=False)
]
Results = Annotated[
    Path | None,
    typer.Option(
        help="Results folder of many slides; this slide's results go to RESULTS/slides/ID, as in the workflow.",
        metavar="RESULTS",
    ),
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", "-c", help="Configuration file (YAML).", show_default=False)
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", help="Change one value, e.g. --set tiling.mpp=1.0 (repeatable).", show_default=False),
]
Mpp = Annotated[
    float | None,
    typer.Option(
        help="µm per pixel of level 0; used instead of the header's, with a warning if they differ.",
        parser=number,
    ),
]
SlideId = Annotated[str | None, typer.Option(help="Name of the slide in the results; by default taken from its path.")]
Group = Annotated[
    str | None,
    typer.Option(help="Group of the slide, e.g. its patient; a group is never split between training and test."),
]
Regions = Annotated[
    str | None,
    typer.Option(
        help="Outlined regions (GeoJSON of QuPath, level-0 pixels): only tissue within them is tiled, and each tile "
        "says in which one it lies.",
        metavar="FILE",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Compute again, even if the results are up to date.")]
Device = Annotated[
    str | None,
    typer.Option("--device", help="auto, cpu, cuda or cuda:all.", metavar="DEVICE", show_default="auto"),
]
Network = Annotated[
    str | None,
    typer.Option(help="A network by name, or a network file; short for --set network=.", show_default="embedded"),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text; its keys are stable.")]
Slides = Annotated[
    Path | None,
    typer.Option(help="With --results: the folder or sample sheet that names the slide; gives its id, mpp and group."),
]
Stages = Annotated[
    str | None,
    typer.Option(
        help="Only these, in one process, e.g. tile,search,extract; the page is left to a whole run or `report`.",
        metavar="STAGES",
    ),
]
Regressor = Annotated[
    Path | None,
    typer.Option(help="A regressor of µm per pixel; by default the one that the package carries."),
]
Calibration = Annotated[
    Path | None, typer.Option(help="Calibration file of the network; by default found or computed.")
]
Scheduler = Annotated[str | None, typer.Option(help="Address of a running Dask scheduler, e.g. tcp://host:8786.")]
RecordOnly = Annotated[
    bool,
    typer.Option("--record-only", help="Exit 0 even if the slide fails; its record says so (for workflows)."),
]


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Print a user error on one line and exit 1; other errors keep their traceback."""
    from wsi_scale.errors import UserError

    try:
        yield
    except UserError as error:
        typer.echo(f"error: {' '.join(str(error).split())}", err=True)
        raise typer.Exit(ExitCode.FAILED) from error


def load(
    config: Path | None,
    assignments: list[str] | None,
    device: str | None = None,
    given: Mapping[str, object] = MappingProxyType({}),
) -> "Config":
    """Read the configuration of a command.

    Parameters
    ----------
    given
        ``section.key`` → value of the command's own option for it, as it is; None where it is not given.
    """
    from wsi_scale.config.load import load_config

    return load_config(config, assignments or (), {"execution.device": device, **given})


def job_of(
    slide: Path,
    output: Path | None,
    results: Path | None,
    slide_id: str | None,
    mpp: float | None,
    group: str | None,
    *,
    overwrite: bool = False,
    recorded: bool = False,
) -> "SlideJob":
    """Make a single slide's job.

    Parameters
    ----------
    output, results
        Its folder of results, or the cohort's: then its folder is the one that the workflow would use.
    recorded
        A slide that is not there is left to the stage, whose record will say so.

    Raises
    ------
    SlideError, ConfigError
        There is no such slide; the mpp is not a length; the id cannot be one.
    typer.BadParameter
        Neither folder is given, or both are.
    """
    from wsi_scale.jobs.cohort import slide_folder
    from wsi_scale.jobs.job import SlideJob
    from wsi_scale.jobs.single import check_there, single_row

    if (output is None) == (results is None):
        raise typer.BadParameter("give one of --output FOLDER or --results RESULTS")
    # Where the locale is of no language, arguments come as bytes.
    named = None if slide_id is None else os.fsencode(slide_id).decode("utf-8", "surrogateescape")
    if not recorded:
        check_there(slide)
    row = single_row(slide, named, mpp, group)
    return SlideJob(row, output or slide_folder(results or Path(), row.slide_id), overwrite)


def row_of(
    slide: Path, source: Path, results: Path | None, given: tuple[str | None, float | None, str | None]
) -> tuple[str, float | None, str | None]:
    """Find a slide in the folder or sheet of its study, with the id that the workflow gives it.

    Parameters
    ----------
    results
        Folder of the results, which is not searched.
    given
        Id, mpp and group from the command line, used instead of those found.

    Raises
    ------
    UserError
        The study cannot be read, or the slide is not in it.
    """
    from wsi_scale.errors import SlideError
    from wsi_scale.slides.sheet import slides_of

    place = slide.resolve()
    found = next((row for row in slides_of(source, exclude=results) if row.path.resolve() == place), None)
    if found is None:
        raise SlideError(f"{slide} is not a slide of {source}; check the path, or leave --slides out")
    slide_id, mpp, group = given
    return slide_id or found.slide_id, found.mpp if mpp is None else mpp, group or found.group


def stages_named(stages: str) -> list[str]:
    """Names of stages, divided by commas, in the order in which they run.

    Raises
    ------
    ConfigError
        One of them is no stage of a slide.
    """
    from wsi_scale.artifacts.stages import SLIDE_STAGES
    from wsi_scale.errors import ConfigError

    asked = [name.strip() for name in stages.split(",")]
    for name in asked:
        if name not in SLIDE_STAGES:
            raise ConfigError(f"--stages={stages}: there is no stage {name!r}; known: {', '.join(SLIDE_STAGES)}")
    return [name for name in SLIDE_STAGES if name in asked]
