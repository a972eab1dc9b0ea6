"""Slides and finished runs that the tests of stages, commands, faults and workflows share."""

import functools
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

from wsi_scale.artifacts.manifest import manifest_of
from wsi_scale.artifacts.record import Record, Status, read_record, write_record
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.cli.main import app
from wsi_scale.config.load import load_config
from wsi_scale.config.models import Config
from wsi_scale.jobs.job import SlideJob
from wsi_scale.slides.sheet import SheetRow
from wsi_scale.synthesis import Scene, render_scene, write_pyramid

#: µm per pixel of the drawn slides.
MPP = 0.5
#: Planted radii of the small slide's left and right half, µm.
RADII_UM = (2.5, 5.0)
#: What differs from run to run, or says nothing.
NOT_COMPARED = (".wsi-scale.lock", "report.html", "runs.json")


def configured(*assignments: str) -> Config:
    """Parse assignments as the command line does."""
    return load_config(None, assignments)


def draw(radius_um: float, height: int, width: int, seed: int = 3) -> NDArray[np.uint8]:
    """Draw tissue with nuclei of one radius, (height, width, rgb)."""
    return render_scene(Scene(radius_um, size_px=max(height, width), mpp=MPP, seed=seed))[:height, :width]


@functools.cache
def write_small_slide(path: Path) -> Path:
    """Write a slide of 5 × 4 tiles whose nuclei double in size half-way across."""
    halves = [draw(radius, 1000, 650) for radius in RADII_UM]
    write_pyramid(path, np.concatenate(halves, axis=1), MPP)
    return path


def wsi_scale(*arguments: object) -> Result:
    """Run a command in this process; a bug keeps its traceback."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


def in_child(*arguments: object, limit_s: float = 120, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    command = [sys.executable, "-m", "wsi_scale", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False, **options)  # type: ignore[call-overload,no-any-return]


def processor_s(*arguments: object) -> tuple[float, str]:
    """Seconds of processor time that Python takes with these arguments, and what it writes to standard error."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stderr


def job(slide: Path, folder: Path, mpp: float | None = None, group: str | None = None) -> SlideJob:
    """Make a slide's job."""
    return SlideJob(SheetRow(slide.stem, slide, mpp, group), folder)


def recorded(folder: Path, stage: str, status: Status = "ok", reason: str = "", print_: str = "f") -> Record:
    """Record that a stage has left what lies in the folder, after the stages whose records are there."""
    spec = SLIDE_STAGES[stage]
    before = {name: found for name in spec.after if (found := read_record(folder, name)) is not None}
    after = {name: found.fingerprint for name, found in before.items()}
    record = Record(stage, status, reason, print_, manifest_of(folder, spec.artefacts), after)
    write_record(folder, record)
    return record


def rename_slide(folder: Path, slide_id: str) -> None:
    """Let results of the small slide be those of a slide of another name."""
    info = (folder / "slide.json").read_text()
    (folder / "slide.json").write_text(info.replace('"small"', f'"{slide_id}"'))
    inspected = read_record(folder, "inspect")
    assert inspected is not None
    recorded(folder, "inspect", print_=inspected.fingerprint)


def contents(folder: Path) -> dict[str, bytes]:
    """Read every file of a folder of results but the page."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in NOT_COMPARED
    }


def stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """Tell when each file of a folder was written, and which one it is."""
    found = {path: path.stat() for path in sorted(folder.rglob("*")) if path.is_file()}
    return {str(path.relative_to(folder)): (stat.st_mtime_ns, stat.st_ino) for path, stat in found.items()}


def error_line(result: Result | subprocess.CompletedProcess[str]) -> str:
    """Return the one line in which a command told an error of its user; exit 1, no traceback."""
    code = result.returncode if isinstance(result, subprocess.CompletedProcess) else result.exit_code
    assert code == 1, (result.stdout, result.stderr)
    assert "Traceback" not in result.stderr
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    return line


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all tests share; nothing in it is changed once it is made."""
    folder = tmp_path_factory.getbasetemp() / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session", autouse=True)
def own_cache(shared: Path) -> Iterator[Path]:
    """A user's cache that no earlier session has filled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(shared / "cache"))
        yield shared / "cache"


@pytest.fixture(scope="session")
def small_slide(shared: Path) -> Path:
    """The small slide: 5 × 4 tiles of 112 µm at 0.5 µm/px, small nuclei left, large ones right."""
    return write_small_slide(shared / "small.tiff")


@functools.cache
def _finish(slide: Path, folder: Path) -> Path:
    result = wsi_scale("run", slide, "--output", folder)
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="session")
def finished(small_slide: Path, own_cache: Path) -> Path:
    """What `run` leaves of the small slide; not to be changed."""
    assert os.environ["XDG_CACHE_HOME"] == str(own_cache)
    return _finish(small_slide, small_slide.parent / "finished")


@pytest.fixture
def finished_copy(finished: Path, tmp_path: Path) -> Path:
    """A copy of what `run` leaves of the small slide, to be changed."""
    return Path(shutil.copytree(finished, tmp_path / "copy"))
