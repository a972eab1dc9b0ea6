"""`plan`: what a cohort will cost, before it is run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wsi_scale.cli.options import Assignments, ConfigFile, Json, load, one_line_errors
from wsi_scale.cli.talk import print_json

if TYPE_CHECKING:
    from wsi_scale.jobs.costs import Cost, Rates, Tissue


def plan(
    slides: Annotated[Path, typer.Argument(help="A folder of slides, a sample sheet (.tsv, .csv), or a slide.")],
    like: Annotated[
        Path | None,
        typer.Option(help="Results of some slides, computed on this machine with the same settings: the rates."),
    ] = None,
    cores: Annotated[int | None, typer.Option(min=1, help="Cores; by default those of this machine.")] = None,
    as_json: Json = False,
    config: ConfigFile = None,
    assignments: Assignments = None,
) -> None:
    """Tell about how long many slides will take, and how much memory and disk.

    It counts the tiles of up to 40 slides on their thumbnails. The rates are those of --like, else of a known machine.
    """
    with one_line_errors():
        from wsi_scale.execution.machine import usable_cores
        from wsi_scale.jobs.costs import cost_of, known, look_at, measured
        from wsi_scale.jobs.study import Study

        settings = load(config, assignments, given={"slides.path": slides})
        study = Study(settings)
        study.find_slides(make_demo=False)
        rates = measured(like, settings) if like else known(settings)
        tissue = look_at(list(study.rows.values()), study.gigabytes, settings)
        used = cores or usable_cores()
        cost = cost_of(tissue, list(study.batches.values()), rates, used)
    for line in tissue.unreadable:
        typer.echo(f"warning: {line}", err=True)
    if as_json:
        return print_json({"tissue": tissue, "cost": cost, "rates": rates, "cores": used})
    return _print(tissue, rates, cost, used)


def _print(tissue: "Tissue", rates: "Rates", cost: "Cost", cores: int) -> None:
    from wsi_scale.units import as_duration

    error = f" (± {2 * tissue.tiles_error:,.0f}, by {tissue.looked_at} slides)" if tissue.tiles_error else ""
    typer.echo(f"slides   {tissue.slides}, {tissue.gigabytes:.1f} GB")
    typer.echo(f"tiles    {tissue.tiles:,.0f}{error}{_not_counted(tissue)}")
    typer.echo(f"time     about {as_duration(cost.seconds)} on {cores} cores")
    typer.echo(f"memory   up to {cost.memory_mb / 1e3:.1f} GB")
    typer.echo(f"disk     about {cost.disk_bytes / 1e9:.2g} GB of results")
    typer.echo(f"rates    {rates.source}: {rates.slide_s:.2g} s a slide and {rates.tile_s:.2g} s a tile of one core")


def _not_counted(tissue: "Tissue") -> str:
    """Say that the tiles of some slides are not among those expected; warnings say why."""
    from wsi_scale.report.words import count_text

    if not tissue.unreadable:
        return ""
    looked = "" if tissue.looked_at == tissue.slides else " that were looked at"
    counted = f"{len(tissue.unreadable)} of {count_text(tissue.looked_at, 'slide')}"
    return f"; {counted}{looked} could not be counted"
