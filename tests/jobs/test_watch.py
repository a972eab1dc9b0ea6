"""Lines about a run while it works."""

import time
from pathlib import Path

import numpy as np

from tests.runs import recorded
from wsi_scale.jobs.standing import seconds_left
from wsi_scale.jobs.watch import Watch, watch


def test_a_line_tells_slides_and_tiles_that_are_done_and_the_time_left(finished: Path, tmp_path: Path) -> None:
    places = [tmp_path / "slides" / name for name in ("before", "whole", "failed", "left")]
    for place in places:
        place.mkdir(parents=True)
    recorded(places[0], "extract", "empty", "no tissue found")
    watched = Watch(tmp_path, ("before", "whole", "failed", "left"))
    assert watched.line() is None

    (places[1] / "tiles.parquet").write_bytes((finished / "tiles.parquet").read_bytes())
    recorded(places[1], "extract")
    recorded(places[2], "extract", "failed", "no slide")
    line = watched.line()

    assert line is not None
    assert line == "3 of 4 slides done, 20 tiles"
    assert watched.line() is None
    recorded(places[3], "extract", "failed", "no slide")
    assert watched.line() == "4 of 4 slides done, 20 tiles"


def test_the_time_left_goes_by_the_pace_of_the_last_slides() -> None:
    assert seconds_left([0.0, 5.0, 10.0], 4) is None
    assert seconds_left([0.0, 10.0, 20.0, 30.0], 4) == 40.0
    assert seconds_left([0.0, 10.0, 20.0, 30.0], 0) is None
    assert seconds_left([0.0, *np.arange(1000, 1100, 2)], 10) == 20.0


def test_a_thread_says_it_while_the_run_works(tmp_path: Path) -> None:
    said: list[str] = []
    (tmp_path / "slides" / "a").mkdir(parents=True)
    watch(tmp_path, ["a"], said.append, pause_s=0.01)
    recorded(tmp_path / "slides" / "a", "extract", "failed", "no slide")
    deadline = time.monotonic() + 10
    while not said and time.monotonic() < deadline:
        time.sleep(0.01)
    assert said == ["1 of 1 slide done, 0 tiles"]
