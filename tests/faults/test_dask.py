"""Whatever becomes of a Dask cluster is one line, in time, and lost blocks are computed again."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from distributed import Client
from distributed.utils import open_port

from tests.runs import contents, error_line, in_child
from wsi_scale.artifacts.atomic import progress_path
from wsi_scale.artifacts.names import SCALE_MAP
from wsi_scale.errors import ClusterError, ConfigError
from wsi_scale.execution.cluster import map_on_cluster
from wsi_scale.execution.lock import folder_lock
from wsi_scale.version import __version__

#: Stands in for a package that is not there.
MISSING = "raise ModuleNotFoundError(\"No module named 'wsi_scale'\", name='wsi_scale')\n"
#: A block that two workers died on is deadly.
SETTINGS = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
#: Long enough for a worker to start, short enough to wait for.
STARTS_S = 30.0


@contextmanager
def running(*command: str, first_on_path: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Run a part of a cluster as long as the body does."""
    path = os.pathsep.join(str(place) for place in (first_on_path, *filter(None, sys.path)) if place)
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", **SETTINGS}
    process = subprocess.Popen(
        [sys.executable, "-m", "dask", *command, "--no-dashboard"],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def scheduler(first_on_path: Path | None = None) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run a scheduler; its address and process."""
    port = str(open_port("127.0.0.1"))
    with running("scheduler", "--host", "127.0.0.1", "--port", port, first_on_path=first_on_path) as process:
        workers_at(f"tcp://127.0.0.1:{port}")  # it answers
        yield f"tcp://127.0.0.1:{port}", process


@contextmanager
def worker(address: str, first_on_path: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker that nobody starts again."""
    with running("worker", address, "--nthreads", "1", "--no-nanny", first_on_path=first_on_path) as process:
        yield process


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Address of a scheduler whose workers each test brings along."""
    with scheduler() as (found, _):
        yield found


def computed(function: Callable[[int], Any], count: int, address: str, patience_s: float = STARTS_S) -> list[Any]:
    """Compute so many blocks on a cluster."""
    return list(map_on_cluster(function, range(count), address, patience_s=patience_s))


def told(error: pytest.ExceptionInfo[Exception], capfd: pytest.CaptureFixture[str]) -> str:
    """Return the one line of an error, next to which nothing was said."""
    assert "\n" not in str(error.value)
    assert capfd.readouterr().err == ""
    return str(error.value)


def package(folder: Path, init: str, version: str | None = None) -> Path:
    """Write another package of this one's name."""
    (folder / "wsi_scale").mkdir()
    (folder / "wsi_scale" / "__init__.py").write_text(init)
    if version is not None:
        (folder / "wsi_scale" / "version.py").write_text(f"__version__ = {version!r}\n")
    return folder


def workers_at(address: str) -> dict[str, int]:
    """Addresses of a scheduler's workers."""
    with Client(address, set_as_default=False) as client:  # type: ignore[no-untyped-call]
        return dict(client.nthreads())  # type: ignore[no-untyped-call]


def doze(block: int) -> int:
    """Take a little time."""
    time.sleep(0.05)
    return block


def test_a_scheduler_without_workers_is_given_up(address: str, capfd: pytest.CaptureFixture[str]) -> None:
    start = time.monotonic()
    with pytest.raises(ClusterError, match="no workers for 1 s; start some") as error:
        computed(str, 3, address, patience_s=1.0)
    assert address in told(error, capfd)
    assert 1 <= time.monotonic() - start < 10


def test_who_takes_connections_and_says_nothing_is_no_scheduler(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ConfigError, match="no Dask scheduler answers at") as error:
            computed(str, 3, place, patience_s=0.5)
    assert place in told(error, capfd)


@pytest.mark.parametrize("place", ["nonsense", "", "http://127.0.0.1:1", "tcp://127.0.0.1:x", "tls://127.0.0.1:1"])
def test_what_is_no_address_of_a_scheduler_is_said(place: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match="no Dask scheduler answers at") as error:
        computed(str, 3, place, patience_s=0.5)
    told(error, capfd)


def test_a_worker_without_the_package_is_named(address: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with (
        worker(address, package(tmp_path, MISSING)),
        pytest.raises(ClusterError, match=r"Dask worker tcp://.* cannot import wsi_scale") as error,
    ):
        computed(str, 3, address)
    assert f"install wsi-scale {__version__} there" in told(error, capfd)


@pytest.mark.long
def test_a_worker_with_another_version_is_named(
    address: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with (
        worker(address, package(tmp_path, "", "0.0.9")),
        pytest.raises(ClusterError, match=r"Dask worker tcp://.* has wsi_scale 0\.0\.9") as error,
    ):
        computed(str, 3, address)
    assert f"(here {__version__})" in told(error, capfd)


@pytest.mark.long
def test_a_worker_with_another_library_is_named(
    address: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    described = tmp_path / "pillow-0.0.1.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: pillow\nVersion: 0.0.1\n")
    with (
        worker(address, tmp_path),
        pytest.raises(ClusterError, match=r"Dask worker tcp://.* has pillow 0\.0\.1 \(here") as error,
    ):
        computed(str, 3, address)
    told(error, capfd)


def test_a_worker_without_the_package_that_joins_in_the_middle_leaves_again(address: str, tmp_path: Path) -> None:
    with worker(address):
        results = map_on_cluster(doze, range(1000), address, patience_s=5.0)
        taken = next(results) + 1
        with worker(address, package(tmp_path, MISSING)) as other:
            while other.poll() is None:
                assert next(results) == taken
                taken += 1
            assert [next(results) for _ in range(10)] == list(range(taken, taken + 10))


@pytest.mark.long
def test_a_scheduler_without_the_package_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with (
        scheduler(package(tmp_path, MISSING)) as (place, _),
        worker(place),
        pytest.raises(ClusterError, match="Dask scheduler cannot import wsi_scale") as error,
    ):
        computed(str, 3, place)
    told(error, capfd)


def test_blocks_of_a_dead_worker_are_computed_again_and_a_deadly_block_is_given_up(
    address: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def deadly_once(block: int) -> int:
        if block == 3 and not (tmp_path / "died").exists():
            (tmp_path / "died").mkdir()
            os._exit(9)
        return block

    with worker(address) as first, worker(address) as second:
        while len(workers_at(address)) < 2:
            time.sleep(0.1)
        assert computed(deadly_once, 10, address) == list(range(10))
        assert {first.poll(), second.poll()} == {9, None}
        with worker(address):
            while len(workers_at(address)) < 2:
                time.sleep(0.1)
            with pytest.raises(ClusterError, match="2 Dask workers died on one block of tiles") as error:
                computed(os._exit, 1, address)
    assert "execution.block_tiles" in told(error, capfd)


def test_a_worker_that_hangs_holds_nothing_up(address: str, capfd: pytest.CaptureFixture[str]) -> None:
    with worker(address) as hangs, worker(address):
        while len(workers_at(address)) < 2:
            time.sleep(0.1)
        start = time.monotonic()
        results = map_on_cluster(doze, range(60), address, patience_s=STARTS_S)
        first = [next(results) for _ in range(6)]
        hangs.send_signal(signal.SIGSTOP)
        assert [*first, *results] == list(range(60))
        assert time.monotonic() - start < 20
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "number",
    [signal.SIGKILL, *(pytest.param(number, marks=pytest.mark.long) for number in (signal.SIGTERM, signal.SIGSTOP))],
)
def test_a_scheduler_that_goes_while_blocks_are_computed_is_said(
    number: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    with scheduler() as (place, process), worker(place):
        results = map_on_cluster(doze, range(200), place, patience_s=8.0)
        assert next(results) == 0
        process.send_signal(number)
        with pytest.raises(ClusterError, match="was lost while blocks were computed; start it") as error:
            list(results)
    assert place in told(error, capfd)


@pytest.mark.long
def test_a_stage_without_workers_leaves_with_one_line_and_without_its_lock(
    finished_copy: Path, small_slide: Path
) -> None:
    before = contents(finished_copy)
    with scheduler() as (place, _):
        result = in_child("search", small_slide, "--output", finished_copy, "--scheduler", place, "--overwrite")
    assert "has had no workers for 30 s" in error_line(result)
    assert len(result.stderr.splitlines()) == 1
    with folder_lock(finished_copy, patience_s=0):
        pass
    changed = {name for name, content in contents(finished_copy).items() if before.get(name) != content}
    assert changed == {"search.json", progress_path(Path(SCALE_MAP)).name}
