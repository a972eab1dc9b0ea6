"""Tiles that cannot be decoded: they get no result; above a share of them the slide fails."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsi_scale.errors import RegionError
from wsi_scale.results.tiles import TileTable


class UnreadableTiles:
    """Counts the tiles of a slide that could not be read, as blocks of them are answered.

    Parameters
    ----------
    slide
        Its path, as messages name it.
    tiles
        All tiles of the slide.
    share
        Share of them that may be unreadable, 0–1.
    """

    def __init__(self, slide: Path, tiles: TileTable, share: float) -> None:
        self._slide = slide
        self._tiles = tiles
        self._share = share
        self._seen = 0
        self._first = ""
        self.count = 0

    def add(self, tiles: NDArray[np.integer], problems: Sequence[str]) -> None:
        """Count the problems of some tiles.

        Parameters
        ----------
        tiles
            Numbers of the tiles in the table.
        problems
            One a tile, or "".

        Raises
        ------
        RegionError
            More tiles than the share cannot be read; the message names the first place, and what to do.
        """
        for tile, problem in zip(tiles, problems, strict=True):
            self.count += bool(problem)
            if problem and not self._first:
                x, y = self._tiles.x[tile], self._tiles.y[tile]
                why = problem.removeprefix(f"{self._slide.absolute()}: ")
                self._first = f"the first at x={x} y={y} of level 0: {why}"
            self._seen += 1
        total = len(self._tiles)
        if self.count > self._share * total:
            counted = f"{self.count} of {total}" if self._seen == total else f"{self.count} of the first {self._seen}"
            raise RegionError(
                f"{self._slide}: {counted} tiles cannot be read, more than slides.unreadable_share={self._share:g} "
                f"of {total} allows; {self._first}"
            )


def unreadable_note(count: int, tiles: int, places: int = 0) -> str:
    """Say how many tiles, and grid positions without a tile, cannot be read; "" for none.

    >>> unreadable_note(3, 412), unreadable_note(3, 412, 1), unreadable_note(0, 412, 2), unreadable_note(0, 412)
    ('3 of 412 tiles cannot be read', '3 of 412 tiles and 1 place without a tile cannot be read', \
'0 of 412 tiles and 2 places without a tile cannot be read', '')
    """
    beside = f" and {places} place{'s' if places > 1 else ''} without a tile" if places else ""
    return f"{count} of {tiles} tiles{beside} cannot be read" if count or places else ""
