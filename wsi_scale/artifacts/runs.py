"""``runs.json``: what was run, when and where, and how long it took. No result: it differs from run to run.

Every slide's folder has one, with the runs that made what lies there and the last one, each with its stages of this
slide; the folder of a cohort's results has one for the stages of the whole cohort. Nobody but the holder of a folder's
lock writes there, so no process waits for another, and a folder that is moved takes along what is known of it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import NonNegativeFloat, NonNegativeInt

from wsi_scale.artifacts import names
from wsi_scale.artifacts.documents import read_document, write_json
from wsi_scale.artifacts.record import Status, valid_record
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.errors import ArtifactError
from wsi_scale.results.strict import STRICT

NAME = names.RUNS

#: A stage was computed, found up to date, or had nothing to do because a stage before it was empty or had failed.
How = Literal["computed", "up to date", "passed on"]


@dataclass(frozen=True)
class StageRun:
    """One stage of one slide in one process.

    Attributes
    ----------
    slide_id
        The slide; "" for a stage of the whole cohort.
    stage, how, status
        Which stage, whether it was computed, and what became of it.
    fingerprint
        That of its record.
    started
        UTC, ISO 8601.
    seconds, cpu_seconds
        By the clock, and of all cores together; of workers on other machines only by the clock.
    work
        Unit → number of units computed, such as tiles, in this process alone.
    peak_memory_mb
        Most memory (10⁶ bytes) that the process had used until the stage ended, earlier stages included.
    device, dtype
        Of the network; "" without one.
    inputs
        Digests of slide, network, calibration, regressor, ..., and what else the result depends on besides settings.
    peak_gpu_memory_mb
        Most memory (10⁶ bytes) for tensors on the GPU that holds most; 0 without one.
    """

    __pydantic_config__ = STRICT

    slide_id: str
    stage: str
    how: How
    status: Status
    fingerprint: str
    started: str
    seconds: NonNegativeFloat
    cpu_seconds: NonNegativeFloat
    work: Mapping[str, NonNegativeInt]
    peak_memory_mb: NonNegativeFloat
    device: str
    dtype: str
    inputs: Mapping[str, Any]
    peak_gpu_memory_mb: NonNegativeFloat = 0.0

    @property
    def computed(self) -> bool:
        """Whether it made a result: neither found one, nor failed."""
        return self.how == "computed" and self.status != "failed"


@dataclass(frozen=True)
class Machine:
    """Where a process ran: host name, operating system, processor, usable cores, memory (10⁶ bytes), GPUs in use."""

    __pydantic_config__ = STRICT

    host: str
    system: str
    cpu: str
    cores: NonNegativeInt
    memory_mb: NonNegativeInt
    gpus: tuple[str, ...]


@dataclass(frozen=True)
class RunRecord:
    """What one process did in one folder.

    Attributes
    ----------
    run
        Its name: time, host and process.
    command
        As it was typed.
    started, ended
        UTC, ISO 8601; the end of the last stage so far.
    machine
        Where it ran.
    versions
        Of the package, of Python and of libraries.
    configuration
        The values that its stages read.
    stages
        In the order in which they ended.
    """

    __pydantic_config__ = STRICT

    run: str
    command: tuple[str, ...]
    started: str
    ended: str
    machine: Machine
    versions: Mapping[str, str]
    configuration: Mapping[str, Any]
    stages: tuple[StageRun, ...]


@dataclass(frozen=True)
class _Stored:
    __pydantic_config__ = STRICT

    runs: tuple[RunRecord, ...]


@dataclass(frozen=True)
class Made:
    """The computation that made a result, and the process that it was part of."""

    stage: StageRun
    run: RunRecord


def write_runs(folder: Path, runs: Iterable[RunRecord]) -> None:
    """Write the records of a folder's runs.

    Raises
    ------
    ArtifactError
        It cannot be written.
    """
    write_json(folder / NAME, asdict(_Stored(tuple(runs))))


def read_runs(folder: Path) -> list[RunRecord]:
    """Read the records of a folder's runs, in order of time; none where there is no file.

    Raises
    ------
    ArtifactError
        The file is damaged or something else.
    """
    path = folder / NAME
    if not path.exists():
        return []
    stored = read_document(path, _Stored, "record of runs", "move it away; results do not depend on it")
    return list(stored.runs)


def valid_runs(folder: Path) -> list[RunRecord]:
    """Read the same; none where the file is something else."""
    try:
        return read_runs(folder)
    except ArtifactError:
        return []


def worth_keeping(runs: list[RunRecord]) -> list[RunRecord]:
    """Leave out all that made nothing, or what a later run has made again, but the last.

    So the file stays as small as what it tells of.
    """
    latest = {done.stage: run.run for run in runs for done in run.stages if done.computed}
    needed = {*latest.values(), *(run.run for run in runs[-1:])}
    return [run for run in runs if run.run in needed]


def made_in(folder: Path) -> list[Made]:
    """Find the computations that made the results in a slide's folder, stage by stage, as far as they are known."""
    runs, found = valid_runs(folder), []
    for stage in SLIDE_STAGES:
        record = valid_record(folder, stage)
        print_ = "" if record is None else record.fingerprint
        makers = [
            Made(done, run)
            for run in runs
            for done in run.stages
            if done.computed and (done.stage, done.fingerprint) == (stage, print_)
        ]
        found += makers[-1:]
    return found
