"""Commands about many slides."""

from pathlib import Path
from typing import Annotated

import typer

from wsi_scale.cli.options import Assignments, ConfigFile, load, one_line_errors

Source = Annotated[Path, typer.Argument(help="A folder of slides, a sample sheet (.tsv, .csv), or a slide.")]
Results = Annotated[Path, typer.Option("--output", "-o", help="The results folder.", show_default=False)]


def sheet(
    folder: Source,
    output: Annotated[Path, typer.Option("--output", "-o", help="The sheet to write.")] = Path("slides.tsv"),
) -> None:
    """Write a sample sheet to start from: slide_id, path, mpp, group."""
    with one_line_errors():
        from wsi_scale.errors import ConfigError
        from wsi_scale.slides.sheet import slides_of, write_sheet

        if output.exists():
            raise ConfigError(f"{output} exists; choose another name with -o")
        rows = slides_of(folder)
        write_sheet(output, rows)
    typer.echo(f"wrote {output} with {len(rows)} slides; fill in mpp and group where you know better")


def fit(source: Source, output: Results, config: ConfigFile = None, assignments: Assignments = None) -> None:
    """Fit the cohort's regressor of µm per pixel on slides whose mpp is trusted (needs `inspect -o` on each)."""
    with one_line_errors():
        from wsi_scale.stages.cohort import jobs_of
        from wsi_scale.stages.fit import fit as fit_stage

        path = fit_stage(jobs_of(source, output), load(config, assignments), output / "regressor.safetensors")
    typer.echo(f"regressor: {path}")


def report(
    folder: Annotated[Path, typer.Argument(help="A results folder: of the workflow, or of many `run`s.")],
    slides: Annotated[
        Path | None, typer.Option(help="The slides that should be there: folder or sample sheet.")
    ] = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
) -> None:
    """Make status.tsv, audit.tsv and the cohort's report.html from what the slides' stages left."""
    with one_line_errors():
        from wsi_scale.stages.cohort import jobs_in, jobs_of
        from wsi_scale.stages.report import report_cohort

        jobs = jobs_of(slides, folder) if slides else jobs_in(folder)
        rows = report_cohort(jobs, folder, load(config, assignments))
    failed = [row for row in rows if row.status == "failed"]
    typer.echo(f"{len(rows)} slides, {len(failed)} failed; see {folder / 'report.html'}")


def finish(
    status: Annotated[Path, typer.Argument(help="status.tsv of a run.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Written if no slide failed.")],
) -> None:
    """End a run: exit 1 with one line if any slide failed."""
    with one_line_errors():
        from wsi_scale.artifacts.atomic import replacing_file
        from wsi_scale.artifacts.status import read_status
        from wsi_scale.errors import SlideError

        rows = read_status(status)
        failed = [row for row in rows if row.status == "failed"]
        if failed:
            raise SlideError(
                f"{len(failed)} of {len(rows)} slides failed, for reasons in {status}; the others are done"
            )
        with replacing_file(output) as part:
            part.write_text(f"{len(rows)} slides\n", encoding="utf-8")
    typer.echo(f"{len(rows)} slides, none failed; see {status.parent / 'report.html'}")
