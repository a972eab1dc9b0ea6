"""TIFF and OME-TIFF that OpenSlide does not read (or not wholly), by tifffile."""

import struct
import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray

from wsi_scale.errors import SlideError
from wsi_scale.slides.intensity import significant_bits, to_eight_bits
from wsi_scale.slides.slide import Level, Slide

#: Decoded strips and tiles that a slide keeps, so that neighbours are not decoded twice.
CACHE_BYTES = 192 << 20

#: The number of bits in use is told from at most this many strips or tiles of the coarsest level.
SAMPLED_SEGMENTS = 64

#: What tifffile and its codecs raise on damaged files.
TIFF_ERRORS = (
    tifffile.TiffFileError,
    imagecodecs.DelayedImportError,
    OSError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    RuntimeError,
    struct.error,
)

_MINISWHITE, _MINISBLACK, _RGB, _YCBCR = 0, 1, 2, 6
_JPEGS = (6, 7, 33003, 33005, 34712)
#: The marker that ends a JPEG image and a JPEG 2000 codestream; within their data it cannot occur.
_END_OF_IMAGE = b"\xff\xd9"


class Position(NamedTuple):
    """Where a strip or tile lies: top-left in the level's pixels, and its plane."""

    x: int
    y: int
    plane: int
    number: int


