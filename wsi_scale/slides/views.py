"""Views of a slide for the regressor: fields of tissue at downsamples of level 0."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from wsi_scale.errors import RegionError
from wsi_scale.slides.field import Field, read_field
from wsi_scale.slides.slide import Slide
from wsi_scale.slides.tissue import Thumbnail, read_thumbnail, shows_brightfield, tissue_mask

#: Downsamples of level 0 that a slide is looked at.
DOWNSAMPLES = (1, 2, 4, 8)
#: Longer side of the thumbnail that positions are drawn on, pixels.
THUMBNAIL_PX = 1024
#: Side of a view, pixels, and the least that a small image is looked at with.
VIEW_PX = 160
MIN_VIEW_PX = 96


def view_thumbnail(slide: Slide, most_unreadable: float = 0.01) -> Thumbnail:
    """Read the thumbnail that positions are drawn on.

    Parameters
    ----------
    most_unreadable
        Share of the slide that may be impossible to decode at any level, 0–1.

    Raises
    ------
    RegionError
        If more of the slide cannot be decoded.
    """
    return read_thumbnail(slide, THUMBNAIL_PX, most_unreadable)


def views_of(
    slide: Slide, count: int, rng: np.random.Generator, thumbnail: Thumbnail | None = None
) -> Iterator[tuple[int, NDArray[np.uint8], NDArray[np.float64]]]:
    """Read up to ``count`` views of tissue at each downsample at which one fits.

    A view that cannot be decoded is left out.

    Parameters
    ----------
    thumbnail
        As :func:`view_thumbnail` reads it; by default it is read here.

    Yields
    ------
    downsample, images, centres
        (view, row, col, rgb), and (view, 2): x, y in level-0 pixels.

    Raises
    ------
    RegionError
        If the thumbnail cannot be read, or none of the views.
    """
    positions = tissue_positions(view_thumbnail(slide) if thumbnail is None else thumbnail)
    unreadable: RegionError | None = None
    seen = False
    for downsample in DOWNSAMPLES:
        side = view_px(slide, downsample)
        images, centres = [], []
        for field in fields_at(slide, positions, side * downsample, count, rng) if side else []:
            try:
                images.append(read_field(slide, field, (side, side)))
            except RegionError as error:
                unreadable = unreadable or error
                continue
            centres.append((field.x + field.width / 2, field.y + field.height / 2))
        if images:
            seen = True
            yield downsample, np.stack(images), np.array(centres)
    if unreadable and not seen:
        raise unreadable


def view_px(slide: Slide, downsample: int = 1) -> int:
    """Side of the views at a downsample: 160 px, less on a smaller image; 0 where it would be below 96."""
    side = min(min(slide.width, slide.height) // downsample, VIEW_PX)
    return side if side >= MIN_VIEW_PX else 0


def is_brightfield(slide: Slide) -> bool:
    """Whether a slide was scanned in brightfield; fluorescence has a black background."""
    return shows_brightfield(view_thumbnail(slide))


def tissue_positions(thumbnail: Thumbnail) -> NDArray[np.float64]:
    """Centres of the thumbnail's tissue pixels, (position, 2) as x, y in level-0 pixels."""
    rows, cols = np.nonzero(tissue_mask(thumbnail, "auto"))
    return np.stack([(cols + 0.5) * thumbnail.downsample_x, (rows + 0.5) * thumbnail.downsample_y], axis=1)


def fields_at(
    slide: Slide, positions: NDArray[np.float64], side_px0: float, count: int, rng: np.random.Generator
) -> Sequence[Field]:
    """Draw square fields of ``side_px0`` level-0 pixels about tissue positions, moved inside the slide."""
    if not len(positions) or side_px0 > min(slide.width, slide.height):
        return []
    chosen = positions[rng.choice(len(positions), size=min(count, len(positions)), replace=False)]
    corners = np.clip(chosen - side_px0 / 2, 0, [slide.width - side_px0, slide.height - side_px0])
    return [Field(float(x), float(y), side_px0, side_px0) for x, y in np.unique(corners, axis=0)]
