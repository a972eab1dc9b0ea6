"""Device and dtype of a cohort are settled once."""

from pathlib import Path

import pytest

from tests.runs import configured
from wsi_scale.artifacts.execution import SettledExecution, read_execution, write_execution
from wsi_scale.artifacts.state import FolderState
from wsi_scale.errors import ArtifactError, ConfigError
from wsi_scale.execution import compute
from wsi_scale.execution.settled import compute_of, parameters_of
from wsi_scale.jobs.hardware import settle
from wsi_scale.jobs.job import SlideJob
from wsi_scale.slides.sheet import SheetRow

AUTO = configured().execution


def job_in(folder: Path) -> SlideJob:
    folder.mkdir(parents=True, exist_ok=True)
    return SlideJob(SheetRow("a", Path("a.svs"), None, None), folder)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine without native bfloat16."""
    monkeypatch.setattr(compute, "has_bfloat16", lambda _: False)
    return monkeypatch


def test_the_first_run_settles_what_is_auto_for_all_slides(tmp_path: Path, machine: pytest.MonkeyPatch) -> None:
    first = job_in(tmp_path / "slides" / "a")
    settled = settle(first, AUTO, FolderState(first.folder))
    assert (settled.device, settled.dtype) == ("cpu", "float32")
    assert read_execution(tmp_path) == SettledExecution("cpu", "float32")

    # Another machine could do more, and does the same.
    machine.setattr(compute, "has_bfloat16", lambda _: True)
    second = job_in(tmp_path / "slides" / "b")
    assert settle(second, AUTO, FolderState(second.folder)) == settled


def test_a_machine_that_cannot_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_execution(tmp_path, SettledExecution("cpu", "bfloat16"))
    job = job_in(tmp_path / "slides" / "a")
    settled = settle(job, AUTO, FolderState(job.folder))
    monkeypatch.setattr("wsi_scale.execution.settled.has_bfloat16", lambda _: False)
    with pytest.raises(ConfigError, match="does not support it natively; use one that does, or set") as error:
        compute_of(settled)
    assert "\n" not in str(error.value)


def test_a_gpu_that_was_settled_and_is_not_there_is_told(tmp_path: Path) -> None:
    write_execution(tmp_path, SettledExecution("cuda", "float32"))
    job = job_in(tmp_path / "slides" / "a")
    with pytest.raises(ConfigError, match="chosen by the first run, but torch finds no GPU here; use a machine that"):
        compute_of(settle(job, AUTO, FolderState(job.folder)))


def test_what_is_configured_outranks_what_was_settled(tmp_path: Path) -> None:
    write_execution(tmp_path, SettledExecution("cpu", "bfloat16"))
    job = job_in(tmp_path / "slides" / "a")
    asked = configured("execution.dtype=float32").execution
    assert settle(job, asked, FolderState(job.folder)).dtype == "float32"
    assert read_execution(tmp_path) == SettledExecution("cpu", "float32")


def test_what_is_auto_stays_as_it_was_settled_where_the_other_is_configured(tmp_path: Path) -> None:
    """Asked on a machine without a GPU for what the message advises."""
    write_execution(tmp_path, SettledExecution("cuda", "bfloat16"))
    job = job_in(tmp_path / "slides" / "a")
    settle(job, configured("execution.dtype=float32").execution, FolderState(job.folder))
    assert read_execution(tmp_path) == SettledExecution("cuda", "float32")


def test_a_folder_of_one_slide_settles_it_for_itself(tmp_path: Path, machine: pytest.MonkeyPatch) -> None:
    job, state = job_in(tmp_path / "out"), FolderState(tmp_path / "out")
    settled = settle(job, AUTO, state)
    state.save()
    machine.setattr(compute, "has_bfloat16", lambda _: True)
    assert settle(job, AUTO, FolderState(job.folder)) == settled
    assert [path.name for path in job.folder.iterdir()] == [".wsi-scale.lock"]


def test_a_run_on_all_gpus_is_settled_as_one_on_a_gpu(tmp_path: Path) -> None:
    """Nothing is computed again where the next run asks for one GPU, or finds one."""
    write_execution(tmp_path, SettledExecution("cuda", "float32"))
    job = job_in(tmp_path / "slides" / "a")
    every, one = (
        settle(job, configured(f"execution.device={device}").execution, FolderState(job.folder))
        for device in ("cuda:all", "cuda")
    )
    assert read_execution(tmp_path) == SettledExecution("cuda", "float32")
    assert (every.device, one.device) == ("cuda:all", "cuda")
    assert parameters_of(every) == parameters_of(one)
    assert settle(job, configured("execution.device=cpu").execution, FolderState(job.folder)).device == "cpu"


def test_how_many_workers_there_are_is_no_parameter_of_results() -> None:
    settled = AUTO.model_copy(update={"device": "cpu"})
    assert parameters_of(settled) == parameters_of(settled.model_copy(update={"workers": 7}))
    assert parameters_of(settled) != parameters_of(settled.model_copy(update={"threads": 7}))


def test_a_damaged_file_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "execution.json").write_text('{"device": "tpu", "dtype": "float32"}')
    with pytest.raises(ArtifactError, match=r"execution\.json is not a record of device and dtype .*; delete it"):
        read_execution(tmp_path)
