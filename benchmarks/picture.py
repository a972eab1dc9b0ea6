"""Draws docs/images/scale-map.png, the README's picture, from what `make demo` left in results/."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from wsi_scale.artifacts.pictures import THUMBNAIL
from wsi_scale.artifacts.scale_map import read_scale_map

SLIDE = Path("results/slides/demo-1_doubling")
TARGET = Path("docs/images/scale-map.png")


def main() -> None:
    """Draw the slide and its scale map side by side, both in mm."""
    scale_map, _ = read_scale_map(SLIDE)
    grid = scale_map.grid
    width, height = grid.slide_width * grid.mpp_x / 1000, grid.slide_height * grid.mpp_y / 1000
    step, half = grid.step_um / 1000, grid.tile_px * grid.mpp / 2000
    left, top = half - step / 2, half - step / 2
    extent = (left, left + grid.cols * step, top + grid.rows * step, top)
    figure = Figure(figsize=(10, 3.7), layout="constrained")
    slide_axes, map_axes = figure.subplots(1, 2, sharex=True, sharey=True)
    slide_axes.imshow(np.asarray(Image.open(SLIDE / THUMBNAIL)), extent=(0, width, height, 0))
    slide_axes.set(title="nuclei double in radius half-way across", xlabel="mm", ylabel="mm")
    shown = map_axes.imshow(scale_map.channel("optimal_mpp"), extent=extent, norm="log", cmap="viridis")
    map_axes.set(title="scale map", xlabel="mm", xlim=(0, width), ylim=(height, 0))
    bar = figure.colorbar(shown, ax=map_axes, ticks=[0.5, 0.7, 1.0, 1.4, 2.0], format="%g")
    bar.minorticks_off()
    bar.set_label("optimal mpp, µm/px")
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(TARGET, dpi=110)


if __name__ == "__main__":
    main()
