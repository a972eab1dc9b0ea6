"""Device and dtype of a slide's stages: as configured, or as chosen by the first run of the cohort."""

from pathlib import Path

from wsi_scale.artifacts.execution import SettledExecution, read_execution, write_execution
from wsi_scale.artifacts.state import FolderState
from wsi_scale.config.models import ExecutionConfig
from wsi_scale.execution.compute import resolve
from wsi_scale.execution.lock import folder_lock
from wsi_scale.execution.settled import settled_as
from wsi_scale.jobs.job import SlideJob


def settle(job: SlideJob, execution: ExecutionConfig, state: FolderState) -> ExecutionConfig:
    """Replace ``auto`` by the cohort's device and dtype; the first run chooses them by its hardware.

    torch is not loaded if they were chosen before, so that a slide that is up to date costs no time here.

    Raises
    ------
    ConfigError
        A GPU is asked for and there is none.
    ArtifactError, BusyError
        They cannot be read or written.
    """
    found = _settled(execution, state.execution) if job.results is None else _cohorts(job.results, execution)
    state.execution = found  # by which planning sees a slide that was computed otherwise than the cohort is by now
    return settled_as(execution, found.device, found.dtype)


def settle_in(results: Path, execution: ExecutionConfig) -> ExecutionConfig:
    """Do the same for stages of a whole cohort.

    Parameters
    ----------
    results
        Folder of the cohort's results.

    Raises
    ------
    ConfigError
        A GPU is asked for and there is none.
    ArtifactError, BusyError
        They cannot be read or written.
    """
    found = _cohorts(results, execution)
    return settled_as(execution, found.device, found.dtype)


def _cohorts(results: Path, execution: ExecutionConfig) -> SettledExecution:
    stored = read_execution(results)
    found = _settled(execution, stored)
    if found != stored:
        # Two first jobs on unlike machines must not settle it twice.
        with folder_lock(results):
            stored = read_execution(results)
            found = _settled(execution, stored)
            if found != stored:
                write_execution(results, found)
    return found


def _settled(asked: ExecutionConfig, found: SettledExecution | None) -> SettledExecution:
    if found is None or (asked.device_kind not in ("auto", found.device) and asked.dtype == "auto"):
        compute = resolve(asked)
        return SettledExecution(compute.device, compute.dtype)  # type: ignore[arg-type]  # one of these
    device = found.device if asked.device_kind == "auto" else asked.device_kind
    return SettledExecution(device, found.dtype if asked.dtype == "auto" else asked.dtype)
