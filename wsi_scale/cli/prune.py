"""Commands that make networks smaller."""

from pathlib import Path
from typing import Annotated

import typer

from wsi_scale.cli.options import Assignments, ConfigFile, Device, load, one_line_errors

prune = typer.Typer(no_args_is_help=True, help="Make a pretrained network smaller; the result is a network file.")


@prune.command()
def layers(
    network: Annotated[str, typer.Argument(help="A network by name, or a network file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The network file to write.", show_default=False)],
    weights: Annotated[Path | None, typer.Option(help="Weights of a named network.")] = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    device: Device = None,
) -> None:
    """Cut a network after the layer whose pooled responses tell µm per pixel best on cases never fitted on.

    Needs fields of known mpp: --set 'training.fields=[TABLE.tsv]' (columns file, case, stain, mpp). The file it
    writes serves as network=FILE for search and extract; a regressor for `magnification predict` is put beside it.
    """
    with one_line_errors():
        from wsi_scale.stages.prune import prune_layers

        found = prune_layers(load(config, assignments, device), network, weights, output)
    for name, r2 in found.r2.items():
        typer.echo(f"{name:12} R² {r2:6.3f}{'  ← cut here' if name == found.layer else ''}")
    rows = (
        ("parameters", found.parameters, ",.0f"),
        ("multiply-adds of a 224-px tile", found.multiply_adds, ",.0f"),
        ("tiles per second", found.tiles_per_second, ".2f"),
    )
    for name, (before, after), form in rows:
        typer.echo(f"{name}: {before:{form}} → {after:{form}} ({after / before:.2f}×)")
    typer.echo(f"network: {found.network}\nregressor: {found.regressor}")
