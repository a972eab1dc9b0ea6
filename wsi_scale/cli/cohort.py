"""Commands for many slides."""

from pathlib import Path
from typing import Annotated

import typer

from wsi_scale.cli.exit_codes import ExitCode
from wsi_scale.cli.options import Assignments, ConfigFile, Json, load, one_line_errors
from wsi_scale.cli.talk import conclude, print_json

Source = Annotated[Path, typer.Argument(help="A folder of slides, a sample sheet (.tsv, .csv), or a slide.")]
Results = Annotated[Path, typer.Option("--output", "-o", help="The results folder.", show_default=False)]


def sheet(
    folder: Source,
    output: Annotated[Path, typer.Option("--output", "-o", help="The sheet to write.")] = Path("slides.tsv"),
) -> None:
    """Write a sample sheet to fill in (slide_id, path, mpp, group); exit 1 if a slide had to be left out."""
    with one_line_errors():
        from wsi_scale.errors import ConfigError
        from wsi_scale.jobs.cohort import sheet_rows
        from wsi_scale.report.words import count_text
        from wsi_scale.slides.sheet import write_sheet

        if output.exists():
            raise ConfigError(f"{output} exists; choose another name with -o")
        rows, problems = sheet_rows(folder)
        write_sheet(output, rows)
    for problem in problems:
        typer.echo(f"left out: {problem}", err=True)
    conclude(f"wrote {output} with {count_text(len(rows), 'slide')}; fill in mpp and group where you know them")
    if problems:
        raise typer.Exit(ExitCode.FAILED)


def fit(source: Source, output: Results, config: ConfigFile = None, assignments: Assignments = None) -> None:
    """Fit the cohort's regressor of µm per pixel on slides whose mpp is trusted (needs `inspect -o` on each)."""
    with one_line_errors():
        from wsi_scale.artifacts.names import REGRESSOR
        from wsi_scale.config.settings import FitSettings
        from wsi_scale.jobs.cohort import jobs_of
        from wsi_scale.jobs.timing import recording
        from wsi_scale.stages.fit import fit as fit_stage

        loaded = load(config, assignments)
        with recording(loaded):
            path = fit_stage(jobs_of(source, output), FitSettings.of(loaded), output / REGRESSOR)
    conclude(f"regressor: {path}")


def report(
    folder: Annotated[Path, typer.Argument(help="A results folder, of the workflow or of several `run`s.")],
    slides: Annotated[Path | None, typer.Option(help="The expected slides: a folder or a sample sheet.")] = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    record_only: Annotated[
        bool, typer.Option("--record-only", help="Exit 0 even if slides failed; status.tsv lists them (for workflows).")
    ] = False,
) -> None:
    """Make status.tsv, audit.tsv and the cohort's report.html from the results of the slides.

    Exit 1 if a slide failed; the report shows the others.
    """
    with one_line_errors():
        from wsi_scale.jobs.cohort import check_one_run_each, jobs_in, jobs_of
        from wsi_scale.report.words import count_text
        from wsi_scale.stages.report import report_cohort

        jobs = jobs_of(slides, folder) if slides else jobs_in(folder)
        check_one_run_each(jobs, folder)
        rows = report_cohort(jobs, folder, load(config, assignments))
    failed = [row for row in rows if row.status == "failed"]
    conclude(f"{count_text(len(rows), 'slide')}, {len(failed)} failed; see {folder / 'report.html'}")
    if failed and not record_only:
        raise typer.Exit(ExitCode.FAILED)


def complete(
    folder: Annotated[Path, typer.Argument(help="The results folder of the workflow.")],
    slides: Annotated[Path, typer.Option(help="The expected slides.")],
    config: ConfigFile = None,
    assignments: Assignments = None,
) -> None:
    """Make the report of a run that ended before its report."""
    with one_line_errors():
        from wsi_scale.jobs.cohort import jobs_of
        from wsi_scale.report.words import count_text
        from wsi_scale.stages.report import complete as complete_report

        rows = complete_report(jobs_of(slides, folder), folder, load(config, assignments))
    failed = [row for row in rows if row.status == "failed"]
    conclude(f"{len(failed)} of {count_text(len(rows), 'slide')} failed or did not finish; see {folder / 'status.tsv'}")


def verify(
    folder: Annotated[
        Path, typer.Argument(help="A results folder, of the workflow, of several `run`s or of one slide.")
    ],
    as_json: Json = False,
) -> None:
    """Read all results and list those that are damaged or were changed.

    The records of damaged results are removed, so that the next `run` or `snakemake` computes them again. Exit 1 if
    anything was found.
    """
    with one_line_errors():
        from wsi_scale.jobs.verify import verify as verify_results
        from wsi_scale.report.words import count_text

        slides, found = verify_results(folder)
    if as_json:
        print_json({"slides": slides, "damaged": found})
    else:
        for damage in found:
            typer.echo(f"{damage.place}: {damage.stage}: {damage.fault}")
        ending = "the next run computes them again" if found else "all results are intact"
        damaged = count_text(len(found), "damaged result")
        conclude(f"{count_text(slides, 'slide')}, {damaged}; {ending}")
    if found:
        raise typer.Exit(ExitCode.FAILED)


def unlock(
    folder: Annotated[Path, typer.Argument(help="A slide's folder of results.")],
) -> None:
    """Remove a lock that a process left behind, on a file system without file locks.

    First make sure that the process named in the lock has ended.
    """
    with one_line_errors():
        from wsi_scale.execution.lock import break_lock

        held = break_lock(folder)
    conclude(f"removed the lock of {held}" if held else f"{folder} holds no lock that can be removed")
