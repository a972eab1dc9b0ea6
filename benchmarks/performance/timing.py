"""Seconds of what is compared, in turn, so that all see the same state of the machine."""

import os
import statistics
import time
from collections.abc import Callable, Mapping

#: Seconds that some work took by its own count, or None: the seconds are those of the call.
Work = Callable[[], float | None]


def cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0))


def seconds_in_turn(works: Mapping[str, Work], rounds: int) -> dict[str, float]:
    """Run all works in turn, round after round: name → median of their seconds."""
    took: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            start = time.perf_counter()
            own = work()
            took[name].append(time.perf_counter() - start if own is None else own)
    return {name: statistics.median(each) for name, each in took.items()}
