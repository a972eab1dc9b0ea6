"""`status`: where the run of a cohort stands, and how it ended."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wsi_scale.cli.exit_codes import ExitCode
from wsi_scale.cli.options import Json, one_line_errors
from wsi_scale.cli.talk import print_json

if TYPE_CHECKING:
    from wsi_scale.jobs.standing import Standing

#: Failed slides that are listed; status.tsv has all of them.
_LISTED = 20


def status(
    results: Annotated[Path, typer.Argument(help="The results folder of the workflow, or of several `run`s.")],
    again: Annotated[
        str, typer.Option(help="Of a run that has ended: the command that takes up failed slides.", hidden=True)
    ] = "",
    as_json: Json = False,
) -> None:
    """Show where a run stands: slides that are done, failed, in work and waiting, and the time left.

    It can be asked while a run works, from any machine that sees the folder. Exit 1 if a slide failed.
    """
    with one_line_errors():
        from wsi_scale.jobs.standing import standing

        found = standing(results, ended=bool(again))
    if as_json:
        print_json(found)
    else:
        for line in _lines(found, results, again):
            typer.echo(line)
    if found.failed:
        raise typer.Exit(ExitCode.FAILED)


def _lines(found: "Standing", results: Path, again: str) -> list[str]:
    """Write a run's standing as lines."""
    from wsi_scale.artifacts.names import PAGE, STATUS
    from wsi_scale.errors import named
    from wsi_scale.jobs.logs import slide_log
    from wsi_scale.report.words import count_text
    from wsi_scale.units import as_duration

    counted = ", ".join(f"{count} {state}" for state, count in found.counts.items() if count)
    slides, tiles = count_text(sum(found.counts.values()), "slide"), count_text(found.tiles, "tile")
    lines = [f"{slides}: {counted}; {tiles}"]
    lines += [f"  {at.slide_id}: {at.stage} since {at.since} on {at.host}" for at in found.at_work]
    if found.left_s is not None:
        lines.append(f"time left: about {as_duration(found.left_s)}")
    for row in found.failed[:_LISTED]:
        lines.append(f"failed: {named(row.slide_id, row.reason)}")
        # `run` keeps no log; the workflow does.
        log = slide_log(results, row.slide_id)
        lines += [f"        log: {log}"] if log.exists() else []
    if len(found.failed) > _LISTED:
        lines.append(f"failed: {len(found.failed) - _LISTED} more; see {results / STATUS}")
    if (results / PAGE).exists():
        goes_on = found.counts["in work"] + found.counts["waiting"] > 0
        lines.append(f"report{' of the run before' if goes_on else ''}: {results / PAGE}")
    if found.failed and again:
        lines.append(f"run again for the failed slides: {again}")
    return lines
