"""Fields of a block of neighbouring tiles, read as regions that hold many of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsi_scale.errors import RegionError
from wsi_scale.slides.field import Field, FieldPlan, plan_field, read_region, resample
from wsi_scale.slides.slide import Slide

#: Pixels of the largest region that is read at once: with the reader's copy some 110 MB.
MAX_REGION_PX = 16_000_000
#: Fields are read one by one where less than this share of the region around them is asked for.
MIN_FILLED = 0.9

Region = tuple[int, int, int, int]


@dataclass(frozen=True)
class Piece:
    """A field within a region that was read.

    Attributes
    ----------
    row
        Number of the field.
    window
        (left, top, right, bottom) of the pixels that the filter may see, in pixels of the region.
    box
        (left, top, right, bottom) of the field, in pixels of the window.
    """

    row: int
    window: Region
    box: tuple[float, float, float, float]


class FieldBlock:
    """Reads fields at the sizes that are asked for; a level's pixels are read once, and kept for the next size.

    A region that holds many tiles decodes each compressed tile once, where tile after tile decodes those at the
    borders up to four times. Images equal those of :func:`~wsi_scale.slides.field.read_field`.

    Parameters
    ----------
    slide
        An opened slide.
    fields
        Neighbouring fields; None stands for one that is known to be unreadable.
    keeps_levels
        Whether pixels of all levels are kept, not only of those that were asked for last.
    """

    def __init__(self, slide: Slide, fields: Sequence[Field | None], *, keeps_levels: bool = False) -> None:
        self._slide = slide
        self._fields = fields
        self._keeps_levels = keeps_levels
        self._held: dict[tuple[int, int], tuple[Region, NDArray[np.uint8]]] = {}
        self._plans: dict[tuple[int, tuple[int, int]], FieldPlan] = {}
        self.problems = ["" if field is not None else "unreadable" for field in fields]
        """One a field: why it cannot be decoded, or ""."""

    def hold(self, rows: Sequence[int], size: tuple[int, int]) -> list[int]:
        """Read the pixels that some of the fields need at one size.

        Parameters
        ----------
        rows
            Numbers of the fields.
        size
            (width, height) of the images in pixels.

        Returns
        -------
        list of int
            The numbers of those that can be decoded.
        """
        plans = {row: self._plan(row, size) for row in rows if not self.problems[row]}
        levels = {plan.level for plan in plans.values()}
        if not self._keeps_levels:
            self._held = {key: held for key, held in self._held.items() if key[0] in levels}
        for level in sorted(levels):
            of_level = {row: plan for row, plan in plans.items() if plan.level == level}
            missing = {row: plan.region for row, plan in of_level.items() if not self._holds(row, plan)}
            if missing:
                self._read(level, missing)
        return [row for row in rows if not self.problems[row]]

    def read(self, rows: Sequence[int], size: tuple[int, int]) -> list[NDArray[np.uint8]]:
        """Read some of the fields at one size; white images stand for fields that cannot be decoded.

        Parameters
        ----------
        rows
            Numbers of the fields.
        size
            (width, height) of the images in pixels.

        Returns
        -------
        list of ndarray
            (height, width, 3) uint8 RGB, one a row.
        """
        self.hold(rows, size)
        blank = np.full((size[1], size[0], 3), 255, np.uint8)
        return [blank if self.problems[row] else self._resampled(row, self._plan(row, size)) for row in rows]

    def pieces(self, rows: Sequence[int], size: tuple[int, int]) -> list[tuple[NDArray[np.uint8], list[Piece]]]:
        """Return where some of the fields, which can be decoded, lie in the regions that were read for a size.

        Returns
        -------
        list of (region, pieces)
            (row, col, rgb) pixels, and the fields within them; rows of one region stay in their order.
        """
        self.hold(rows, size)
        found: dict[int, tuple[NDArray[np.uint8], list[Piece]]] = {}
        for row in rows:
            plan = self._plan(row, size)
            (left, top, *_), pixels = self._held[plan.level, row]
            x0, y0, x1, y1 = plan.region
            window = (x0 - left, y0 - top, x1 - left, y1 - top)
            found.setdefault(id(pixels), (pixels, []))[1].append(Piece(row, window, plan.box_in_region))
        return list(found.values())

    def _plan(self, row: int, size: tuple[int, int]) -> FieldPlan:
        if (row, size) not in self._plans:
            field = self._fields[row]
            if field is None:
                raise ValueError(f"field {row} is unreadable")
            self._plans[row, size] = plan_field(self._slide, field, size)
        return self._plans[row, size]

    def _resampled(self, row: int, plan: FieldPlan) -> NDArray[np.uint8]:
        region, pixels = self._held[plan.level, row]
        return resample(pixels, region[:2], plan)

    def _holds(self, row: int, plan: FieldPlan) -> bool:
        """Whether the pixels of a plan are held; if another field's region has them, it is taken."""
        own = self._held.get((plan.level, row))
        others = (held for (level, _), held in self._held.items() if level == plan.level)
        found = next((held for held in (own, *others) if held and _union([held[0], plan.region]) == held[0]), None)
        if found is not None:
            self._held[plan.level, row] = found
        return found is not None

    def _read(self, level: int, regions: dict[int, Region]) -> None:
        """Read the region around some fields, or halves of it if they fill it sparsely or it cannot be decoded."""
        around = _union(list(regions.values()))
        filled = sum(map(_area, regions.values()))
        single = len(regions) == 1
        if single or (filled >= MIN_FILLED * _area(around) and _area(around) <= MAX_REGION_PX):
            try:
                pixels = read_region(self._slide, level, around)
            except RegionError as error:
                if single:
                    self.problems[next(iter(regions))] = str(error)
                    return
            else:
                self._held |= {(level, row): (around, pixels) for row in regions}
                return
        for half in _halves(regions):
            self._read(level, half)


def _union(regions: Sequence[Region]) -> Region:
    left, top, right, bottom = zip(*regions, strict=True)
    return min(left), min(top), max(right), max(bottom)


def _area(region: Region) -> int:
    return (region[2] - region[0]) * (region[3] - region[1])


def _halves(regions: dict[int, Region]) -> Iterator[dict[int, Region]]:
    """Split fields in two across the longer side of the region around them."""
    left, top, right, bottom = _union(list(regions.values()))
    axis = 0 if right - left > bottom - top else 1
    rows = sorted(regions, key=lambda row: regions[row][axis])
    for part in (rows[: len(rows) // 2], rows[len(rows) // 2 :]):
        yield {row: regions[row] for row in part}
