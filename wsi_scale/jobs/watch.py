"""Lines about a run while it works: slides and tiles done, and the time left."""

import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from wsi_scale.artifacts.tiles import tile_count
from wsi_scale.errors import ArtifactError
from wsi_scale.jobs.cohort import slide_folder
from wsi_scale.jobs.standing import ended_at, seconds_left
from wsi_scale.report.words import count_text
from wsi_scale.units import as_duration

#: Seconds between two looks.
PAUSE_S = 30.0


class Watch:
    """What has been done since a run started.

    Parameters
    ----------
    results
        Folder of the results.
    slide_ids
        The slides of the run.
    """

    def __init__(self, results: Path, slide_ids: Iterable[str]) -> None:
        self._folders = {slide_id: slide_folder(results, slide_id) for slide_id in slide_ids}
        self._slides = len(self._folders)
        self._tiles = 0
        self._ended: list[float] = []
        self._look()
        self._ended.clear()  # by an earlier run

    def line(self) -> str | None:
        """Say how far the run is; None if no slide was done since it was asked last."""
        if not self._look():
            return None
        left = seconds_left(sorted(self._ended), len(self._folders))
        ending = "" if left is None else f"; about {as_duration(left)} left"
        done = self._slides - len(self._folders)
        return f"{done} of {count_text(self._slides, 'slide')} done, {count_text(self._tiles, 'tile')}{ending}"

    def _look(self) -> int:
        """Count the slides that have ended since the last look; each is looked into once."""
        times = {slide_id: ended_at(folder) for slide_id, folder in self._folders.items()}
        ended = {slide_id: at for slide_id, at in times.items() if at is not None}
        self._ended += ended.values()
        for slide_id in ended:
            try:
                self._tiles += tile_count(self._folders.pop(slide_id))
            except ArtifactError:  # a slide that failed has none
                continue
        return len(ended)


def watch(
    results: Path,
    slide_ids: Iterable[str],
    say: Callable[[str], object] = lambda line: sys.stderr.write(f"{line}\n"),
    pause_s: float = PAUSE_S,
) -> None:
    """Say every now and then, from a thread that ends with this process, how far a run is."""
    watched = Watch(results, slide_ids)

    def look() -> None:
        while True:
            time.sleep(pause_s)
            if (line := watched.line()) is not None:
                say(line)

    threading.Thread(target=look, daemon=True, name="watch").start()
