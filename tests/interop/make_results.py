"""Make the results that the tests of viewers open: `python -m tests.interop.make_results FOLDER`, where PyTorch is."""

import json
import sys
from pathlib import Path

import numpy as np
import zarr
from ome_zarr.writer import write_multiscale

from tests.runs import MPP, write_small_slide, wsi_scale
from wsi_scale.slides import open_slide

#: Outlines on the small slide, level-0 pixels: name, class, left, top, right, bottom.
REGIONS = (("small nuclei", "Tumor", 0, 0, 650, 1000), ("large nuclei", "Stroma", 650, 0, 1300, 700))


def make_results(folder: Path) -> None:
    """Write a slide as TIFF and as OME-Zarr, regions on it, and results of both.

    ``plain`` are those of the TIFF, tile beside tile; ``dense`` those of the OME-Zarr slide in the regions, with tiles
    that overlap by half and a map in OME-Zarr 0.4.
    """
    folder.mkdir(parents=True, exist_ok=True)
    slide = write_small_slide(folder / "small.tiff")
    with open_slide(slide) as opened:
        image = opened.read(0, 0, 0, opened.width, opened.height)
    write_multiscale(
        [np.moveaxis(image, -1, 0)],
        zarr.open_group(folder / "small.ome.zarr", mode="w"),
        axes=list("cyx"),
        axes_units={"y": "micrometer", "x": "micrometer"},
        scale={"c": 1.0, "y": MPP, "x": MPP},
        storage_options={"chunks": (3, 256, 256)},
    )
    write_regions(folder / "regions.geojson")
    run("run", slide, "-o", folder / "plain")
    options = ("tiling.overlap_px=112", "tiling.min_tissue=0.5", 'map.ome_zarr_version="0.4"')
    settings = [f"--set={option}" for option in options]
    regions = folder / "regions.geojson"
    run("run", folder / "small.ome.zarr", "-o", folder / "dense", "--regions", regions, *settings)


def write_regions(path: Path) -> None:
    """Write the outlines as QuPath exports annotations."""
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [[[a, b], [c, b], [c, d], [a, d], [a, b]]]},
            "properties": {"objectType": "annotation", "name": name, "classification": {"name": label}},
        }
        for name, label, a, b, c, d in REGIONS
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")


def run(*arguments: object) -> None:
    """Run a command that must end well."""
    result = wsi_scale(*arguments)
    assert result.exit_code == 0, result.output


if __name__ == "__main__":
    make_results(Path(sys.argv[1]))
