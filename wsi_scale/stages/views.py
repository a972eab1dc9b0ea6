"""Views of a slide for the regressor: tissue positions at downsamples of level 0, and their features."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wsi_scale.execution.compute import Compute
from wsi_scale.magnification.features import REGRESSOR_LAYERS, log_features
from wsi_scale.slides.field import Field
from wsi_scale.slides.slide import Slide
from wsi_scale.slides.tissue import read_thumbnail, tissue_mask

if TYPE_CHECKING:
    from wsi_scale.networks.network import Network

#: Longer side of the thumbnail that positions are drawn on, pixels.
THUMBNAIL_PX = 1024
#: Side of a view, pixels, and the least that a small image is looked at with.
VIEW_PX = 160
MIN_VIEW_PX = 96


@lru_cache(maxsize=2)
def regressor_network(compute: Compute) -> "Network":
    """Load the embedded network with the regressor's layers, once."""
    # torch is loaded where it is needed: a slide that failed before costs nothing here.
    from wsi_scale.networks.forward import place
    from wsi_scale.networks.load import find_network

    return place(find_network("embedded").tapped(REGRESSOR_LAYERS), compute)


def view_features(images: NDArray[np.uint8], compute: Compute) -> NDArray[np.float64]:
    """Features of views: (tile, row, col, rgb) → (tile, feature)."""
    from wsi_scale.networks.forward import pooled_responses

    return log_features(pooled_responses(regressor_network(compute), images, compute))


def view_px(slide: Slide) -> int:
    """Side of the views of a slide: 160 px, less on an image that is smaller; 0 where it is below 96."""
    side = min(slide.width, slide.height, VIEW_PX)
    return side if side >= MIN_VIEW_PX else 0


def is_brightfield(slide: Slide) -> bool:
    """Whether a slide's background is light, as that of stained tissue is and that of fluorescence is not."""
    return float(np.mean(slide.background)) > 127


def tissue_positions(slide: Slide) -> NDArray[np.float64]:
    """Centres of the thumbnail's tissue pixels, (position, 2) as x, y in level-0 pixels."""
    thumbnail = read_thumbnail(slide, THUMBNAIL_PX)
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
