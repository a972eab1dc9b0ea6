"""Copies on local scratch: whole, shared, bounded, and removed, whoever was killed."""

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from wsi_scale.execution import scratch as scratch_module
from wsi_scale.execution.lock import LOCK
from wsi_scale.execution.scratch import Copy, Scratch
from wsi_scale.execution.staging import Original, staged

MB = 1_000_000

#: Stages the slide of a folder; what it does meanwhile is said on its command line.
HOLDER = """
import os, signal, sys, time
from contextlib import contextmanager
from pathlib import Path
from tests.execution.test_staging import MB, Scratch, original
from wsi_scale.execution import staging

folder, scratch, act, at_most = sys.argv[1:]

@contextmanager
def acting(*_, **__):
    print("copying", flush=True)
    def advance(count):
        if act == "dies" and count:
            os.kill(os.getpid(), signal.SIGKILL)
        while act == "waits" and not Path(folder, "go on").exists():
            time.sleep(0.01)
    yield advance

staging.progress, staging._CHUNK_BYTES = acting, MB // 2
with staging.staged(original(Path(folder)), Scratch(Path(scratch), int(float(at_most) * MB))) as path:
    print(path, flush=True)
    sys.stdin.read()
"""

Start = Callable[..., subprocess.Popen[str]]


def original(folder: Path, size: int = MB) -> Original:
    """A slide of one file and a folder, whose key is the folder's name."""
    if not folder.exists():
        (folder / "a").mkdir(parents=True)
        (folder / "a.mrxs").write_text("index")
        (folder / "a" / "Data.dat").write_bytes(os.urandom(size))
    files = [folder / "a.mrxs", folder / "a" / "Data.dat"]
    return Original(
        folder / "a.mrxs", files, f"{int(folder.name):032x}", lambda path: contents(path) == contents(files[0])
    )


def contents(path: Path) -> list[bytes]:
    return [path.read_bytes(), (path.with_suffix("") / "Data.dat").read_bytes()]


