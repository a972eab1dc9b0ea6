"""A slide as the viewer shows it: its results, and its pixels as long as the slide is there."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wsi_scale.artifacts.pictures import read_thumbnail, read_tissue
from wsi_scale.errors import ArtifactError, SlideError, UserError, one_line
from wsi_scale.execution.worker import kept
from wsi_scale.jobs.job import SlideJob
from wsi_scale.report.overlay import OUTLINE_RGB
from wsi_scale.report.slide_view import SlideView, read_slide_view
from wsi_scale.results.audit import AuditRow
from wsi_scale.results.scale_map import REASON_COLORS, Reason, ScaleMap
from wsi_scale.slides.open import open_slide
from wsi_scale.slides.slide import Slide
from wsi_scale.viewer.place import Place
from wsi_scale.viewer.pyramid import Pyramid, cut_out, draw_field, is_as_sharp

#: Reads from slides at a time: each may hold some hundred megabytes of pixels.
_AT_A_TIME = threading.BoundedSemaphore(4)


@dataclass(frozen=True)
class ShownSlide:
    """A slide and its results.

    Attributes
    ----------
    job
        The slide and its folder.
    view
        What a report shows of it.
    identity
        Of the slide's content; "" where the slide cannot be shown.
    problem
        Why the slide cannot be shown, and its thumbnail stands for it, one line; "" where it can.
    """

    job: SlideJob
    view: SlideView
    identity: str
    problem: str

    @property
    def scale_map(self) -> ScaleMap | None:
        """The scale map, if there is one."""
        return self.view.scale_map

    @cached_property
    def thumbnail(self) -> NDArray[np.uint8] | None:
        """(row, col, rgb) the whole slide; None where `tile` has left none."""
        return read_thumbnail(self.job.folder) if self.view.thumbnail else None

    @cached_property
    def pyramid(self) -> Pyramid | None:
        """Where tiles lie; None where there is nothing to show."""
        width, height = self.view.info.get("width"), self.view.info.get("height")
        shows_nothing = self.thumbnail is None and not self.identity
        if shows_nothing or not (isinstance(width, int) and isinstance(height, int)):
            return None
        return Pyramid(width, height)

    def tile(self, level: int, column: int, row: int) -> bytes | None:
        """Draw a tile of the pyramid as JPEG; None outside the slide.

        Raises
        ------
        UserError
            The slide cannot be read just now.
        """
        place = self.pyramid and self.pyramid.tile(level, column, row)
        if not place or self.pyramid is None:
            return None
        whole, thumbnail = (self.pyramid.width, self.pyramid.height), self.thumbnail
        # To open a slide takes a second or more; what the thumbnail shows as sharply does not wait.
        if thumbnail is not None and (not self.identity or is_as_sharp(thumbnail, whole, *place)):
            return jpeg(cut_out(thumbnail, whole, *place))
        with _AT_A_TIME, _opened(self.job, self.identity) as slide:
            return jpeg(draw_field(slide, *place, self.thumbnail))

    def picture(self, place: Place, which: str) -> bytes | None:
        """Draw a tile of the grid as JPEG: ``native``, or ``optimal`` at its optimal mpp; None where there is none.

        Raises
        ------
        UserError
            The slide cannot be read just now.
        """
        view = place.native if which == "native" else place.optimal
        if view is None or not self.identity:
            return None
        with _AT_A_TIME, _opened(self.job, self.identity) as slide:
            return jpeg(draw_field(slide, view.field, (view.size_px, view.size_px), None))

    def tissue(self) -> bytes | None:
        """Draw the tissue mask as PNG: tissue coloured, what cannot be read red, all else transparent."""
        try:
            found = read_tissue(self.job.folder) if self.view.thumbnail else None
        except ArtifactError:
            return None
        if found is None:
            return None
        colours = np.zeros((*found.mask.shape, 4), np.uint8)
        colours[found.mask] = (*OUTLINE_RGB, 255)
        if found.unreadable is not None:
            colours[found.unreadable] = (*REASON_COLORS[Reason.UNREADABLE], 255)
        stream = io.BytesIO()
        Image.fromarray(colours).save(stream, "PNG")
        return stream.getvalue()


def read_shown(job: SlideJob, audit: AuditRow | None) -> ShownSlide:
    """Read a slide's results, and look whether the slide is still the one that they were made from."""
    view = read_slide_view(job.folder, job.row.slide_id, path=str(job.row.path), audit=audit)
    try:
        return ShownSlide(job, view, _identity(job, view), "")
    except UserError as error:
        return ShownSlide(job, view, "", one_line(error))


def _identity(job: SlideJob, view: SlideView) -> str:
    if not view.info:
        raise SlideError("its slide.json is missing or damaged, or says that the slide cannot be read")
    identity = job.identity()
    if view.info.get("identity") != identity:
        raise SlideError(f"{job.row.path} has changed since these results were made; run again")
    return identity


@contextmanager
def _opened(job: SlideJob, identity: str) -> Iterator[Slide]:
    """Lend the opened slide; few are open at a time."""
    with kept("slide", identity, lambda: open_slide(job.row.path)) as slide:
        yield slide


def jpeg(pixels: NDArray[np.uint8]) -> bytes:
    """Encode (row, col, rgb) pixels."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=85)
    return stream.getvalue()
