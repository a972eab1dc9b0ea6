"""What is run and how long it takes, noted while it runs."""

import logging
import os
import platform
import secrets
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from wsi_scale.artifacts.record import Status
from wsi_scale.artifacts.runs import How, Machine, RunRecord, StageRun, read_runs, worth_keeping, write_runs
from wsi_scale.artifacts.stages import configuration_read
from wsi_scale.config.models import Config
from wsi_scale.errors import ArtifactError
from wsi_scale.execution.lock import folder_lock
from wsi_scale.execution.machine import (
    cpu_seconds,
    gpus_in_use,
    memory_mb,
    peak_gpu_memory_mb,
    peak_memory_mb,
    processor,
    usable_cores,
)
from wsi_scale.execution.progress import counting_work, progress
from wsi_scale.execution.versions import versions
from wsi_scale.jobs.job import SlideJob
from wsi_scale.units import as_duration

log = logging.getLogger(__name__)


@dataclass
class Clock:
    """A stage while it runs.

    Attributes
    ----------
    how
        Whether it is computed.
    inputs
        What its result depends on besides settings.
    ended
        Status and fingerprint of its record; None if it was interrupted.
    """

    how: How = "computed"
    inputs: Mapping[str, Any] = field(default_factory=dict)
    ended: tuple[Status, str] | None = None


class Run:
    """What this process does, written after every stage, so that a killed process has left what it had done.

    Parameters
    ----------
    config
        Of the stages.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._started = _now()
        host = platform.node()
        self._id = (
            f"{self._started.translate({ord(c): None for c in '-:'})}-{host}-{os.getpid()}-{secrets.token_hex(2)}"
        )
        self._stages: dict[Path, list[StageRun]] = {}
        #: The stage that ended last.
        self.latest: StageRun | None = None

    def add(self, folder: Path, stage: StageRun) -> None:
        """Note a stage in the folder of its results; the caller holds its lock."""
        self.latest = stage
        stages = self._stages.setdefault(folder, [])
        stages.append(stage)
        try:
            earlier = [run for run in read_runs(folder) if run.run != self._id]
            write_runs(folder, worth_keeping([*earlier, self._record(stages)]))
        except ArtifactError as error:  # no result depends on it
            log.warning("%s; not noted how long `%s` took", error, stage.stage)

    def _record(self, stages: list[StageRun]) -> RunRecord:
        program, *arguments = sys.argv
        name = Path(program).name
        return RunRecord(
            run=self._id,
            command=("wsi-scale" if name == "__main__.py" else name, *arguments),
            started=self._started,
            ended=_now(),
            machine=replace(_machine(), gpus=gpus_in_use()),
            versions=_versions(),
            # A report depends on what it shows, not on its configuration.
            configuration=configuration_read({stage.stage for stage in stages} - {"report"}, self._config),
            stages=tuple(stages),
        )


@cache
def _machine() -> Machine:
    return Machine(platform.node(), platform.platform(terse=True), processor(), usable_cores(), memory_mb(), ())


@cache
def _versions() -> dict[str, str]:
    return versions()


_run: ContextVar[Run | None] = ContextVar("_run", default=None)


@contextmanager
def recording(config: Config) -> Iterator[Run]:
    """Note the stages of the body as one run; within another recording, as part of that."""
    if (active := _run.get()) is not None:
        yield active
        return
    run = Run(config)
    token = _run.set(run)
    try:
        yield run
    finally:
        _run.reset(token)


@contextmanager
def timed(stage: str, job: SlideJob) -> Iterator[Clock]:
    """Time a stage of a slide, and show that it runs; the body says how it ended."""
    with _timed(stage, job.row.slide_id, job.folder) as clock, progress(f"{stage} {job.row.slide_id}"):
        yield clock


@contextmanager
def timed_cohort(stage: str, results: Path, *, locked: bool = False) -> Iterator[Clock]:
    """Time a stage of a whole cohort; the body says how it ended.

    Parameters
    ----------
    locked
        Whether the caller holds the lock of the results; else it is taken to write, for another stage may end just now.
    """
    with _timed(stage, "", results, locked=locked) as clock:
        yield clock


@contextmanager
def _timed(stage: str, slide_id: str, folder: Path, *, locked: bool = True) -> Iterator[Clock]:
    clock, started, begun, cpu = Clock(), _now(), time.monotonic(), cpu_seconds()
    with counting_work() as work:
        yield clock
    if clock.ended is None:
        return
    status, print_ = clock.ended
    execution = clock.inputs.get("execution", {})
    done = StageRun(
        slide_id=slide_id,
        stage=stage,
        how=clock.how,
        status=status,
        fingerprint=print_,
        started=started,
        seconds=round(time.monotonic() - begun, 3),
        cpu_seconds=round(max(cpu_seconds() - cpu, 0.0), 2),
        work=dict(work),
        peak_memory_mb=peak_memory_mb(),
        device=execution.get("device", ""),
        dtype=execution.get("dtype", ""),
        inputs=clock.inputs,
        peak_gpu_memory_mb=peak_gpu_memory_mb(),
    )
    log.info("%s", stage_words(done, thorough=True))
    if (run := _run.get()) is not None:
        with nullcontext() if locked else folder_lock(folder):
            run.add(folder, done)


def stage_words(done: StageRun, *, thorough: bool = False) -> str:
    """Say in one line what became of a stage; ``thorough`` adds processor time and memory."""
    what = f"{done.slide_id}: {done.stage}" if done.slide_id else done.stage
    if done.how == "up to date":
        return f"{what}: up to date"
    if done.how == "passed on":
        return f"{what}: nothing to do ({done.status})"
    said = f"{what}: {done.status}, {_amount_words(done)}"
    if not thorough:
        return said
    return f"{said}, {done.cpu_seconds:.1f} s of CPU, peak memory {done.peak_memory_mb:.0f} MB"


def inputs_words(inputs: Mapping[str, Any]) -> str:
    """Name device, dtype and files that a stage computes with."""
    execution = inputs.get("execution", {})
    said = [str(execution[key]) for key in ("device", "dtype") if key in execution]
    files = {name: inputs[name] for name in ("network", "regressor", "calibration") if inputs.get(name)}
    said += [f"{name} {(found if isinstance(found, str) else found[0])[:12]}" for name, found in files.items()]
    return ", ".join(said)


def _amount_words(done: StageRun) -> str:
    took = as_duration(done.seconds)
    tiles = done.work.get("tiles", 0)
    return f"{tiles} tiles in {took} ({tiles / done.seconds:.1f} tiles/s)" if tiles and done.seconds else took


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
