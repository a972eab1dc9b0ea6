"""Whole runs of the workflow, each made once and looked at by many tests."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest
import tifffile

from tests.runs import MPP, contents, draw, finished, finished_copy, own_cache, shared, small_slide, stamps
from wsi_scale.synthesis import write_pyramid

__all__ = ["finished", "finished_copy", "own_cache", "shared", "small_slide"]

REPOSITORY = Path(__file__).parents[2]
#: A slide whose name a shell, a URL, HTML, CSV and Snakemake would each read in its own way.
ODD_NAME = "ünï cödé 'q' \"dd\" $HOME; & {x} <b> *.tiff"
ODD_ID = "ünï cödé 'q' \"dd\" $HOME; & _x_ _b_ *"
#: The batch that it is alone in; the other slides' batches have the slides' names.
ODD_BATCH = "batch-0001"
_JOB = re.compile(r"^(?:local)?rule (\w+):\n((?:    .*\n)*)", re.MULTILINE)

Snakemake = Callable[..., "Run"]


@dataclass(frozen=True)
class Run:
    """What a run said and left.

    Attributes
    ----------
    code
        Exit status.
    output
        Standard output and error together.
    results
        Its folder.
    files
        Path in that folder → content, at the end of the run.
    stamps
        Path in that folder → (time of writing, inode), at the end of the run.
    """

    code: int
    output: str
    results: Path
    files: dict[str, bytes]
    stamps: dict[str, tuple[int, int]]

    @property
    def errors(self) -> list[str]:
        """Lines that tell an error."""
        return [line for line in self.output.splitlines() if line.startswith("error:")]

    @property
    def jobs(self) -> dict[str, set[str]]:
        """Batch ("" for the cohort) → rules that were run for it, but the target `all`."""
        found: dict[str, set[str]] = {}
        for rule, lines in _JOB.findall(self.output):
            wildcard = re.search(r"wildcards: batch=(.*)", lines)
            found.setdefault(wildcard[1] if wildcard else "", set()).add(rule)
        return {batch: rules - {"all"} for batch, rules in found.items()}

    def of_slide(self, slide_id: str) -> dict[str, bytes]:
        """Files of one slide's results."""
        start = f"slides/{slide_id}/"
        return {name.removeprefix(start): data for name, data in self.files.items() if name.startswith(start)}


def command(slides: Path, results: Path, *options: str, values: tuple[str, ...] = ()) -> list[str]:
    """Write down a run as a user would."""
    config = [f"slides={slides}", f"results={results}", *values]
    return [sys.executable, "-m", "snakemake", "--cores", "2", *options, "--config", *config]


def gather(code: int, output: str, results: Path) -> Run:
    """Take down what a run left."""
    return Run(code, output, results, contents(results), stamps(results))


@pytest.fixture(scope="session")
def snakemake(own_cache: Path) -> Snakemake:
    """Run the workflow from the repository's root."""

    def run(slides: Path, results: Path, *options: str, values: tuple[str, ...] = ()) -> Run:
        done = subprocess.run(
            command(slides, results, *options, values=values),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=REPOSITORY, timeout=500, check=False,
        )  # fmt: skip
        return gather(done.returncode, done.stdout, results)

    return run


