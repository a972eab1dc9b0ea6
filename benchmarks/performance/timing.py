"""Seconds of what is compared, in turn, so that all see the same state of the machine."""

import statistics
import time
from collections.abc import Callable, Collection, Mapping

#: Seconds that some work took by its own count, or None: the seconds are those of the call.
Work = Callable[[], float | None]


def seconds_in_turn(works: Mapping[str, Work], rounds: int, once: Collection[str] = ()) -> dict[str, float]:
    """Run all works in turn, round after round, some in the first one alone: name → median of their seconds."""
    took: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(rounds):
        for name in (name for name in works if not turn or name not in once):
            start = time.perf_counter()
            own = works[name]()
            took[name].append(time.perf_counter() - start if own is None else own)
    return {name: statistics.median(each) for name, each in took.items()}
