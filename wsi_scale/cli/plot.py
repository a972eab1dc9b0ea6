"""`plot`: a picture of a slide's map, to show."""

from pathlib import Path
from typing import Annotated

import typer

from wsi_scale.cli.options import one_line_errors
from wsi_scale.cli.talk import conclude


def plot(
    folder: Annotated[Path, typer.Argument(help="A slide's folder of results, such as RESULTS/slides/ID.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="File to write: .png, .svg or .pdf; by default ID-CHANNEL.png here. With --all a folder.",
        ),
    ] = None,
    channel: Annotated[
        str,
        typer.Option(
            help="optimal_mpp (µm per pixel at which the network responds most), dominant_radius_um (of the nuclei, "
            "where these dominate), confidence (0–1), finest_mpp (finest that was computed) or tissue_fraction (0–1)."
        ),
    ] = "optimal_mpp",
    confidence: Annotated[
        float, typer.Option(min=0, max=1, help="Leave out tiles of a lower confidence, 0–1; 0 shows all.")
    ] = 0.3,
    every: Annotated[
        bool, typer.Option("--all", help="Every figure of the report instead, each as SVG and PNG, into a folder.")
    ] = False,
) -> None:
    """Draw a slide and a map on it as a picture, with scale bars, the legend of its colours and outlines of regions.

    It takes one slide: wsi-scale plot RESULTS/slides/ID --channel confidence -o ID.svg
    """
    with one_line_errors():
        from wsi_scale.artifacts.names import SCALE_MAP
        from wsi_scale.jobs.folders import slide_at
        from wsi_scale.report.picture import Shown, plot_all, plot_slide

        slide_at(folder, SCALE_MAP)
        if every:
            target = output or Path(f"{folder.resolve().name}-figures")
            files = plot_all(folder, target, confidence)
            return conclude(f"{len(files)} figures: {target}")
        target = output or Path(f"{folder.resolve().name}-{channel}.png")
        plot_slide(folder, target, Shown(channel, confidence))
    return conclude(f"picture: {target}")