def copies(place: Path) -> list[Path]:
    """Folders of the copies that lie there."""
    return [path for path in sorted((place / f"wsi-scale-staged-{os.getuid()}").iterdir()) if path.name != LOCK]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A scratch folder that others use too."""
    (tmp_path / "scratch" / "others").mkdir(parents=True)
    (tmp_path / "scratch" / "others" / "file").write_text("of another program")
    return tmp_path / "scratch"


@pytest.fixture
def start(tmp_path: Path, place: Path) -> Iterator[Start]:
    """Start a process that stages the slide of a folder, and holds it."""
    with ExitStack() as stack:

        def started(folder: Path, act: str = "holds", most_mb: float = 100) -> subprocess.Popen[str]:
            original(folder)
            command = [sys.executable, "-c", HOLDER, str(folder), str(place), act, str(most_mb)]
            pipe = subprocess.PIPE
            process = stack.enter_context(subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True))
            stack.callback(process.kill)
            return process

        yield started


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def end(process: subprocess.Popen[str]) -> None:
    process.communicate("", timeout=60)
    assert process.returncode == 0


def warnings_of(caplog: pytest.LogCaptureFixture) -> Sequence[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_copy_has_all_files_under_their_names_and_is_removed_after_use(tmp_path: Path, place: Path) -> None:
    slide = original(tmp_path / "1")
    with staged(slide, Scratch(place)) as path:
        assert path.is_relative_to(place)
        assert path.name == "a.mrxs"
        assert contents(path) == contents(slide.path)
        assert place.joinpath(f"wsi-scale-staged-{os.getuid()}").stat().st_mode & 0o077 == 0
    assert copies(place) == []
    assert (place / "others" / "file").read_text() == "of another program"


def test_two_processes_share_one_copy_and_the_last_removes_it(tmp_path: Path, place: Path, start: Start) -> None:
    first = start(tmp_path / "1")
    assert line(first) == "copying"
    held = line(first)
    second = start(tmp_path / "1")
    assert line(second) == held  # it has not copied
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert contents(Path(held)) == contents(tmp_path / "1" / "a.mrxs")
    end(second)
    assert copies(place) == []


def test_who_finds_a_copy_in_the_making_waits_for_it(tmp_path: Path, start: Start) -> None:
    first = start(tmp_path / "1", "waits")
    assert line(first) == "copying"
    second = start(tmp_path / "1")
    time.sleep(1)
    assert second.poll() is None
    (tmp_path / "1" / "go on").touch()
    held = line(first)
    assert line(second) == held  # it has not copied
    end(first)
    assert contents(Path(held)) == contents(tmp_path / "1" / "a.mrxs")
    end(second)


def test_half_a_copy_of_a_killed_process_is_removed_by_whoever_stages_next(
    tmp_path: Path, place: Path, start: Start
) -> None:
    original(tmp_path / "1", 3 * MB)
    killed = start(tmp_path / "1", "dies")
    killed.wait(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    (left,) = copies(place)
    assert (left / "slide" / "a" / "Data.dat").stat().st_size < 3 * MB
    with staged(original(tmp_path / "2"), Scratch(place)):
        assert left not in copies(place)
    with staged(original(tmp_path / "1"), Scratch(place)) as path:
        assert contents(path) == contents(tmp_path / "1" / "a.mrxs")


def test_a_process_that_waits_makes_the_copy_of_one_that_is_killed(tmp_path: Path, start: Start) -> None:
    first = start(tmp_path / "1", "waits")
    assert line(first) == "copying"
    second = start(tmp_path / "1")
    first.send_signal(signal.SIGKILL)
    assert line(second) == "copying"
    assert contents(Path(line(second))) == contents(tmp_path / "1" / "a.mrxs")


def test_a_whole_copy_of_a_killed_process_is_used_again(tmp_path: Path, place: Path, start: Start) -> None:
    killed = start(tmp_path / "1")
    held = [line(killed), line(killed)][1]
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    before = Path(held).stat().st_mtime_ns
    with staged(original(tmp_path / "1"), Scratch(place)) as path:
        assert (str(path), path.stat().st_mtime_ns) == (held, before)


def test_a_copy_that_nobody_holds_makes_room_the_oldest_first(tmp_path: Path, place: Path, start: Start) -> None:
    for number in (1, 2):
        killed = start(tmp_path / str(number))
        assert [line(killed), line(killed)]
        killed.kill()
        killed.wait()
    held = start(tmp_path / "3")
    assert [line(held), line(held)]
    os.utime(copies(place)[1] / "complete", (time.time() - 60,) * 2)  # the second was used before the first
    with staged(original(tmp_path / "4"), Scratch(place, int(3.5 * MB))) as path:
        assert path.is_relative_to(place)
        assert [int(copy.name, 16) for copy in copies(place)] == [1, 3, 4]


def test_what_does_not_fit_is_read_where_it_lies_and_no_copy_makes_way_in_vain(
    tmp_path: Path, place: Path, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    killed = start(tmp_path / "1")
    assert [line(killed), line(killed)]
    killed.kill()
    killed.wait()
    held = start(tmp_path / "2")
    assert [line(held), line(held)]
    with staged(original(tmp_path / "3"), Scratch(place, int(1.9 * MB))) as path:
        assert path == tmp_path / "3" / "a.mrxs"
    (warning,) = warnings_of(caplog)
    assert warning.endswith(
        f"not copied to {place}: execution.scratch_gb, or the free space, is too small for its 0.00 GB"
    )
    assert len(copies(place)) == 2


def test_a_twentieth_of_the_disk_is_left_to_others(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    slide = original(tmp_path / "1")
    disk = shutil.disk_usage(place)
    for room, fits in ((2 * MB, True), (MB // 2, False)):
        monkeypatch.setattr(scratch_module, "SPARE", (disk.free - room) / disk.total)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: disk)
        with staged(slide, Scratch(place)) as path:
            assert path.is_relative_to(place) == fits
    assert "the free space is too small" in warnings_of(caplog)[0]


@pytest.mark.parametrize("changes", ["damaged", "started anew", "unused for a day"])
def test_a_copy_that_may_not_be_the_slide_is_not_read(
    tmp_path: Path, place: Path, start: Start, caplog: pytest.LogCaptureFixture, changes: str
) -> None:
    killed = start(tmp_path / "1")
    held = Path([line(killed), line(killed)][1])
    killed.kill()
    killed.wait()
    (copy,) = copies(place)
    if changes == "damaged":
        held.write_text("INDEX")
    elif changes == "started anew":
        (copy / "complete").write_text("another id of the machine's start")
    else:
        os.utime(copy / "complete", (time.time() - 2 * scratch_module.KEPT_S,) * 2)
    before = held.stat().st_mtime_ns
    with staged(original(tmp_path / "1"), Scratch(place)) as path:
        if changes == "damaged":
            assert path == tmp_path / "1" / "a.mrxs"
            assert warnings_of(caplog)[0].endswith(f"the copy {copy} is damaged")
        else:
            assert path == held
            assert path.stat().st_mtime_ns != before
        assert contents(path) == contents(tmp_path / "1" / "a.mrxs")
    assert copies(place) == []


def test_a_slide_that_changes_while_it_is_copied_is_read_where_it_lies(
    tmp_path: Path, place: Path, start: Start
) -> None:
    copying = start(tmp_path / "1", "waits")
    assert line(copying) == "copying"
    (tmp_path / "1" / "a" / "Data.dat").write_bytes(b"another")
    (tmp_path / "1" / "go on").touch()
    assert line(copying) == str(tmp_path / "1" / "a.mrxs")
    assert copying.communicate("", timeout=60)[1].rstrip().endswith("it changed while it was copied")
    assert copies(place) == []


@pytest.mark.parametrize("is_there", ["nothing", "a link", "a file"])
def test_where_no_folder_can_be_made_the_slide_is_read_where_it_lies(
    tmp_path: Path, place: Path, caplog: pytest.LogCaptureFixture, is_there: str
) -> None:
    own = place / f"wsi-scale-staged-{os.getuid()}"
    if is_there == "nothing":
        shutil.rmtree(place)
    elif is_there == "a link":
        own.symlink_to(place / "others", target_is_directory=True)
    else:
        own.touch()
    slide = original(tmp_path / "1")
    with staged(slide, Scratch(place)) as path:
        assert path == slide.path
    assert len(warnings_of(caplog)) == 1
    assert "\n" not in warnings_of(caplog)[0]
    if is_there != "nothing":
        assert [path.name for path in (place / "others").iterdir()] == ["file"]


def test_an_error_while_a_copy_is_held_is_the_callers(tmp_path: Path, place: Path) -> None:
    with pytest.raises(OSError, match="own"), staged(original(tmp_path / "1"), Scratch(place)):
        raise OSError("own")
    assert copies(place) == []


def test_what_is_no_copy_is_left_there(tmp_path: Path, place: Path) -> None:
    folder = Scratch(place).folder()
    (folder / "notes").mkdir()
    (folder / "notes" / "file").touch()
    with staged(original(tmp_path / "1"), Scratch(place)):
        assert Copy(folder / f"{1:032x}").is_complete
    assert copies(place) == [folder / "notes"]
    assert (folder / "notes" / "file").exists()
