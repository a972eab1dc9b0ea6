"""`batch`: job arrays for clusters without Snakemake."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from wsi_scale.cli.options import Assignments, ConfigFile, Device, load, one_line_errors


def batch(
    slides: Annotated[Path, typer.Argument(help="A folder of slides, a sample sheet (.tsv, .csv), or a slide.")],
    results: Annotated[Path, typer.Option(help="Results folder of the cohort.", metavar="RESULTS", show_default=False)],
    scheduler: Annotated[Literal["slurm", "pbs", "lsf"], typer.Option(help="The scheduler of the cluster.")] = "slurm",
    cores: Annotated[int, typer.Option(min=1, help="Cores of a job of a large slide; small slides share a job.")] = 8,
    gpu: Annotated[bool, typer.Option("--gpu", help="Ask for a GPU for each job that uses a network.")] = False,
    options: Annotated[
        str, typer.Option(help='Your own options for each submission, e.g. "--partition=long --account=lab".')
    ] = "",
    config: ConfigFile = None,
    assignments: Assignments = None,
    device: Device = None,
) -> None:
    """Write the scripts that compute many slides with job arrays, for clusters without Snakemake.

    `bash RESULTS/jobs/array/submit.sh` then submits all jobs, with the report as the last one. Submitted again, they
    take up what failed or is missing.
    """
    with one_line_errors():
        from wsi_scale.jobs.array_script import write_scripts
        from wsi_scale.jobs.study import Study
        from wsi_scale.report.words import count_text

        given = {"slides.path": slides, "results": results}
        study = Study(load(config, assignments, device, given=given))
        study.find_slides(make_demo=False)
        study.start()
        path = write_scripts(study, scheduler, cores=cores, gpu=gpu, options=options)
    batches = count_text(len(study.batches), "batch", "batches")
    typer.echo(f"{count_text(len(study.rows), 'slide')} in {batches}; submit them with: bash {path}")
