"""Layout of a TIFF page in its file, and conversion of its samples to colours."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tifffile
from numpy.typing import NDArray

from wsi_scale.errors import SlideError
from wsi_scale.slides.intensity import straight_colour, to_eight_bits

_MINISWHITE, _MINISBLACK, _RGB, _YCBCR = 0, 1, 2, 6
_JPEGS = (6, 7, 33003, 33005, 34712)
#: Kinds of extra samples (TIFF 6.0): colours multiplied by the alpha, or not.
_PREMULTIPLIED, _STRAIGHT = 1, 2


class Position(NamedTuple):
    """Where a strip or tile lies: top-left in the level's pixels, and its plane."""

    x: int
    y: int
    plane: int
    number: int


def check_page(path: Path, page: tifffile.TiffPage) -> None:
    """Make sure that a page can be shown.

    Raises
    ------
    SlideError
        It is neither 8- nor 16-bit grey or RGB, or lists too few strips or tiles.
    """
    samples, photometric = page.samplesperpixel, int(page.photometric)
    grey = photometric in (_MINISWHITE, _MINISBLACK) and samples in (1, 2)
    jpeg_colour = photometric == _YCBCR and int(page.compression) in _JPEGS
    colour = (photometric == _RGB or jpeg_colour) and samples in (3, 4)
    if page.dtype not in (np.uint8, np.uint16) or page.bitspersample not in (8, 16) or not (grey or colour):
        raise SlideError(
            f"{path}: {samples} sample(s) of {page.bitspersample} bits ({page.dtype}, "
            f"{getattr(page.photometric, 'name', page.photometric)}) are neither 8- nor "
            "16-bit grey or RGB; convert it to 8-bit RGB"
        )
    rows, columns, _ = segment_shape(page)
    expected = -(-page.imagelength // rows) * -(-page.imagewidth // columns)
    if len(page.dataoffsets) < expected:
        raise SlideError(f"{path}: the TIFF lists fewer strips or tiles than its size needs; export it again")


def downsample_of(first: tifffile.TiffPage, page: tifffile.TiffPage) -> float:
    """Level-0 pixels per pixel of a page as the sizes say, mean of both axes."""
    return (first.imagewidth / page.imagewidth + first.imagelength / page.imagelength) / 2


def lies_in_one_piece(page: tifffile.TiffPage) -> bool:
    """Whether rows lie uncompressed one after the other."""
    single = len(page.dataoffsets) == 1 and page.dataoffsets[0] > 0 and page.databytecounts[0] > 0
    return single and bool(page.is_memmappable) and not page.is_tiled and not planes_apart(page)


def planes_apart(page: tifffile.TiffPage) -> bool:
    """Whether each sample has strips or tiles of its own."""
    return int(page.planarconfig) == 2 and page.samplesperpixel > 1


def segment_shape(page: tifffile.TiffPage) -> tuple[int, int, int]:
    """(rows, columns, samples) of a whole strip or tile."""
    samples = 1 if planes_apart(page) else page.samplesperpixel
    if page.is_tiled:
        return page.tilelength, page.tilewidth, samples
    return min(page.rowsperstrip, page.imagelength), page.imagewidth, samples


def positions(page: tifffile.TiffPage, x: int, y: int, width: int, height: int) -> list[Position]:
    """List the strips or tiles that a box touches."""
    rows, columns, samples = segment_shape(page)
    across, down = -(-page.imagewidth // columns), -(-page.imagelength // rows)
    return [
        Position(column * columns, row * rows, plane, (plane * down + row) * across + column)
        for plane in range(page.samplesperpixel // samples)
        for row in range(y // rows, -(-(y + height) // rows))
        for column in range(x // columns, -(-(x + width) // columns))
    ]


def displayable(box: NDArray[Any], page: tifffile.TiffPage, bits: tuple[int, int]) -> NDArray[np.uint8]:
    """Turn samples of a page into 8-bit RGB or RGBA."""
    colours = 1 if page.samplesperpixel <= 2 else 3
    colour, extra = _eight_bits(box[..., :colours], bits[0]), box[..., colours : colours + 1]
    if colours == 1:
        colour = np.repeat(colour, 3, axis=2)
    kind = int(page.extrasamples[0]) if extra.size and page.extrasamples else 0
    alpha = _eight_bits(extra, bits[1]) if kind in (_PREMULTIPLIED, _STRAIGHT) else None
    if alpha is not None and kind == _PREMULTIPLIED:
        colour = straight_colour(colour, alpha)
    if int(page.photometric) == _MINISWHITE:
        colour = 255 - colour
    return np.ascontiguousarray(colour) if alpha is None else np.concatenate([colour, alpha], axis=2)


def _eight_bits(samples: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    return to_eight_bits(samples.astype(np.uint16), bits) if samples.dtype.itemsize == 2 else samples.astype(np.uint8)
