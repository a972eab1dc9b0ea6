"""A slide as users see it: opened from a file, a DICOM folder or an array."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite
from operator import index
from os import PathLike
from pathlib import Path
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wsi_scale import slides
from wsi_scale.errors import SlideError
from wsi_scale.jobs.single import check_there, single_row
from wsi_scale.results.html import facts_html, picture_html
from wsi_scale.slides.array import ArraySlide
from wsi_scale.slides.field import Field, read_field
from wsi_scale.slides.identity import slide_identity
from wsi_scale.slides.levels import Level
from wsi_scale.slides.metadata import SlideInfo, describe_slide
from wsi_scale.slides.mpp_claim import MppSource
from wsi_scale.slides.tissue import read_thumbnail


@dataclass(frozen=True, eq=False)
class Slide:
    """An opened slide; close it, or use it in a ``with`` statement.

    Attributes
    ----------
    reader
        What reads its pixels.
    info
        What the slide says of itself.

    Examples
    --------
    >>> import numpy as np, wsi_scale as ws
    >>> slide = ws.open_slide(np.full((600, 800, 3), 240, np.uint8))
    >>> slide.size, slide.mpp, slide.warnings[0].partition(";")[0], slide.thumbnail(80).shape
    ((800, 600), None, 'mpp is missing', (60, 80, 3))
    """

    reader: slides.Slide = field(repr=False)
    info: SlideInfo

    @property
    def path(self) -> Path:
        """Path as it was given; ``<array>`` for an image in memory."""
        return self.reader.path

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of level 0 in pixels."""
        return self.reader.width, self.reader.height

    @property
    def levels(self) -> tuple[Level, ...]:
        """The pyramid, finest level first: each with width, height and downsample."""
        return self.reader.levels

    @property
    def mpp(self) -> float | None:
        """µm per pixel of level 0, the mean of both axes; None where it is missing or implausible."""
        return None if self.info.usable_mpp is None else self.info.mpp

    @property
    def mpp_source(self) -> MppSource:
        """Who says so: override (you), metadata (the scanner), ome, tiff; or missing."""
        return self.info.mpp_source

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is odd about the slide, one line each."""
        return self.info.warnings

    @cached_property
    def identity(self) -> str:
        """Digest of its content, which says that two opened slides are one; read when it is first asked for.

        Raises
        ------
        SlideError, ArtifactError
            Its file cannot be read.
        """
        return self.reader.identity() if isinstance(self.reader, ArraySlide) else slide_identity(self.path)

    def thumbnail(self, longer_side: int = 1024) -> NDArray[np.uint8]:
        """Read the whole slide at a glance: (row, col, rgb), its longer side at most ``longer_side`` pixels.

        Raises
        ------
        SlideError
            The slide cannot be decoded.
        ValueError
            It would have no pixel.
        """
        if longer_side < 1:
            raise ValueError(f"a thumbnail of {longer_side} px is empty; give a longer side of 1 or more")
        return read_thumbnail(self.reader, longer_side).image

    def read_field(
        self, *, x: float, y: float, width: float, height: float, size: int | tuple[int, int] = 224
    ) -> NDArray[np.uint8]:
        """Read a field of view, resampled to an exact size.

        Parameters
        ----------
        x, y
            Top left corner, level-0 pixels; what lies outside the slide has its background's colour.
        width, height
            Of the field, level-0 pixels.
        size
            (width, height) of the result in pixels, or the side of a square.

        Returns
        -------
        image
            (row, col, rgb) uint8.

        Raises
        ------
        SlideError
            The slide cannot be decoded there.
        ValueError
            The field or the size is empty, not finite or no whole number of pixels.
        """
        columns, rows = (index(side) for side in (size if isinstance(size, tuple | list) else (size, size)))
        if not (all(map(isfinite, (x, y, width, height))) and min(width, height, columns, rows) > 0):
            raise ValueError(
                f"a field of {width:g}x{height:g} px at x={x:g} y={y:g} cannot be read at {columns}x{rows} px; give "
                "finite numbers, and lengths above 0"
            )
        return read_field(self.reader, Field(x, y, width, height), (columns, rows))

    def close(self) -> None:
        """Release the file; the slide cannot be read afterwards."""
        if not self.reader.is_closed:
            self.reader.close()
            self.reader.is_closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Slide({'; '.join(f'{name}: {value}' for name, value in self._facts().items())})"

    def _repr_html_(self) -> str:
        picture = "" if self.reader.is_closed else picture_html(self.thumbnail(480), "the slide")
        return facts_html("Slide", self._facts(), picture)

    def _facts(self) -> dict[str, object]:
        mpp = "none" if self.mpp is None else f"{self.mpp:.4g} µm/px ({self.mpp_source})"
        facts: dict[str, object] = {"path": self.path, "size": f"{self.size[0]} × {self.size[1]} px", "mpp": mpp}
        facts["levels"] = ", ".join(f"{level.downsample:g}" for level in self.levels)
        return facts | ({"warnings": "; ".join(self.warnings)} if self.warnings else {})


#: A slide: opened, or where it lies, or its pixels, (row, col, rgb) uint8.
SlideLike: TypeAlias = Slide | str | PathLike[str] | NDArray[np.uint8]


def open_slide(slide: str | PathLike[str] | NDArray[np.uint8], mpp: float | None = None) -> Slide:
    """Open a slide.

    Parameters
    ----------
    slide
        A file or DICOM folder of any format that OpenSlide or tifffile reads, a plain image, or an
        (H, W, 3) array of uint8.
    mpp
        µm per pixel of level 0; outranks what the file says. An array says nothing of itself.

    Raises
    ------
    SlideError
        There is no such slide, or it cannot be read.
    ConfigError
        The mpp is implausible.

    Examples
    --------
    >>> import numpy as np, wsi_scale as ws
    >>> with ws.open_slide(np.full((600, 800, 3), 240, np.uint8), mpp=0.5) as slide:
    ...     print(slide.size, slide.mpp, slide.mpp_source)
    ...     print(slide.read_field(x=100, y=100, width=448, height=448, size=224).shape)
    (800, 600) 0.5 override
    (224, 224, 3)
    """
    if isinstance(slide, np.ndarray):
        row = single_row(Path("array"), None, mpp, None)
        reader: slides.Slide = ArraySlide(slide)
    elif not isinstance(slide, str | PathLike):
        raise SlideError(f"a slide must be a path or an (H, W, 3) array of uint8, not {type(slide).__name__}")
    else:
        check_there(Path(slide))
        row = single_row(Path(slide), None, mpp, None)
        reader = slides.open_slide(row.path)
    try:
        return Slide(reader, describe_slide(reader, row.slide_id, str(row.path), mpp))
    except BaseException:
        reader.close()
        raise


@contextmanager
def opened(slide: SlideLike, mpp: float | None = None) -> Iterator[Slide]:
    """Lend an opened slide, or open one for the body.

    Parameters
    ----------
    mpp
        µm per pixel of level 0 of a slide that is not open yet, or that is open and shall count otherwise.
    """
    if not isinstance(slide, Slide):
        with open_slide(slide, mpp) as own:
            yield own
    elif mpp is None:
        yield slide
    else:
        row = single_row(slide.path, slide.info.slide_id, mpp, None)
        yield Slide(slide.reader, describe_slide(slide.reader, row.slide_id, slide.info.path, mpp))
