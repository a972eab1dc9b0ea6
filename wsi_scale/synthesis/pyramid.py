"""Pyramidal tiled JPEG TIFFs that OpenSlide opens as generic-tiff with a µm per pixel."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsi_scale.artifacts.atomic import replacing_file

TILE_PX = 256

#: Usual JPEG quality of every level.
QUALITY = 87

#: The pyramid ends with the first level that is no larger than this.
SMALLEST_PX = 400

MICROMETRES_PER_CM = 10_000.0


def write_pyramid(
    path: Path, image: NDArray[np.uint8], mpp: float, *, header_mpp: float | None = None, quality: int = QUALITY
) -> None:
    """Write an RGB image as a pyramid of halved levels; the same pixels give the same bytes.

    The file is written beside its place and renamed, so that it is never incomplete.

    Parameters
    ----------
    path
        The TIFF to write; an older one is replaced.
    image
        Level 0, array (row, column, colour).
    mpp
        True µm per pixel of level 0.
    header_mpp
        What the resolution tags claim instead of the truth.
    quality
        Of the JPEG compression of every level, 1–100.
    """
    import tifffile

    claimed = mpp if header_mpp is None else header_mpp
    with replacing_file(path) as part, tifffile.TiffWriter(part, bigtiff=False) as tiff:
        for index, level in enumerate(_levels(image)):
            per_cm = MICROMETRES_PER_CM / (claimed * image.shape[1] / level.shape[1])
            tiff.write(
                level,
                photometric="rgb",
                tile=(TILE_PX, TILE_PX),
                compression="jpeg",
                compressionargs={"level": quality},
                subfiletype=1 if index else 0,
                resolution=(per_cm, per_cm),
                resolutionunit="CENTIMETER",
                software="wsi-scale",
                metadata=None,
            )


def _levels(image: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    levels = [image]
    while max(levels[-1].shape[:2]) > SMALLEST_PX:
        levels.append(halve(levels[-1]))
    return levels


def halve(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Average blocks of 2 × 2 pixels; an odd last row or column is left out."""
    rows, columns = (length // 2 for length in image.shape[:2])
    even = image[: 2 * rows, : 2 * columns].astype(np.uint16)
    total = even[0::2, 0::2] + even[1::2, 0::2] + even[0::2, 1::2] + even[1::2, 1::2]
    halved: NDArray[np.uint8] = ((total + 2) // 4).astype(np.uint8)
    return halved