@pytest.fixture(scope="session")
def messy(shared: Path) -> Path:
    """A folder of two good slides and of much that goes wrong."""
    folder = shared / "messy slides"
    (folder / "a").mkdir(parents=True)
    (folder / "b").mkdir()
    write_pyramid(folder / "a" / "same.tiff", draw(3.0, 700, 900), MPP)
    glass = np.random.default_rng(0).integers(239, 244, (900, 1000, 3), np.uint8)
    write_pyramid(folder / "b" / "same.tiff", glass, MPP)
    image = draw(5.0, 500, 700, seed=4)
    write_pyramid(folder / ODD_NAME, image, MPP)
    whole = (folder / "a" / "same.tiff").read_bytes()
    (folder / "cut.tiff").write_bytes(whole[: len(whole) // 2])
    (folder / "cut.svs").write_text("no slide\n" * 50)
    tifffile.imwrite(folder / "no-mpp.tiff", image, tile=(256, 256), photometric="rgb", metadata=None)
    return folder


@pytest.fixture(scope="session")
def first(snakemake: Snakemake, messy: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A first run on the messy folder, with one worker."""
    results = tmp_path_factory.mktemp("messy") / "re sults"
    return snakemake(messy, results, values=("execution={workers: 1}",))


@pytest.fixture(scope="session")
def looked(snakemake: Snakemake, first: Run, messy: Path) -> dict[str, Run]:
    """What a dry run and others that only look at the first run say and leave, by their option."""
    return {
        option: snakemake(messy, first.results, option, values=("execution={workers: 1}",))
        for option in ("--dry-run", "--lint", "--unlock", "--summary")
    }


@pytest.fixture(scope="session")
def again(snakemake: Snakemake, first: Run, looked: dict[str, Run], messy: Path) -> Run:
    """The first run, said again word for word."""
    assert set(looked) >= {"--dry-run"}
    return snakemake(messy, first.results, values=("execution={workers: 1}",))


@pytest.fixture(scope="session")
def good_sheet(messy: Path, shared: Path) -> Path:
    """A sample sheet of the messy folder's good slides."""
    quoted = {ODD_ID: ODD_NAME}
    lines = ["slide_id,path", f"a__same,{messy / 'a' / 'same.tiff'}"]
    lines += [
        ",".join('"' + text.replace('"', '""') + '"' for text in (slide_id, str(messy / name)))
        for slide_id, name in quoted.items()
    ]
    path = shared / "good.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@dataclass(frozen=True)
class Killed:
    """A run that was killed in the middle, and the plain run after it.

    Attributes
    ----------
    finished
        Whether the first run had reached its end.
    orphans
        Commands that outlived it.
    rerun
        The run after it.
    """

    finished: bool
    orphans: list[str]
    rerun: Run


@pytest.fixture(scope="session")
def killed(snakemake: Snakemake, good_sheet: Path, tmp_path_factory: pytest.TempPathFactory) -> Killed:
    """A run with two workers, killed while it searched, its children left alive, and the same run again."""
    results = tmp_path_factory.mktemp("killed") / "results"
    values = ("execution={workers: 2}",)
    with subprocess.Popen(
        command(good_sheet, results, values=values),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=REPOSITORY, start_new_session=True,
    ) as process:  # fmt: skip
        children = _wait_for_search(psutil.Process(process.pid), results)
        process.kill()
    done = (results / "status.tsv").exists()
    orphans = [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    commands = [" ".join(child.cmdline()) for child in orphans]
    rerun = snakemake(good_sheet, results, values=values)
    psutil.wait_procs(orphans, timeout=120)
    return Killed(done, commands, gather(rerun.code, rerun.output, results))


def _wait_for_search(process: psutil.Process, results: Path) -> list[psutil.Process]:
    """Wait until the log of a slide tells that it is searched; the children of the run then."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        if any("[search]" in log.read_text() for log in results.glob("logs/slides/*.log")):
            return process.children(recursive=True)
        time.sleep(0.05)
    raise TimeoutError("no slide is searched")


@pytest.fixture(scope="session")
def other_features(snakemake: Snakemake, killed: Killed, good_sheet: Path) -> Run:
    """The run again with another section `features`."""
    values = ("execution={workers: 2}", "features={mpps: [1.0]}")
    return snakemake(good_sheet, killed.rerun.results, values=values)


@pytest.fixture(scope="session")
def changed(snakemake: Snakemake, other_features: Run, good_sheet: Path, messy: Path) -> Run:
    """The run again, where one slide's map was deleted and the other slide's file was replaced."""
    shutil.rmtree(other_features.results / "slides" / "a__same" / "scale.ome.zarr")
    slide = messy / ODD_NAME
    before, times = slide.read_bytes(), slide.stat()
    write_pyramid(slide, draw(5.0, 300, 500, seed=5), MPP)
    try:
        values = ("execution={workers: 2}", "features={mpps: [1.0]}")
        return snakemake(good_sheet, other_features.results, values=values)
    finally:
        slide.write_bytes(before)
        os.utime(slide, ns=(times.st_atime_ns, times.st_mtime_ns))
