"""Slides of a batch one after another in a process of their own, whose death costs one stage of one slide."""

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wsi_scale.artifacts.at_work import remove_at_work, write_at_work
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.config.models import Config
from wsi_scale.execution.child import SIGNALLED, Death, StoppedError, in_child
from wsi_scale.execution.guard import guarded
from wsi_scale.jobs.death import record_death, record_failure
from wsi_scale.jobs.job import SlideJob
from wsi_scale.jobs.logs import log_to, slide_log, start_logging
from wsi_scale.jobs.runner import holding
from wsi_scale.jobs.timing import recording
from wsi_scale.pipeline import slide_stages

#: What a kernel or a scheduler sends to a process that has taken too much memory.
_KILLED = SIGNALLED + 9


@dataclass(frozen=True)
class Part:
    """Stages of one slide that are to be done."""

    job: SlideJob
    stages: tuple[str, ...]


@dataclass(frozen=True)
class Work:
    """What is done with the slides of a batch.

    Attributes
    ----------
    results
        Folder of the cohort's results.
    batch
        Name of the batch.
    config
        The configuration of the stages.
    regressor, calibration
        Files of the cohort, as for ``slide_stages``.
    workers
        Blocks in work at a time, where the configuration says nothing; None for as many as cores.
    pages
        Whether each slide's page follows its last stage. A report of many slides would need long for all of them.
    """

    results: Path
    batch: str
    config: Config
    regressor: Path | None
    calibration: Path | None
    workers: int | None
    pages: bool

    def __call__(self, part: Part, tell: Callable[[str], None]) -> Part:
        """Run a slide's stages in the process of the batch; what goes wrong stands in its records and its log.

        Parameters
        ----------
        tell
            Told the name of each stage before it begins.
        """
        job, at = part.job, part.stages[0]

        def attempt() -> Part:
            nonlocal at
            log_to(slide_log(self.results, job.row.slide_id))
            start_logging(logging.StreamHandler(sys.stderr), logging.WARNING)
            stages = slide_stages(job, self._with_workers(), self.regressor, self.calibration)
            with recording(self.config), holding(job.folder):
                for at in part.stages:
                    tell(at)
                    write_at_work(self.results, self.batch, job.row.slide_id, at)
                    sys.stderr.write(f"[{at}]\n")
                    record = stages[at]()
                    if record.status == "failed":
                        sys.stderr.write(f"error: {record.reason}\n")
                if self.pages and part.stages[-1] == list(SLIDE_STAGES)[-1]:
                    from wsi_scale.stages.report import report_slide

                    report_slide(job, self.config)
            return part

        def failed(reason: str) -> Part:  # its folder cannot be written, or is another's
            sys.stderr.write(f"error: {reason}\n")
            record_failure(job, at, reason)
            return part

        return guarded(job.row.slide_id, attempt, failed)

    def _with_workers(self) -> Config:
        execution = self.config.execution
        if self.workers is None or execution.workers is not None:
            return self.config
        return self.config.model_copy(update={"execution": execution.model_copy(update={"workers": self.workers})})


def run_batch(work: Work, parts: Sequence[Part], *, may_retry: bool) -> Iterator[Part]:
    """Run stages of the slides of a batch, and yield each slide's part when it is done.

    Parameters
    ----------
    may_retry
        Whether a job whose process was killed, probably for want of memory, is started again with more: then no
        failure is recorded.

    Raises
    ------
    StoppedError
        The process was ended from outside, or was killed and may be tried again.
    """

    def after(part: Part, death: Death) -> Part | None:
        if death.exit_code == _KILLED and may_retry:
            raise StoppedError(_KILLED - SIGNALLED)
        at = death.at or part.stages[0]
        record_death(part.job, at, death.exit_code)
        left = part.stages[part.stages.index(at) + 1 :]
        return Part(part.job, left) if left else None

    try:
        yield from in_child(work, parts, after)
    finally:
        remove_at_work(work.results, work.batch)
