"""The slides of a folder of results as the viewer lists and shows them; the folder may be at work."""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsi_scale.artifacts.at_work import AtWork, read_at_work
from wsi_scale.artifacts.record import record_path
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.errors import ArtifactError
from wsi_scale.jobs.audit import audit_together
from wsi_scale.jobs.cohort import shown_names
from wsi_scale.jobs.job import SlideJob
from wsi_scale.jobs.standing import SlideStanding, slide_standings
from wsi_scale.report.words import STATUS_TONES, verdict_words
from wsi_scale.results.audit import AuditRow
from wsi_scale.viewer.shown import ShownSlide, read_shown

#: Seconds for which a list of slides holds: reading the records of a large cohort takes some.
_LIST_HOLDS_S = 5.0
#: Slides whose results stay in memory.
_MOST_SHOWN = 4


@dataclass(frozen=True)
class _Read:
    """A slide's results, and the times of the files that they were read from."""

    stamp: tuple[int, ...]
    shown: ShownSlide


class ViewedResults:
    """Results of a cohort or of one slide; safe among threads.

    Parameters
    ----------
    folder
        A results folder, or one slide's own.

    Raises
    ------
    ArtifactError
        The folder holds no results of slides.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        #: A slide, known by its folder, keeps its number while the viewer runs, also if others come in before it.
        self._numbers: dict[Path, int] = {}
        self._jobs: list[SlideJob] = []
        self._audits: dict[Path, AuditRow] = {}
        self._standings: list[SlideStanding] = []
        self._looked = float("-inf")
        self._read: OrderedDict[int, _Read] = OrderedDict()
        self._look()

    def __len__(self) -> int:
        return len(self._jobs)

    def listed(self) -> list[dict[str, Any]]:
        """List the slides: number, id, state with its colour, reason and the audit's verdict."""
        with self._lock:
            self._look()
            names = shown_names([standing.job for standing in self._standings])
            return [self._row(name, standing) for name, standing in zip(names, self._standings, strict=True)]

    def shown(self, number: int) -> ShownSlide | None:
        """Return a slide by its number; None where there is no such slide. It is read again if its results changed."""
        with self._lock:
            if not 0 <= number < len(self._jobs):
                return None
            job = self._jobs[number]
            stamp, found = _stamp(job), self._read.get(number)
            if found is None or found.stamp != stamp:
                found = _Read(stamp, read_shown(job, self._audits.get(job.folder)))
            self._read[number] = found
            self._read.move_to_end(number)
            while len(self._read) > _MOST_SHOWN:
                self._read.popitem(last=False)
            return found.shown

    def _look(self) -> None:
        """Look at the folder, unless that was done just now."""
        if time.monotonic() - self._looked < _LIST_HOLDS_S:
            return
        self._standings = slide_standings(self._folder, _at_work(self._folder))
        for standing in self._standings:
            if standing.job.folder not in self._numbers:
                self._numbers[standing.job.folder] = len(self._jobs)
                self._jobs.append(standing.job)
        jobs = [standing.job for standing in self._standings]
        self._audits = {job.folder: row for job, row in zip(jobs, audit_together(jobs), strict=True)}
        self._looked = time.monotonic()

    def _row(self, name: str, standing: SlideStanding) -> dict[str, Any]:
        job = standing.job
        audit = self._audits[job.folder]
        # Of a slide that nobody has looked at yet there is no verdict.
        verdict = None if standing.state in ("in work", "waiting") else verdict_words(audit)
        return {
            "number": self._numbers[job.folder],
            "id": name,
            "state": standing.state,
            "tone": STATUS_TONES.get(standing.state, "neutral"),
            "reason": standing.row.reason if standing.row else "",
            "verdict": verdict,
        }


def _at_work(folder: Path) -> list[AtWork]:
    try:
        return read_at_work(folder)
    except ArtifactError:  # a job writes it just now
        return []


def _stamp(job: SlideJob) -> tuple[int, ...]:
    """Take the times of a slide's records and of the slide itself; 0 of what is not there."""
    return tuple(_time(path) for path in (*(record_path(job.folder, stage) for stage in SLIDE_STAGES), job.row.path))


def _time(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
