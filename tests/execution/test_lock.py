"""One process at a time in a slide's folder."""

import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runs import wsi_scale
from wsi_scale.artifacts.state import FolderState, Owner
from wsi_scale.errors import ArtifactError, BusyError
from wsi_scale.execution.lock import LOCK, SOFT_LOCK, break_lock, folder_lock

HOLDER = """
import sys, time
from pathlib import Path
from wsi_scale.artifacts.state import FolderState, Owner
from wsi_scale.execution.lock import LOCK, SOFT_LOCK, break_lock, folder_lock

with folder_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the folder."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_another_process_is_kept_out_and_told_why(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    told: list[str] = []
    with pytest.raises(BusyError) as error, folder_lock(tmp_path, patience_s=0.3, on_wait=told.append):
        pytest.fail("two processes in one folder")
    assert holder.poll() is None
    for text in (*told, str(error.value)):
        assert str(tmp_path) in text
        assert "\n" not in text
    assert len(told) == 1


def test_a_lock_dies_with_the_process_that_holds_it(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    told: list[str] = []
    with folder_lock(tmp_path, patience_s=0, on_wait=told.append):
        pass
    assert told == []


def test_who_waits_gets_the_folder_when_it_is_free(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    with folder_lock(tmp_path, patience_s=60, on_wait=lambda _: holder.kill()):
        pass


def test_the_same_process_is_kept_out_too(tmp_path: Path) -> None:
    with folder_lock(tmp_path), pytest.raises(BusyError), folder_lock(tmp_path, patience_s=0.1):
        pytest.fail("one folder held twice")


def test_two_folders_do_not_disturb_each_other(tmp_path: Path) -> None:
    with folder_lock(tmp_path / "a", patience_s=0), folder_lock(tmp_path / "b", patience_s=0):
        assert (tmp_path / "a").is_dir()
        assert (tmp_path / "b").is_dir()


def test_an_error_in_the_body_frees_the_folder(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), folder_lock(tmp_path):
        raise ZeroDivisionError
    with folder_lock(tmp_path, patience_s=0):
        pass


@pytest.mark.parametrize("place", ["file", "file/folder"])
def test_a_folder_that_cannot_be_made_is_said_in_one_line(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ArtifactError) as error, folder_lock(tmp_path / place):
        pytest.fail("no folder to hold")
    assert str(tmp_path / place) in str(error.value)
    assert "\n" not in str(error.value)


def test_the_lock_and_what_is_noted_in_it_are_one_file(tmp_path: Path) -> None:
    state = FolderState(tmp_path)
    state.owner = Owner("a", "/slides/a.svs", "0123")
    with folder_lock(tmp_path):
        state.save()
    with folder_lock(tmp_path):
        assert FolderState(tmp_path).owner == state.owner
    assert [path.name for path in tmp_path.iterdir()] == [LOCK]


def without_locks(*_: object) -> None:
    raise OSError(errno.ENOLCK, "No locks available")


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system on which nothing can be locked."""
    monkeypatch.setattr(fcntl, "flock", without_locks)


@pytest.mark.usefixtures("no_locks")
def test_without_locks_a_file_names_host_and_process_and_one_command_breaks_it(tmp_path: Path) -> None:
    told: list[str] = []
    with folder_lock(tmp_path):
        with (
            pytest.raises(BusyError) as error,
            folder_lock(tmp_path, patience_s=0.4, tell_after_s=0.1, on_wait=told.append),
        ):
            pytest.fail("two in one folder")
        for text in (*told, str(error.value)):
            assert f"process {os.getpid()} on {socket.gethostname()} holds it" in text
            assert f"run `wsi-scale unlock {tmp_path}`" in text
            assert "\n" not in text
        assert len(told) == 1
    assert break_lock(tmp_path) == ""


def test_a_lock_that_another_host_left_is_broken_by_the_command(tmp_path: Path) -> None:
    (tmp_path / SOFT_LOCK).write_text("4711\nnode17\n")
    result = wsi_scale("unlock", tmp_path)
    assert (result.exit_code, result.stdout) == (0, "removed the lock of 4711 node17\n")
    assert not (tmp_path / SOFT_LOCK).exists()
    assert "holds no lock" in wsi_scale("unlock", tmp_path).stdout
