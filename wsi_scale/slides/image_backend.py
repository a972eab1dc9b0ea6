"""PNG and JPEG images as slides of one level."""

import os
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import JpegImagePlugin, PngImagePlugin
from PIL.ImageFile import ImageFile

from wsi_scale.errors import SlideError
from wsi_scale.slides.intensity import significant_bits, to_eight_bits
from wsi_scale.slides.levels import Level
from wsi_scale.slides.slide import Slide

#: Images are decoded whole and take four bytes a pixel; one of more megapixels is refused. How much memory a machine
#: has is not a setting of a study: the environment says it.
MAX_IMAGE_MPX, MAX_IMAGE_VARIABLE = 300, "WSI_SCALE_MAX_IMAGE_MPX"

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
JPEG_MAGIC = b"\xff\xd8\xff"

_COLOUR_MODES = {"RGB": "RGB", "RGBA": "RGBA", "L": "RGB", "LA": "RGBA", "P": "RGBA", "PA": "RGBA"}
_SIXTEEN_BIT_MODES = ("I;16", "I;16B", "I")


class ImageSlide(Slide):
    """A PNG or JPEG image; its dpi and EXIF orientation are ignored.

    It is decoded whole and held once, as Pillow holds it (four bytes a pixel in colour).

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    SlideError
        If the image is damaged, too large to be decoded whole, or neither grey nor RGB.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as stream:
            is_png = stream.read(len(PNG_MAGIC)) == PNG_MAGIC
            stream.seek(0)
            self._image = _decode(path, _PngPixels(stream) if is_png else stream, is_png)
        self._bits = self._significant_bits()
        width, height = self._image.size
        super().__init__(path, "png" if is_png else "jpeg", (Level(width, height, 1.0),), {})

    def _significant_bits(self) -> int:
        if self._image.mode not in _SIXTEEN_BIT_MODES:
            return 8
        _, largest = self._image.getextrema()
        return significant_bits(int(largest))  # type: ignore[arg-type]  # one band has one pair of extrema

    def _read_pixels(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        part = self._image.crop((x, y, x + width, y + height))
        if part.mode in _SIXTEEN_BIT_MODES:
            eight = to_eight_bits(np.asarray(part).astype(np.uint16), self._bits)
            return np.repeat(eight[..., np.newaxis], 3, axis=2)
        return np.array(part.convert(_COLOUR_MODES[part.mode]))

    def close(self) -> None:
        """Release the pixels."""
        self._image.close()


class _PngPixels:
    """A PNG file without what is not needed for its pixels: texts and the like may be of any length and damaged.

    Positions are those of the file.
    """

    _NEEDED = frozenset((b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"))

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._next_chunk = len(PNG_MAGIC)

    def read(self, count: int = -1) -> bytes:
        """Read on; at the end of a chunk, from the next one that is needed."""
        while self._stream.tell() == self._next_chunk:
            start = self._next_chunk
            head = self._stream.read(8)
            self._next_chunk = start + 12 + int.from_bytes(head[:4])
            is_skipped = len(head) == 8 and head[4:] not in self._NEEDED
            self._stream.seek(self._next_chunk if is_skipped else start)
            if not is_skipped:
                break
        return self._stream.read(count)

    def tell(self) -> int:
        """Position in the file."""
        return self._stream.tell()

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a position within the present chunk."""
        return self._stream.seek(offset, whence)


def _most_megapixels() -> float:
    text = os.environ.get(MAX_IMAGE_VARIABLE, "")
    try:
        return float(text) if text else MAX_IMAGE_MPX
    except ValueError as error:
        raise SlideError(f"{MAX_IMAGE_VARIABLE}={text} is not a number of megapixels") from error


def _decode(path: Path, stream: "BinaryIO | _PngPixels", is_png: bool) -> ImageFile:
    """Decode a whole image."""
    # The readers are called by name: Image.open would apply Pillow's process-wide limit of pixels.
    reader = PngImagePlugin.PngImageFile if is_png else JpegImagePlugin.JpegImageFile
    image = reader(stream)  # type: ignore[arg-type]  # it reads, tells and seeks
    width, height = image.size
    most = _most_megapixels()
    if width * height > most * 1e6:
        raise SlideError(
            f"{path}: the header claims {width}x{height} px, more than the {most:g} megapixels of an image that is "
            f"decoded whole; convert it to a pyramidal TIFF, or set {MAX_IMAGE_VARIABLE} (a pixel takes 4 bytes)"
        )
    if image.mode not in (*_COLOUR_MODES, *_SIXTEEN_BIT_MODES):
        raise SlideError(f"{path}: an image of mode {image.mode} is neither grey nor RGB; convert it to RGB")
    image.load()
    return image
