"""Small slides from real tissue."""

import os
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.data import data_root
from benchmarks.sources import read_crops
from wsi_scale.synthesis import write_pyramid

#: Side of a slide, pixels of its level 0: 3 × 3 tiles at the pixel sizes below.
SIDE_PX = 1024
#: µm per pixel of the tissue that is used.
MPPS = (0.2, 0.3)


def make_slides(folder: Path, count: int) -> None:
    """Write slides, each a crop of tissue with its own µm per pixel; what is there is left as it is.

    More slides than crops are links to the same files, under other names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sources = [source for source in read_crops(data_root(), ("tissue",)) if MPPS[0] <= source.mpp <= MPPS[1]]
    sources.sort(key=lambda source: source.path.name)
    for number in range(count):
        path = folder / f"slide-{number:04}.tiff"
        if path.exists():
            continue
        if number < len(sources):
            with Image.open(sources[number].path) as image:
                pixels = np.asarray(image.convert("RGB"))[:SIDE_PX, :SIDE_PX]
            write_pyramid(path, pixels, sources[number].mpp)
        else:
            os.link(folder / f"slide-{number % len(sources):04}.tiff", path)
