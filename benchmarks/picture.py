"""Draws the pictures of scale maps in README and docs.

docs/images/lung.jpg is a real slide (needs WSI_SCALE_DATA), as `wsi-scale plot` draws it; docs/images/scale-map.png
shows what `make demo` left in results/.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

import wsi_scale as ws
from benchmarks.data import IMAGES, RESULTS, data_root
from wsi_scale.artifacts.pictures import THUMBNAIL
from wsi_scale.artifacts.scale_map import read_scale_map
from wsi_scale.report.picture import Shown, draw_picture
from wsi_scale.report.pictured import read_pictured

DEMO = Path("results/slides/demo-1_doubling")
#: Squamous carcinoma of the lung, H&E, of an atlas under the MIT licence; its header holds a converter's default.
REAL, REAL_MPP = "slides/lung-he_vips-default-1000umpp.tif", 0.263018
#: Tiles that overlap by three quarters, for a map of 28 µm a cell.
OVERLAP_PX = 168
#: Small enough for the first picture of a page.
_DPI, _JPEG = 130, {"quality": 88, "subsampling": 0, "optimize": True}


def main() -> None:
    """Draw both pictures."""
    draw_real(IMAGES / "lung.jpg")
    draw_demo(IMAGES / "scale-map.png")


def draw_real(target: Path) -> None:
    """Run a real slide and draw its map."""
    folder = RESULTS / "picture"
    tiling, features = {"overlap_px": OVERLAP_PX}, {"mpps": [2.0], "optimal": False}
    ws.run(data_root() / REAL, folder, slide_id="lung", mpp=REAL_MPP, tiling=tiling, features=features)
    draw_picture(read_pictured(folder), Shown()).savefig(target, dpi=_DPI, pil_kwargs=_JPEG)


def draw_demo(target: Path) -> None:
    """Draw a demo slide and its scale map side by side, both in mm."""
    scale_map, _ = read_scale_map(DEMO)
    grid = scale_map.grid
    width, height = grid.slide_width * grid.mpp_x / 1000, grid.slide_height * grid.mpp_y / 1000
    step, half = grid.step_um / 1000, grid.tile_px * grid.mpp / 2000
    left, top = half - step / 2, half - step / 2
    extent = (left, left + grid.cols * step, top + grid.rows * step, top)
    figure = Figure(figsize=(10, 3.7), layout="constrained")
    slide_axes, map_axes = figure.subplots(1, 2, sharex=True, sharey=True)
    slide_axes.imshow(np.asarray(Image.open(DEMO / THUMBNAIL)), extent=(0, width, height, 0))
    slide_axes.set(title="nuclei double in radius half-way across", xlabel="mm", ylabel="mm")
    shown = map_axes.imshow(scale_map.channel("optimal_mpp"), extent=extent, norm="log", cmap="viridis")
    map_axes.set(title="scale map", xlabel="mm", xlim=(0, width), ylim=(height, 0))
    bar = figure.colorbar(shown, ax=map_axes, ticks=[0.5, 0.7, 1.0, 1.4, 2.0], format="%g")
    bar.minorticks_off()
    bar.set_label("optimal mpp, µm/px")
    figure.savefig(target, dpi=110)


if __name__ == "__main__":
    main()
