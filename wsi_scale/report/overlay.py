"""The tissue and the tiles drawn on a slide's thumbnail."""

import numpy as np
from numpy.typing import NDArray

#: Orange and sky blue: far from the stains, and told apart from each other by everyone.
OUTLINE_RGB = (230, 97, 0)
FRAME_RGB = (0, 114, 178)

#: Stripes over what cannot be decoded: two greys and their width, pixels.
_STRIPES = (96, 160)
_STRIPE_PX = 4

#: What is left of the background's brightness.
_BACKGROUND = 0.82
#: Thumbnail pixels for each pixel of the outline's width, so that it survives being shown smaller.
_PX_PER_OUTLINE_PX = 700
#: Frames of tiles of this side (px) are drawn at full strength, of smaller ones fainter.
_STRONG_TILE_PX = 24
_FRAME_STRENGTH = (0.25, 0.75)


def draw_overlay(
    thumbnail: NDArray[np.uint8], mask: NDArray[np.bool_], corners: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """Outline the tissue, dim the background and frame the tiles.

    Parameters
    ----------
    thumbnail
        (row, col, rgb).
    mask
        (row, col), True on tissue.
    corners
        (tile, 4): left, top, right, bottom in thumbnail pixels; what lies outside is cut off.

    Returns
    -------
    ndarray
        (row, col, rgb); a tissue pixel under neither outline nor frame keeps its value.

    Examples
    --------
    >>> drawn = draw_overlay(np.full((9, 9, 3), 200, np.uint8), np.ones((9, 9), bool), np.zeros((0, 4)))
    >>> int(drawn.min()), int(drawn.max())
    (200, 200)
    """
    drawn = thumbnail.astype(np.float32)
    drawn[~mask] *= _BACKGROUND
    frames = _frames(mask.shape, corners)
    strength = _frame_strength(corners)
    drawn[frames] = (1 - strength) * drawn[frames] + strength * np.array(FRAME_RGB, np.float32)
    drawn[_outline(mask)] = OUTLINE_RGB
    return np.rint(drawn).astype(np.uint8)


def hatched(image: NDArray[np.uint8], unreadable: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Draw grey stripes over parts that cannot be decoded.

    Parameters
    ----------
    image
        (row, col, rgb).
    unreadable
        (row, col).
    """
    row, col = np.indices(unreadable.shape)
    stripe = np.where((row + col) // _STRIPE_PX % 2, *_STRIPES).astype(np.uint8)
    return np.where(unreadable[..., None], stripe[..., None], image)


def _outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels on either side of the tissue's edge; the edge of the picture does not count."""
    width = max(1, round(max(mask.shape) / _PX_PER_OUTLINE_PX))
    outer, inner = mask, mask
    for step in range(width):
        if step % 2 == 0:
            inner = ~_grown(~inner)
        else:
            outer = _grown(outer)
    return outer & ~inner


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a mask with the four neighbours of each of its pixels."""
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    grown[:, 1:] |= mask[:, :-1]
    grown[:, :-1] |= mask[:, 1:]
    return grown


def _frames(shape: tuple[int, ...], corners: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(row, col) True on the frames of the tiles, one pixel wide, inside the tile."""
    frames = np.zeros(shape, np.bool_)
    if not len(corners):
        return frames
    edges = np.rint(corners).astype(np.intp)
    edges[:, 2:] = np.maximum(edges[:, 2:] - 1, edges[:, :2])
    limits = np.array([shape[1], shape[0]] * 2) - 1
    inside = np.clip(edges, 0, limits)
    for (left, top, right, bottom), (west, north, east, south) in zip(inside, edges == inside, strict=True):
        frames[top : bottom + 1, left] |= west
        frames[top : bottom + 1, right] |= east
        frames[top, left : right + 1] |= north
        frames[bottom, left : right + 1] |= south
    return frames


def _frame_strength(corners: NDArray[np.float64]) -> float:
    """Strength of the frames, 0–1: frames of tiles a few pixels wide must not hide the slide."""
    if not len(corners):
        return 0.0
    side_px = float(np.median(corners[:, 2:] - corners[:, :2]))
    weakest, strongest = _FRAME_STRENGTH
    return float(np.clip(strongest * side_px / _STRONG_TILE_PX, weakest, strongest))
