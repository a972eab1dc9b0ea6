"""Slides in OME-Zarr 0.4 and 0.5 (Zarr 2 and 3), in a local folder."""

from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from wsi_scale.errors import SlideError
from wsi_scale.slides.border import reason_of
from wsi_scale.slides.intensity import significant_bits, to_eight_bits
from wsi_scale.slides.levels import Level
from wsi_scale.slides.ome_zarr import OmeZarrImage, find_image, plane_shape
from wsi_scale.slides.slide import Slide

#: The number of bits in use is found from at most this many bands of the coarsest level.
_SAMPLED_BANDS = 16

#: What zarr and its codecs raise on a chunk that is damaged or cut short.
_DAMAGE = (RuntimeError, ValueError)

_EXPORT = "export one channel or an RGB rendering"


class OmeZarrSlide(Slide):
    """An image in OME-Zarr.

    Chunks that the store leaves out are transparent.

    Parameters
    ----------
    path
        Folder of the store.

    Raises
    ------
    SlideError
        It holds no 8- or 16-bit grey or RGB image.
    """

    def __init__(self, path: Path) -> None:
        image = find_image(path)
        self._axes = image.axes
        self._arrays = [_open(image, name) for name in image.levels]
        self._folders = [image.group / name for name in image.levels]
        _check(path, image, self._arrays[0])
        self._bits = self._significant_bits() if self._arrays[0].dtype.itemsize == 2 else 8
        x0, y0 = image.scales[0]
        levels = tuple(
            Level(array.shape[-1], array.shape[-2], (x / x0 + y / y0) / 2)
            for array, (x, y) in zip(self._arrays, image.scales, strict=True)
        )
        super().__init__(path, "ome-zarr", levels, {})
        self.mpp_claims = () if image.mpp_claim is None else (image.mpp_claim,)
        self.why_no_mpp = image.why_no_mpp

    def _significant_bits(self) -> int:
        """Bits in use, by the coarsest level of which anything can be decoded."""
        for array in reversed(self._arrays):
            band, height = array.chunks[-2], array.shape[-2]
            largest = 0
            for top in range(0, height, max(band, height // _SAMPLED_BANDS // band * band)):
                with suppress(*_DAMAGE):  # told from the other bands
                    largest = max(largest, int(np.max(array[..., top : top + band, :], initial=0)))
            if largest:
                return significant_bits(largest)
        return significant_bits(0)

    def _read_pixels(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        plane = tuple(slice(None) if axis == "c" else 0 for axis in self._axes[:-2])
        box = slice(y, y + height), slice(x, x + width)
        try:
            values = np.asarray(self._arrays[level][(*plane, *box)])
        except _DAMAGE as error:
            raise ValueError(f"{self._damaged(level, box)}: {reason_of(error)}") from error
        pixels = to_eight_bits(values, self._bits) if values.dtype.itemsize == 2 else values.astype(np.uint8)
        pixels = pixels[np.newaxis] if pixels.ndim == 2 else pixels
        colour = np.ascontiguousarray(np.moveaxis(np.broadcast_to(pixels, (3, height, width)), 0, -1))
        held = self._held(level, x, y, width, height)
        return colour if held is None else np.dstack([colour, np.where(held, 255, 0).astype(np.uint8)])

    def _damaged(self, level: int, box: tuple[slice, slice]) -> str:
        """Name the first file that cannot be decoded in a box, within the store; zarr's errors do not."""
        array, folder = self._arrays[level], self._folders[level]
        sizes = array.shards or array.chunks
        leading = [slice(0, length) for length in array.shape[:-2]]
        ends = list(zip([*leading, *box], sizes, strict=True))
        for place in product(*(range(own.start // size, -(-own.stop // size)) for own, size in ends)):
            part = [slice(max(own.start, at * size), min(own.stop, (at + 1) * size))
                    for at, (own, size) in zip(place, ends, strict=True)]  # fmt: skip
            try:
                array[tuple(part)]
            except _DAMAGE:
                return str((folder / array.metadata.encode_chunk_key(place)).relative_to(self.path))
        return str(folder.relative_to(self.path))

    def _held(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.bool_] | None:
        """(height, width): where the store has a file for the pixels; None if everywhere."""
        array, folder = self._arrays[level], self._folders[level]
        rows, columns = (array.shards or array.chunks)[-2:]
        first = (0,) * (len(self._axes) - 2)
        held: NDArray[np.bool_] | None = None
        for row in range(y // rows, -(-(y + height) // rows)):
            for column in range(x // columns, -(-(x + width) // columns)):
                if not (folder / array.metadata.encode_chunk_key((*first, row, column))).exists():
                    held = np.ones((height, width), np.bool_) if held is None else held
                    top, left = row * rows - y, column * columns - x
                    held[max(0, top) : max(0, top + rows), max(0, left) : max(0, left + columns)] = False
        return held

    def close(self) -> None:
        """Release the slide; a store keeps no file open."""


def _open(image: OmeZarrImage, name: str) -> zarr.Array[Any]:
    plane_shape(image, image.levels.index(name))  # a damaged file is named, which zarr does not do
    array = zarr.open_array(image.group / name, mode="r")
    if array.ndim != len(image.axes):
        raise ValueError(f"array {name} has {array.ndim} axes and not {len(image.axes)}")
    return array


def _check(path: Path, image: OmeZarrImage, array: zarr.Array[Any]) -> None:
    """Refuse what is no grey or RGB image of 8 or 16 bits."""
    sizes = dict(zip(image.axes, array.shape, strict=True))
    stack = [f"{sizes[axis]} {name}" for axis, name in (("z", "depths"), ("t", "times")) if sizes.get(axis, 1) > 1]
    channels = sizes.get("c", 1)
    if stack or channels not in (1, 3):
        said = ", ".join([*stack, *([f"{channels} channels"] if channels not in (1, 3) else [])])
        raise SlideError(f"{path}: not a single grey or RGB image but {said}; {_EXPORT}")
    if array.dtype not in (np.uint8, np.uint16):
        raise SlideError(f"{path}: an image of {array.dtype} is no slide; convert it to 8 or 16 bits")
    declared = image.declares_colour
    if channels == 3 and not (declared or (declared is None and array.dtype == np.uint8)):
        named = ", ".join(str(channel.get("label") or channel.get("color")) for channel in image.channels)
        raise SlideError(f"{path}: its three channels ({named or 'unnamed'}) are not red, green and blue; {_EXPORT}")