class TiffSlide(Slide):
    """A slide read by tifffile, strip by strip or tile by tile.

    Parameters
    ----------
    path
        A TIFF that ``check_tiff`` has let through.
    properties
        Properties that OpenSlide reported, where it opened the file too.

    Raises
    ------
    SlideError
        If the file is no 8- or 16-bit grey or RGB(A) image.
    """

    def __init__(self, path: Path, properties: Mapping[str, str] | None = None) -> None:
        self._lock = threading.Lock()
        try:
            self._file = tifffile.TiffFile(path)
        except TIFF_ERRORS as error:
            raise SlideError(f"{path}: the TIFF cannot be opened ({_one_line(error)})") from error
        try:
            self._pages = _level_pages(path, self._file)
            self._cache = SegmentCache()
            self._bits = self._significant_bits()
        except TIFF_ERRORS as error:
            self._file.close()
            raise SlideError(f"{path}: the TIFF cannot be read ({_one_line(error)})") from error
        except SlideError:
            self._file.close()
            raise
        first = self._pages[0]
        levels = tuple(Level(page.imagewidth, page.imagelength, _downsample(first, page)) for page in self._pages)
        vendor = "ome-tiff" if self._file.is_ome else "tiff"
        super().__init__(path, vendor, levels, properties or {})

    def _significant_bits(self) -> int:
        """Bits in use of 16-bit samples, the same for every level."""
        last = len(self._pages) - 1
        page = self._pages[last]
        if page.dtype != np.uint16:
            return 8
        step = max(1, len(page.dataoffsets) // SAMPLED_SEGMENTS)
        maxima = [int(self._segment(last, index).max()) for index in range(0, len(page.dataoffsets), step)]
        return significant_bits(max(maxima))

    def _read_pixels(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        page = self._pages[level]
        samples = page.samplesperpixel
        box = np.zeros((height, width, samples), page.dtype)
        for position in _positions(page, x, y, width, height):
            self._paste(level, position, box, x, y)
        return _displayable(box, page, self._bits)

    def _paste(self, level: int, at: Position, box: NDArray[Any], x: int, y: int) -> None:
        """Copy the part of one strip or tile that lies in the box."""
        segment = self._segment(level, at.number)
        left, top = max(at.x, x), max(at.y, y)
        right = min(at.x + segment.shape[1], x + box.shape[1])
        bottom = min(at.y + segment.shape[0], y + box.shape[0])
        part = segment[top - at.y : bottom - at.y, left - at.x : right - at.x]
        planes = slice(at.plane, at.plane + part.shape[2])
        box[top - y : bottom - y, left - x : right - x, planes] = part

    def _segment(self, level: int, index: int) -> NDArray[Any]:
        """One decoded strip or tile, (height, width, samples)."""
        page = self._pages[level]
        if page.is_memmappable and len(page.dataoffsets) == 1:
            return _mapped(self._file, page)
        found = self._cache.get((level, index))
        if found is None:
            found = self._decode(page, index)
            self._cache.put((level, index), found)
        return found

    def _decode(self, page: tifffile.TiffPage, index: int) -> NDArray[Any]:
        # tifffile reads some tags only when they are asked for: they need the lock as much as the pixels.
        with self._lock:
            length, tables = page.databytecounts[index], page.jpegtables
            self._file.filehandle.seek(page.dataoffsets[index])
            data = self._file.filehandle.read(length)
            decode = page.decode
        if length == 0:  # a sparse file leaves out empty tiles
            _, rows, columns, samples = _segment_shape(page)
            return np.full((rows, columns, samples), page.nodata, page.dtype)
        if len(data) < length:
            raise ValueError("the file ends before its pixels do")
        if int(page.compression) in _JPEGS and not page.jpegheader and _END_OF_IMAGE not in data:
            raise ValueError("JPEG data without an end")  # its decoders would fill in what is missing
        options = {"jpegtables": tables, "jpegheader": page.jpegheader} if tables else {}
        decoded, _, shape = decode(data, index, **options)
        if decoded is None:
            raise ValueError("a strip or tile is empty")
        whole: NDArray[Any] = decoded[0]
        return whole[: shape[1], : shape[2]]

    def close(self) -> None:
        """Release the file."""
        self._cache.clear()
        self._file.close()


class SegmentCache:
    """Recently decoded strips and tiles, at most ``CACHE_BYTES`` of them; safe among threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._segments: OrderedDict[tuple[int, int], NDArray[Any]] = OrderedDict()
        self._bytes = 0

    def get(self, key: tuple[int, int]) -> NDArray[Any] | None:
        """Segment of a level and index, if it is still there."""
        with self._lock:
            if key in self._segments:
                self._segments.move_to_end(key)
            return self._segments.get(key)

    def put(self, key: tuple[int, int], segment: NDArray[Any]) -> None:
        """Keep a segment and drop the oldest ones above the limit (the newest always stays)."""
        with self._lock:
            if key in self._segments:
                return
            self._segments[key] = segment
            self._bytes += segment.nbytes
            while self._bytes > CACHE_BYTES and len(self._segments) > 1:
                self._bytes -= self._segments.popitem(last=False)[1].nbytes

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._segments.clear()
            self._bytes = 0


def level_count(path: Path) -> int:
    """Pyramid levels that tifffile sees in a file (0: nothing it can read)."""
    try:
        with tifffile.TiffFile(path) as file:
            return len(file.series[0].levels) if file.series else 0
    except TIFF_ERRORS:
        return 0


def is_ome(path: Path) -> bool:
    """Whether a TIFF carries OME-XML."""
    try:
        with tifffile.TiffFile(path) as file:
            return bool(file.is_ome)
    except TIFF_ERRORS:
        return False


def _level_pages(path: Path, file: tifffile.TiffFile) -> list[tifffile.TiffPage]:
    """One checked page for each level of the first series."""
    if not file.series:
        raise SlideError(f"{path}: the TIFF holds no image")
    series = file.series[0]
    sizes = dict(zip(series.axes, series.shape, strict=True))
    planes = {axis: size for axis, size in sizes.items() if axis not in "YXS" and size > 1}
    if planes or not {"Y", "X"} <= set(series.axes):
        counts = ", ".join(f"{axis}={size}" for axis, size in planes.items()) or series.axes
        raise SlideError(
            f"{path}: not one grey or RGB image but {series.dtype} with axes {series.axes} ({counts}); "
            "export one channel or an RGB rendering of it"
        )
    pages = [level.keyframe for level in series.levels]
    for page in pages:
        _check_page(path, page)
    return pages


def _check_page(path: Path, page: tifffile.TiffPage) -> None:
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
    rows, columns = _segment_shape(page)[1:3]
    expected = -(-page.imagelength // rows) * -(-page.imagewidth // columns)
    if len(page.dataoffsets) < expected:
        raise SlideError(f"{path}: the TIFF lists fewer strips or tiles than its size needs; export it again")


def _downsample(first: tifffile.TiffPage, page: tifffile.TiffPage) -> float:
    return (first.imagewidth / page.imagewidth + first.imagelength / page.imagelength) / 2


def _segment_shape(page: tifffile.TiffPage) -> tuple[int, int, int, int]:
    """(depth, rows, columns, samples) of a whole strip or tile."""
    samples = 1 if int(page.planarconfig) == 2 else page.samplesperpixel
    if page.is_tiled:
        return 1, page.tilelength, page.tilewidth, samples
    return 1, min(page.rowsperstrip, page.imagelength), page.imagewidth, samples


def _positions(page: tifffile.TiffPage, x: int, y: int, width: int, height: int) -> list[Position]:
    """List the strips or tiles that a box touches."""
    _, rows, columns, samples = _segment_shape(page)
    across, down = -(-page.imagewidth // columns), -(-page.imagelength // rows)
    return [
        Position(column * columns, row * rows, plane, (plane * down + row) * across + column)
        for plane in range(page.samplesperpixel // samples)
        for row in range(y // rows, -(-(y + height) // rows))
        for column in range(x // columns, -(-(x + width) // columns))
    ]


def _mapped(file: tifffile.TiffFile, page: tifffile.TiffPage) -> NDArray[Any]:
    """Map an uncompressed page as it lies in the file, without reading it."""
    planar = int(page.planarconfig) == 2 and page.samplesperpixel > 1
    if planar or page.dtype is None:
        raise ValueError("an uncompressed page in one piece whose colours are apart")
    shape = (page.imagelength, page.imagewidth, page.samplesperpixel)
    dtype = page.dtype.newbyteorder(file.byteorder)
    return np.memmap(file.filehandle.path, dtype, "r", offset=page.dataoffsets[0], shape=shape)


def _displayable(box: NDArray[Any], page: tifffile.TiffPage, bits: int) -> NDArray[np.uint8]:
    """Turn samples of a page into 8-bit RGB or RGBA."""
    eight = to_eight_bits(box.astype(np.uint16), bits) if page.dtype == np.uint16 else box.astype(np.uint8)
    colours = 1 if page.samplesperpixel <= 2 else 3
    colour, extra = eight[..., :colours], eight[..., colours:]
    if int(page.photometric) == _MINISWHITE:
        colour = 255 - colour
    if colours == 1:
        colour = np.repeat(colour, 3, axis=2)
    if extra.size and page.extrasamples and int(page.extrasamples[0]) in (1, 2):
        return np.concatenate([colour, extra[..., :1]], axis=2)
    return np.ascontiguousarray(colour)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
