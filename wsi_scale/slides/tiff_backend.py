"""TIFF and OME-TIFF files that OpenSlide does not read completely, read by tifffile."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from wsi_scale.errors import RegionError, SlideError
from wsi_scale.slides.border import decoding
from wsi_scale.slides.codestream import check_codestream
from wsi_scale.slides.intensity import significant_bits
from wsi_scale.slides.levels import Level
from wsi_scale.slides.slide import Slide
from wsi_scale.slides.tiff_header import TiffHeader
from wsi_scale.slides.tiff_images import TiffImage
from wsi_scale.slides.tiff_page import (
    Position,
    check_page,
    displayable,
    downsample_of,
    lies_in_one_piece,
    planes_apart,
    positions,
    segment_shape,
)

#: Decoded strips and tiles that a slide keeps, so that neighbours are not decoded twice.
CACHE_BYTES = 192 << 20

#: The number of bits in use is found from at most this many strips or tiles of a level.
SAMPLED_SEGMENTS = 64

_UNCOMPRESSED = 1
#: What OpenSlide calls a TIFF that no vendor marks as its own.
_GENERIC = "generic-tiff"


class TiffSlide(Slide):
    """One image of a TIFF, read by tifffile, strip by strip or tile by tile.

    Strips and tiles that the file leaves out are transparent.

    Parameters
    ----------
    path
        The file.
    header
        As ``read_header`` gives it.
    image
        Which of the file's images.
    properties
        Properties that OpenSlide reported of this image, where it opened the file too.
    warnings
        One line each, for the user.

    Raises
    ------
    SlideError
        If it is no 8- or 16-bit grey or RGB(A) image.
    """

    def __init__(
        self,
        path: Path,
        header: TiffHeader,
        image: TiffImage,
        properties: Mapping[str, str] | None = None,
        warnings: tuple[str, ...] = (),
    ) -> None:
        if image.stack:
            raise SlideError(
                f"{path}: not a single grey or RGB image but {image.stack}; export one channel or an RGB rendering"
            )
        #: The image that is read: its directory (offset, number in the main chain) and its place in the OME-XML.
        self.image = image
        self._lock = threading.Lock()
        self._cache = SegmentCache()
        # tifffile would tell Hamamatsu's variant by the suffix.
        self._file = tifffile.TiffFile(path, is_ndpi=header.is_ndpi)
        try:
            self._pages = [_page_at(self._file, found.number, found.offset) for found in image.levels]
            for page in self._pages:
                check_page(path, page)
            self._bits = self._significant_bits(path)
            first = self._pages[0]
            levels = tuple(Level(page.imagewidth, page.imagelength, downsample_of(first, page)) for page in self._pages)
            properties = properties or {}
            vendor = properties.get("openslide.vendor", _GENERIC)
            if vendor == _GENERIC:
                vendor = "tiff" if image.ome_index is None else "ome-tiff"
            super().__init__(path, vendor, levels, properties, warnings)
            self._settle_by_pixels()
        except BaseException:
            self._file.close()
            raise

    def _significant_bits(self, path: Path) -> tuple[int, int]:
        """Bits in use of 16-bit colours and of their alpha, by the coarsest level of which anything can be decoded."""
        deep = [level for level, page in enumerate(self._pages) if page.dtype == np.uint16]
        for level in reversed(deep):
            colour, alpha = self._largest_values(path, level)
            if colour:
                return significant_bits(colour), significant_bits(alpha)
        return significant_bits(0), significant_bits(0)

    def _largest_values(self, path: Path, level: int) -> tuple[int, int]:
        """Largest value of a level's colours and of its alpha, as far as it can be decoded."""
        page = self._pages[level]
        colours = 1 if page.samplesperpixel <= 2 else 3
        step = max(1, len(page.dataoffsets) // SAMPLED_SEGMENTS)
        largest = [0, 0]
        for index in range(0, len(page.dataoffsets), step):
            try:
                with decoding(path, level, 0, 0):
                    segment = self._segment(level, index)
            except RegionError:  # told from the others
                continue
            plane = index * page.samplesperpixel // len(page.dataoffsets) if planes_apart(page) else 0
            if segment is not None:
                split = max(0, colours - plane)
                largest[0] = max(largest[0], int(segment[..., :split].max(initial=0)))
                largest[1] = max(largest[1], int(segment[..., split:].max(initial=0)))
        return largest[0], largest[1]

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """(width, height) of each level in the file."""
        return [(page.imagewidth, page.imagelength) for page in self._pages]

    def decoded(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        """Decode a box of a level of the file: (height, width, 3) RGB or (height, width, 4) RGBA, uint8."""
        return self._read_pixels(level, x, y, width, height)

    def _read_pixels(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        page = self._pages[level]
        if lies_in_one_piece(page):
            return displayable(self._read_rows(page, x, y, width, height), page, self._bits)
        box = np.zeros((height, width, page.samplesperpixel), page.dtype)
        held = np.ones((height, width), np.bool_)
        for position in positions(page, x, y, width, height):
            self._paste(level, position, box, held, x, y)
        pixels = displayable(box, page, self._bits)
        if held.all():
            return pixels
        alpha = np.where(held, pixels[..., 3] if pixels.shape[2] == 4 else 255, 0).astype(np.uint8)
        return np.dstack([pixels[..., :3], alpha])

    def _paste(self, level: int, at: Position, box: NDArray[Any], held: NDArray[np.bool_], x: int, y: int) -> None:
        """Copy the part of one strip or tile that lies in the box, or note that the file does not hold it."""
        segment = self._segment(level, at.number)
        rows, columns = segment.shape[:2] if segment is not None else segment_shape(self._pages[level])[:2]
        left, top = max(at.x, x), max(at.y, y)
        right, bottom = min(at.x + columns, x + box.shape[1]), min(at.y + rows, y + box.shape[0])
        target = slice(top - y, bottom - y), slice(left - x, right - x)
        if segment is None:
            held[target] = False
            return
        part = segment[top - at.y : bottom - at.y, left - at.x : right - at.x]
        box[(*target, slice(at.plane, at.plane + part.shape[2]))] = part

    def _read_rows(self, page: tifffile.TiffPage, x: int, y: int, width: int, height: int) -> NDArray[Any]:
        """Read a box of an uncompressed page in one piece, row by row.

        The file is read, not mapped: one that is cut while it is mapped ends the process.
        """
        if page.dtype is None:
            raise ValueError("unknown kind of samples")
        samples, size = page.samplesperpixel, page.dtype.itemsize
        box = np.empty((height, width, samples), page.dtype.newbyteorder(self._file.byteorder))
        with self._lock:
            for row in range(height):
                start = page.dataoffsets[0] + ((y + row) * page.imagewidth + x) * samples * size
                self._file.filehandle.seek(start)
                data = self._file.filehandle.read(width * samples * size)
                box[row] = np.frombuffer(data, box.dtype).reshape(width, samples)
        return box

    def _segment(self, level: int, index: int) -> NDArray[Any] | None:
        """One decoded strip or tile, (height, width, samples); None if the file leaves it out."""
        found = self._cache.get((level, index))
        if found is None:
            found = self._decode_segment(self._pages[level], index)
            if found is not None:
                self._cache.put((level, index), found)
        return found

    def _decode_segment(self, page: tifffile.TiffPage, index: int) -> NDArray[Any] | None:
        # tifffile reads some tags only when they are asked for: they need the lock as much as the pixels.
        with self._lock:
            offset, length, tables = page.dataoffsets[index], page.databytecounts[index], page.jpegtables
            if offset == 0 or length == 0:
                return None
            self._file.filehandle.seek(offset)
            data = self._file.filehandle.read(length)
            decode = page.decode
        if len(data) < length:
            raise ValueError("the file ends before its pixels do")
        if int(page.compression) != _UNCOMPRESSED:
            rows, columns, _ = segment_shape(page)
            check_codestream(data, columns, rows)
        options = {"jpegtables": tables, "jpegheader": page.jpegheader} if tables or page.jpegheader else {}
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
        """Return the segment of a level and index, if it is in the cache."""
        with self._lock:
            if key in self._segments:
                self._segments.move_to_end(key)
            return self._segments.get(key)

    def put(self, key: tuple[int, int], segment: NDArray[Any]) -> None:
        """Store a segment and drop the oldest ones above the limit (the newest always stays)."""
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


def _page_at(file: tifffile.TiffFile, number: int, offset: int) -> tifffile.TiffPage:
    """Read the directory at an offset."""
    file.filehandle.seek(offset)
    return tifffile.TiffPage(file, index=number)
