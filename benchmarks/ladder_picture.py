"""Draws docs/images/ladder.png: two tiles on the rungs of a ladder, and the responses of the calibrated channels.

Real tissue (needs WSI_SCALE_DATA): the carcinoma of the lung that README opens with, a tile of large nuclei and one of
small nuclei.
"""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import wsi_scale as ws
from benchmarks.data import IMAGES, data_root
from benchmarks.picture import REAL, REAL_MPP

#: Rungs that are shown, µm per pixel, and how wide a tile is, pixels and µm.
SHOWN_MPP, TILE_PX, TILE_UM = (2.0, 1.0, 0.5, 0.25), 224, 112.0


def main() -> None:
    """Draw the tiles of the most and the least optimal mpp among those to be believed."""
    with ws.open_slide(data_root() / REAL, mpp=REAL_MPP) as slide:
        tiles = ws.tile_slide(slide, min_tissue=0.95)
        found = ws.search_scale(slide, tiles, ladder="full")
        believed = np.where(found.confidence >= 0.75, found.optimal_mpp, np.nan)
        places = {"large nuclei": np.nanargmax(believed), "small nuclei": np.nanargmin(believed)}
        figure = Figure(figsize=(9.5, 3.6), layout="constrained")
        grid = figure.add_gridspec(2, len(SHOWN_MPP) + 2)
        curves = figure.add_subplot(grid[:, -2:])
        for line, (name, place) in enumerate(places.items()):
            row, col = np.unravel_index(place, believed.shape)
            axes = [figure.add_subplot(grid[line, rung]) for rung in range(len(SHOWN_MPP))]
            _rungs(axes, slide, tiles, int(row), int(col), name)
            _curve(curves, found, int(row), int(col), name)
    curves.set(xlabel="µm per pixel", ylabel="mean response, its maximum = 1", xscale="log")
    curves.set_xticks([0.25, 0.5, 1, 2, 4], labels=["0.25", "0.5", "1", "2", "4"])
    curves.minorticks_off()
    curves.legend(fontsize=8, loc="upper right")
    figure.savefig(IMAGES / "ladder.png", dpi=90)


def _rungs(axes: list[Axes], slide: ws.Slide, tiles: ws.Tiles, row: int, col: int, name: str) -> None:
    """Draw a tile as the network sees it on some rungs: the same tissue in fewer and more pixels."""
    table = tiles.to_dataframe()
    tile = table[(table.row == row) & (table.col == col)].iloc[0]
    width = round(TILE_UM / REAL_MPP)
    for on, mpp in zip(axes, SHOWN_MPP, strict=True):
        side = round(TILE_UM / mpp)
        field = slide.read_field(x=int(tile.x), y=int(tile.y), width=width, height=width, size=side)
        on.imshow(field, extent=(0, side, side, 0))
        most = TILE_UM / min(SHOWN_MPP)
        on.set(xlim=(side / 2 - most / 2, side / 2 + most / 2), ylim=(side / 2 + most / 2, side / 2 - most / 2))
        on.set_title(f"{mpp:g} µm/px, {side} px", fontsize=8)
        on.set_axis_off()
    axes[0].text(0, 1.25, name, transform=axes[0].transAxes, fontsize=10, fontweight="bold")


def _curve(axes: Axes, found: ws.ScaleMap, row: int, col: int, name: str) -> None:
    curves: Mapping[str, np.ndarray] = found.curves
    responses = np.mean([curve[row, col] / np.nanmax(curve[row, col]) for curve in curves.values()], axis=0)
    (line,) = axes.plot(found.rung_mpp, responses / np.nanmax(responses), marker="o", label=name)
    axes.axvline(found.optimal_mpp[row, col], color=line.get_color(), linestyle="--", linewidth=1)


if __name__ == "__main__":
    main()
