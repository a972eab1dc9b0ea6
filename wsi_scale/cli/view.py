"""`view`: results on their slides, in the browser."""

import os
from pathlib import Path
from typing import Annotated

import typer

from wsi_scale.cli.options import one_line_errors


def view(
    results: Annotated[
        Path, typer.Argument(help="A results folder, of the workflow, of several `run`s or of one slide.")
    ],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of this machine; 0 takes a free one.")] = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in the browser, where there is a screen.")
    ] = True,
) -> None:
    """Look at results on their slides in the browser: pan, zoom, lay maps on the slide, click a tile.

    Keys: arrows move, + and - zoom, 0 shows all of the slide, Enter opens the tile in the middle, Escape closes it.
    Regions that were given with --regions are outlined; what lies under the pointer is told in the last line.

    The server answers on this machine (127.0.0.1) only, to who has the printed address, and needs no internet. On a
    server without a screen, forward the port: ssh -L PORT:127.0.0.1:PORT HOST. Ctrl-C ends it.
    """
    with one_line_errors():
        from wsi_scale.report.words import count_text
        from wsi_scale.viewer.server import ViewerServer

        try:
            with ViewerServer(results, port) as server:
                typer.echo(f"{count_text(len(server.results), 'slide')}: {server.address}")
                typer.echo("Ctrl-C ends the viewer.", err=True)
                if browser and _has_screen():
                    import webbrowser

                    webbrowser.open(server.ticket())
                server.serve_forever()
        except KeyboardInterrupt:
            typer.echo("", err=True)


def _has_screen() -> bool:
    """Whether a browser would open a window: in a terminal alone, a text browser would take it over."""
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
