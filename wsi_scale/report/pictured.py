"""What a picture of a slide's map is drawn from, read from the slide's folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsi_scale.artifacts.names import REGIONS, SCALE_MAP, THUMBNAIL
from wsi_scale.artifacts.pictures import read_thumbnail
from wsi_scale.artifacts.record import check_artefact
from wsi_scale.artifacts.regions import read_regions
from wsi_scale.artifacts.scale_map import read_scale_map
from wsi_scale.artifacts.slide_info import read_slide_info
from wsi_scale.results.regions import Region
from wsi_scale.results.scale_map import ScaleMap


@dataclass(frozen=True)
class PicturedSlide:
    """What a picture is drawn from.

    Attributes
    ----------
    slide_id
        Name of the slide.
    thumbnail
        (row, col, rgb) the whole slide.
    scale_map
        Its map.
    regions
        The user's regions, which are outlined.
    """

    slide_id: str
    thumbnail: NDArray[np.uint8]
    scale_map: ScaleMap
    regions: Sequence[Region] = ()


def read_pictured(folder: Path) -> PicturedSlide:
    """Read and check what a slide's picture is drawn from.

    Raises
    ------
    ArtifactError
        It is missing or damaged.
    """
    scale_map, _ = read_scale_map(folder)
    check_artefact(folder, SCALE_MAP)
    thumbnail = read_thumbnail(folder)
    check_artefact(folder, THUMBNAIL)
    regions: tuple[Region, ...] = ()
    if (folder / REGIONS).exists():
        regions = read_regions(folder)
        check_artefact(folder, REGIONS)
    return PicturedSlide(str(read_slide_info(folder)["slide_id"]), thumbnail, scale_map, regions)
