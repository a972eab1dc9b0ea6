"""PNG and JPEG images as slides of one level."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import JpegImagePlugin, PngImagePlugin
from PIL.ImageFile import ImageFile

from wsi_scale.errors import SlideError
from wsi_scale.slides.intensity import significant_bits, to_eight_bits
from wsi_scale.slides.levels import Level
from wsi_scale.slides.slide import Slide

#: Images are decoded whole; one that takes more than this is refused.
MAX_IMAGE_BYTES = 1 << 30

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
JPEG_MAGIC = b"\xff\xd8\xff"

_COLOUR_MODES = {"RGB": "RGB", "RGBA": "RGBA", "L": "RGB", "LA": "RGBA", "P": "RGBA", "PA": "RGBA"}
_SIXTEEN_BIT_MODES = ("I;16", "I;16B", "I")


class ImageSlide(Slide):
    """A PNG or JPEG image; its dpi and EXIF orientation are ignored.

    Raises
    ------
    SlideError
        If the image is damaged, too large to be decoded whole, or neither grey nor RGB.
    """

    def __init__(self, path: Path) -> None:
        self._pixels = _decode(path)
        height, width = self._pixels.shape[:2]
        vendor = "png" if _is_png(path) else "jpeg"
        super().__init__(path, vendor, (Level(width, height, 1.0),), {})

    def _read_pixels(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        return self._pixels[y : y + height, x : x + width].copy()

    def close(self) -> None:
        """Release the pixels."""
        self._pixels = np.empty((0, 0, 3), np.uint8)


def _is_png(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(PNG_MAGIC)) == PNG_MAGIC


def _decode(path: Path) -> NDArray[np.uint8]:
    """(height, width, 3 or 4) pixels of a whole image."""
    # The readers are called by name: Image.open would apply Pillow's process-wide limit of pixels.
    reader = PngImagePlugin.PngImageFile if _is_png(path) else JpegImagePlugin.JpegImageFile
    try:
        with reader(str(path)) as image:
            width, height = image.size
            if width * height * 4 > MAX_IMAGE_BYTES:
                raise SlideError(
                    f"{path}: the header claims {width}x{height} px, more than an image can have here; "
                    "convert it to a pyramidal TIFF"
                )
            return _rgb(path, image)
    except (OSError, SyntaxError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise SlideError(f"{path}: the image cannot be decoded ({reason}); copy or export it again") from error


def _rgb(path: Path, image: ImageFile) -> NDArray[np.uint8]:
    if image.mode in _SIXTEEN_BIT_MODES:
        grey = np.asarray(image).astype(np.uint16)
        eight = to_eight_bits(grey, significant_bits(int(grey.max())))
        return np.repeat(eight[..., np.newaxis], 3, axis=2)
    mode = _COLOUR_MODES.get(image.mode)
    if mode is None:
        raise SlideError(f"{path}: an image of mode {image.mode} is neither grey nor RGB; convert it to RGB")
    return np.asarray(image.convert(mode))
