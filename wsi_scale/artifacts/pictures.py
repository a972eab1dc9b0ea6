"""``thumbnail.jpg``, ``tissue.png`` (the mask) and ``overlay.png`` (the mask and the tiles on the slide)."""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wsi_scale.artifacts import names
from wsi_scale.artifacts.atomic import replacing_file
from wsi_scale.errors import ArtifactError
from wsi_scale.results.tiles import TissueMask

THUMBNAIL, MASK, OVERLAY = names.THUMBNAIL, names.MASK, names.OVERLAY

#: What Pillow raises on damaged files.
_DAMAGED = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


#: Grey of the mask's pixels where the slide cannot be decoded, by what is taken for tissue there.
_UNREADABLE_GLASS, _UNREADABLE_TISSUE = 64, 192


def write_pictures(
    folder: Path,
    thumbnail: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    overlay: NDArray[np.uint8],
    unreadable: NDArray[np.bool_] | None = None,
) -> None:
    """Write the three pictures.

    Parameters
    ----------
    thumbnail, overlay
        (row, col, rgb).
    mask
        (row, col) True on tissue: white, else black.
    unreadable
        (row, col) True where the slide cannot be decoded: light grey if the mask counts it as tissue, else dark
        grey. None if all of it can be decoded.
    """
    shades = Image.fromarray(mask)
    if unreadable is not None:
        unknown = np.where(mask, _UNREADABLE_TISSUE, _UNREADABLE_GLASS)
        shades = Image.fromarray(np.where(unreadable, unknown, 255 * mask).astype(np.uint8))
    _save(folder / THUMBNAIL, Image.fromarray(thumbnail), "JPEG")
    _save(folder / MASK, shades, "PNG")
    _save(folder / OVERLAY, Image.fromarray(overlay), "PNG")


def read_tissue(folder: Path) -> TissueMask:
    """Read the tissue mask, and where the slide cannot be decoded.

    Raises
    ------
    ArtifactError
        It is missing or damaged.
    """
    path = folder / MASK
    try:
        with Image.open(path) as image:
            shades = np.asarray(image.convert("L"))
    except _DAMAGED as error:
        raise ArtifactError(f"cannot read {path} ({error}); run `wsi-scale tile` again") from error
    unreadable = (shades == _UNREADABLE_GLASS) | (shades == _UNREADABLE_TISSUE)
    return TissueMask(shades >= _UNREADABLE_TISSUE, unreadable if unreadable.any() else None)


def read_thumbnail(folder: Path) -> NDArray[np.uint8]:
    """Read the picture of the slide, (row, col, rgb).

    Raises
    ------
    ArtifactError
        It is missing or damaged.
    """
    with Image.open(check_picture(folder / THUMBNAIL)) as image:
        return np.asarray(image.convert("RGB"))


def check_picture(path: Path) -> Path:
    """Decode one of the pictures completely, to check it.

    Returns
    -------
    Path
        The path given.

    Raises
    ------
    ArtifactError
        It is missing or damaged.
    """
    try:
        with Image.open(path) as image:
            image.load()
    except _DAMAGED as error:
        raise ArtifactError(f"cannot read {path} ({error}); run `wsi-scale tile` again") from error
    return path


def _save(path: Path, image: Image.Image, kind: str) -> None:
    # Pillow's JPEG encoder takes no notice of a short write, so that a full disk would cut the file in silence.
    encoded = io.BytesIO()
    image.save(encoded, kind, **({"quality": 88} if kind == "JPEG" else {}))
    with replacing_file(path) as part:
        part.write_bytes(encoded.getbuffer())
