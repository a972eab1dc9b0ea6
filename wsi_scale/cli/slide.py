"""Commands for one slide."""

from pathlib import Path
from typing import Annotated

import typer

from wsi_scale.cli.exit_codes import ExitCode
from wsi_scale.cli.options import (
    Assignments,
    Calibration,
    ConfigFile,
    Device,
    Group,
    Json,
    Mpp,
    Network,
    Output,
    Overwrite,
    RecordOnly,
    Regions,
    Regressor,
    Results,
    Scheduler,
    Slide,
    SlideId,
    Slides,
    Stages,
    job_of,
    load,
    one_line_errors,
    row_of,
    stages_named,
)
from wsi_scale.cli.slide_stages import run_all, run_stages
from wsi_scale.cli.summary import summary_lines
from wsi_scale.cli.talk import conclude, print_json, warn


def run(
    slide: Slide,
    output: Output = None,
    results: Results = None,
    slides: Slides = None,
    mpp: Mpp = None,
    slide_id: SlideId = None,
    group: Group = None,
    regions: Regions = None,
    stages: Stages = None,
    network: Network = None,
    regressor: Regressor = None,
    calibration: Calibration = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    device: Device = None,
    scheduler: Scheduler = None,
    record_only: RecordOnly = False,
    overwrite: Overwrite = False,
) -> None:
    """Run all stages on one slide: scale map, features, µm per pixel and a report.

    Give -o FOLDER, for a slide alone, or --results RESULTS, for one of many: then its folder is
    RESULTS/slides/ID, and `report`, `view` and `status` take RESULTS. The folder gets slide.json, prediction.json,
    tiles.parquet, scale.ome.zarr, features.zarr and report.html. A second call computes only what is missing or out of
    date.
    """
    with one_line_errors():
        from wsi_scale.errors import named

        chosen = None if stages is None else stages_named(stages)
        settings = load(config, assignments, device, {"network": network, "tissue.regions": regions})
        if slides is not None:
            slide_id, mpp, group = row_of(slide, slides, results, (slide_id, mpp, group))
        job = job_of(slide, output, results, slide_id, mpp, group, overwrite=overwrite, recorded=record_only)
        if not record_only and (chosen is None or "tile" in chosen):
            from wsi_scale.config.settings import TileSettings
            from wsi_scale.stages.tile import check_own_files

            check_own_files(job.row.slide_id, TileSettings.of(settings))
        if not record_only and not {"search", "extract"}.isdisjoint(chosen or ("search",)):
            from wsi_scale.jobs.known_network import check_at_hand

            check_at_hand(settings.network, settings.weights)
        if chosen is not None:
            return run_stages(job, settings, chosen, regressor, calibration, scheduler, record_only=record_only)
        summary = run_all(job, settings, regressor, calibration, scheduler)
    if summary.status == "failed":
        typer.echo(f"error: {named(summary.slide_id, summary.reason)}", err=True)
        raise typer.Exit(ExitCode.DONE if record_only else ExitCode.FAILED)
    for line in summary_lines(summary, job.folder / "report.html"):
        conclude(line)
    return None


def inspect(
    slide: Slide,
    mpp: Mpp = None,
    slide_id: SlideId = None,
    group: Group = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write slide.json into this folder.")] = None,
    results: Results = None,
    as_json: Json = False,
    record_only: RecordOnly = False,
    overwrite: Overwrite = False,
) -> None:
    """Describe a slide: size, levels, µm per pixel and its source, and warnings."""
    with one_line_errors():
        from wsi_scale.slides.metadata import inspect_slide

        if output is not None or results is not None:
            job = job_of(slide, output, results, slide_id, mpp, group, overwrite=overwrite, recorded=record_only)
            return run_stages(job, load(None, None), ("inspect",), record_only=record_only)
        job = job_of(slide, Path(), None, slide_id, mpp, group)
        info = inspect_slide(slide, job.row.slide_id, mpp)
    if info.status == "ok":
        warn(info.warnings)
    if as_json:
        print_json(info.as_dict())
    else:
        for key, value in info.as_dict().items():
            shown = ", ".join(map(str, value)) if isinstance(value, list) else value
            if key != "warnings":
                typer.echo(f"{key:18} {'–' if shown in (None, '') else shown}")
    if info.status != "ok":
        typer.echo(f"error: {info.warnings[0]}", err=True)
        raise typer.Exit(ExitCode.FAILED)
    return None


def predict(
    slide: Slide,
    output: Output = None,
    results: Results = None,
    mpp: Mpp = None,
    slide_id: SlideId = None,
    group: Group = None,
    regressor: Regressor = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    device: Device = None,
    record_only: RecordOnly = False,
    overwrite: Overwrite = False,
) -> None:
    """Estimate µm per pixel from the slide's pixels, without using the header (needs `inspect -o`)."""
    with one_line_errors():
        settings = load(config, assignments, device)
        job = job_of(slide, output, results, slide_id, mpp, group, overwrite=overwrite, recorded=record_only)
        run_stages(job, settings, ("predict",), regressor, record_only=record_only)


def tile(
    slide: Slide,
    output: Output = None,
    results: Results = None,
    mpp: Mpp = None,
    slide_id: SlideId = None,
    group: Group = None,
    regions: Regions = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    record_only: RecordOnly = False,
    overwrite: Overwrite = False,
) -> None:
    """Find the tissue and place a grid of tiles at an exact mpp (needs `inspect -o`)."""
    with one_line_errors():
        settings = load(config, assignments, given={"tissue.regions": regions})
        job = job_of(slide, output, results, slide_id, mpp, group, overwrite=overwrite, recorded=record_only)
        run_stages(job, settings, ("tile",), record_only=record_only)


def search(
    slide: Slide,
    output: Output = None,
    results: Results = None,
    mpp: Mpp = None,
    slide_id: SlideId = None,
    group: Group = None,
    calibration: Calibration = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    device: Device = None,
    scheduler: Scheduler = None,
    record_only: RecordOnly = False,
    overwrite: Overwrite = False,
) -> None:
    """Run the scale search on the tiles and write the scale map (needs `tile`)."""
    with one_line_errors():
        settings = load(config, assignments, device)
        job = job_of(slide, output, results, slide_id, mpp, group, overwrite=overwrite, recorded=record_only)
        run_stages(job, settings, ("search",), calibration=calibration, scheduler=scheduler, record_only=record_only)


def extract(
    slide: Slide,
    output: Output = None,
    results: Results = None,
    mpp: Mpp = None,
    slide_id: SlideId = None,
    group: Group = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    device: Device = None,
    scheduler: Scheduler = None,
    record_only: RecordOnly = False,
    overwrite: Overwrite = False,
) -> None:
    """Extract features at several mpp and at each tile's optimal mpp (needs `search`)."""
    with one_line_errors():
        settings = load(config, assignments, device)
        job = job_of(slide, output, results, slide_id, mpp, group, overwrite=overwrite, recorded=record_only)
        run_stages(job, settings, ("extract",), scheduler=scheduler, record_only=record_only)
