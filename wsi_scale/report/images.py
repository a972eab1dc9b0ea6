"""Pictures as data URIs, so that a page needs no other files."""

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image

#: Longer side of an embedded picture, pixels.
LONGER_SIDE_PX = 900
#: Longer side of the pale picture under a map, pixels.
_UNDERLAY_PX = 600
#: How far the picture under a map is faded to white.
_FADED = 0.55


def photograph(path: Path) -> tuple[str, int, int]:
    """Embed a picture file, shrunk where it is large.

    Returns
    -------
    tuple
        The data URI, and its width and height in pixels.
    """
    from PIL import Image

    with Image.open(path) as stored:
        image = stored.convert("RGB")
    image.thumbnail((LONGER_SIDE_PX, LONGER_SIDE_PX), Image.Resampling.LANCZOS)
    return _jpeg(image), image.width, image.height


def underlay(path: Path) -> str:
    """Embed a picture file grey and pale, to lie under a map."""
    from PIL import Image

    with Image.open(path) as stored:
        image = stored.convert("L")
    image.thumbnail((_UNDERLAY_PX, _UNDERLAY_PX), Image.Resampling.LANCZOS)
    return _jpeg(Image.blend(image, Image.new("L", image.size, 255), _FADED))


def picture(image: NDArray[np.uint8]) -> str:
    """Embed (row, col, rgb) pixels of a photograph."""
    from PIL import Image

    return _jpeg(Image.fromarray(image))


def pixels_uri(rgba: NDArray[np.uint8]) -> str:
    """Embed (row, col, rgba) pixels without loss."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(rgba).save(stream, "PNG", optimize=True)
    return _uri("image/png", stream.getvalue())


def _jpeg(image: "Image.Image") -> str:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=82, optimize=True)
    return _uri("image/jpeg", stream.getvalue())


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
