"""Batches of slides that share their processes: to start a process costs more than the work on a small slide."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count

#: Most slides of a batch.
MOST_SLIDES = 16
#: A cohort is divided into as many batches before any of them gets a second slide: other machines can help.
FEWEST_BATCHES = 16
#: Names that no scheduler, shell or file system reads in a way of its own.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
#: Gigabytes of files above which a batch gets no further slide.
FULL_GB = 0.5


@dataclass(frozen=True)
class Batch:
    """Slides that one job computes after another.

    Attributes
    ----------
    name
        That of its slide, or batch-0001, batch-0002, …: plain, because schedulers name folders and jobs after it.
    slide_ids
        Its slides, in order.
    gigabytes
        Size of their files.
    """

    name: str
    slide_ids: tuple[str, ...]
    gigabytes: float


@dataclass(frozen=True)
class Needs:
    """What a job asks a scheduler for.

    Attributes
    ----------
    mem_mb
        Memory, MB.
    runtime
        Minutes.
    """

    mem_mb: int
    runtime: int


#: Stage → minutes of a slide, and minutes of a gigabyte of it on one core; bounds, with VGG19 in mind.
_MINUTES: Mapping[str, tuple[float, float]] = {
    "inspect": (0.5, 5),
    "predict": (3, 5),
    "tile": (2, 20),
    "search": (5, 600),
    "extract": (5, 600),
}
#: Stage of the cohort → MB, minutes, and minutes for each slide.
_COHORT: Mapping[str, tuple[int, int, float]] = {
    "calibrate": (4000, 60, 0),
    "fit": (8000, 60, 1),
    "report": (4000, 60, 0.1),
}
#: Minutes until a process has loaded what it needs, from a slow disk.
_START_MINUTES = 10
#: MB of a process that reads slides, of one that passes tiles through a network, and of each further worker in it.
_READING_MB, _NETWORK_MB, _WORKER_MB = 2000, 3000, 750


def batches_of(slide_ids: Sequence[str], gigabytes: Mapping[str, float], before: Mapping[str, str]) -> dict[str, str]:
    """Divide slides into batches.

    A slide that was in a batch stays in it, so that what the batch's jobs have done still counts. A large slide is
    alone, and so is every slide of a small cohort.

    Parameters
    ----------
    gigabytes
        Slide's id → size of its files.
    before
        Slide's id → its batch in the run before.

    Returns
    -------
    dict
        Slide's id → name of its batch, in the order of the slides; names of numbered batches are no slide's id.
    """
    found = {slide_id: before[slide_id] for slide_id in slide_ids if slide_id in before}
    new = [slide_id for slide_id in slide_ids if slide_id not in found]
    taken = {*before.values(), *slide_ids}
    names = (name for number in count(1) if (name := f"batch-{number:04}") not in taken)
    for group in _groups(new, gigabytes, most=_most_slides(len(new))):
        alone = len(group) == 1 and _PLAIN.fullmatch(group[0]) and group[0] not in before.values()
        found |= dict.fromkeys(group, group[0] if alone else next(names))
    return {slide_id: found[slide_id] for slide_id in slide_ids}


def batches(batch_of: Mapping[str, str], gigabytes: Mapping[str, float]) -> dict[str, Batch]:
    """Batches by their names, in the order of their first slides.

    Parameters
    ----------
    batch_of
        Slide's id → name of its batch.
    gigabytes
        Slide's id → size of its files.
    """
    members: dict[str, list[str]] = {}
    for slide_id, name in batch_of.items():
        members.setdefault(name, []).append(slide_id)
    return {
        name: Batch(name, tuple(slide_ids), sum(gigabytes.get(slide_id, 0.0) for slide_id in slide_ids))
        for name, slide_ids in members.items()
    }


def cohort_needs(stage: str, slides: int, attempt: int) -> Needs:
    """Tell what a job of the whole cohort asks for; twice as much at each further attempt."""
    mem_mb, minutes, each = _COHORT[stage]
    more = 2 ** (attempt - 1)
    return Needs(mem_mb * more, math.ceil(minutes + each * slides) * more)


def needs(stages: Sequence[str], batch: Batch, threads: int, attempt: int) -> Needs:
    """Bounds of memory and time of a job, by the size of its slides.

    Memory does not grow with a slide, because blocks of tiles are read, but with the workers of the job. Whatever the
    scheduler ended for want of either is started again with twice as much.

    Parameters
    ----------
    threads
        Cores of the job.
    attempt
        1 for the first.
    """
    each, per_gb = (sum(column) for column in zip(*(_MINUTES[stage] for stage in stages), strict=True))
    minutes = _START_MINUTES + len(batch.slide_ids) * each + batch.gigabytes * per_gb / threads
    heavy = not {"predict", "search", "extract"}.isdisjoint(stages)
    mem_mb = _NETWORK_MB + _WORKER_MB * threads if heavy else _READING_MB
    return Needs(mem_mb * 2 ** (attempt - 1), round(minutes) * 2 ** (attempt - 1))


def _most_slides(slides: int) -> int:
    return min(MOST_SLIDES, -(-slides // FEWEST_BATCHES))


def _groups(slide_ids: Sequence[str], gigabytes: Mapping[str, float], most: int) -> list[list[str]]:
    """Put slides that follow one another together, up to a number and a size."""
    groups: list[list[str]] = []
    held = 0.0
    for slide_id in slide_ids:
        size = gigabytes.get(slide_id, 0.0)
        if not groups or len(groups[-1]) >= most or held + size > FULL_GB:
            groups.append([])
            held = 0.0
        groups[-1].append(slide_id)
        held += size
    return groups
