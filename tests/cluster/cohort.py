"""A cohort that goes through SLURM: its slides, the profile as a user edits it, and runs that can be struck."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import yaml

from tests.cluster.slurm import ClusterJob, Slurm, wait_for
from tests.runs import MPP, draw
from tests.workflow.conftest import REPOSITORY, Run, command, gather
from wsi_scale.artifacts.status import StatusRow, read_status
from wsi_scale.synthesis import write_pyramid

#: The rule whose jobs are struck: it computes longest.
STRUCK = "predict_search_extract"
#: Slides of tissue, by what befalls their jobs; beside them `broken` is cut, `glass` has no tissue.
SLIDES = ("sound", "cancelled", "hungry", "hung")
#: How often a job is submitted within a run.
ATTEMPTS = 3
#: Jobs at a time: the cores that SLURM gives away are those of a small machine.
JOBS = 3
#: Folder of the jobs' own output.
LOGS = "logs of jobs"
#: Seconds between looks at the jobs; the shipped profile leaves 40.
LOOK_S = 4


#: What is done to a job, and to its process that computes.
Fault = Callable[[ClusterJob, psutil.Process], object]


@dataclass(frozen=True)
class ClusterRun:
    """What a run left, the jobs that it submitted to SLURM, in order, and how long it took."""

    run: Run
    jobs: list[ClusterJob]
    seconds: float

    def of(self, slide_id: str) -> list[ClusterJob]:
        """Jobs of the rule that is struck, of one slide."""
        return [job for job in self.jobs if _is_of(job, slide_id)]

    def files(self, *slides: str) -> dict[str, bytes]:
        """Its results by their paths, or those of some slides: all files but logs."""
        starts = tuple(f"slides/{slide}/" for slide in slides) or ("",)
        return {
            name: data
            for name, data in self.run.files.items()
            if name.startswith(starts) and not name.startswith("logs/")
        }

    @property
    def status(self) -> dict[str, StatusRow]:
        """Rows of status.tsv by the slides' ids."""
        return {row.slide_id: row for row in read_status(self.run.results / "status.tsv")}


class Begun:
    """A run that has begun."""

    def __init__(self, slurm: Slurm, process: subprocess.Popen[bytes], output: Path, results: Path) -> None:
        self.slurm, self.process = slurm, process
        self._output, self._results = output, results
        self._before, self._start = len(slurm.jobs()), time.monotonic()

    def jobs(self) -> list[ClusterJob]:
        """Jobs that it has submitted."""
        return self.slurm.jobs()[self._before :]

    def computing(self, slide_id: str) -> tuple[ClusterJob, psutil.Process] | None:
        """The job that computes a slide just now, with its process that does; None if there is none."""
        for job in self.jobs():
            if job.state == "RUNNING" and _is_of(job, slide_id):
                for process in self.slurm.processes(job):
                    with suppress(psutil.Error):
                        if "spawn_main" in " ".join(process.cmdline()) and process.cpu_times().user > 1:
                            return job, process
        return None

    def strike(self, faults: Mapping[str, tuple[int, Fault]]) -> None:
        """Do something to the jobs of slides, each as soon as it computes.

        Parameters
        ----------
        faults
            Slide → how many of its jobs are struck, and what is done.
        """
        struck: dict[str, set[str]] = {slide_id: set() for slide_id in faults}

        def left() -> list[str]:
            return [slide_id for slide_id, (times, _) in faults.items() if len(struck[slide_id]) < times]

        def strike() -> bool:
            for slide_id in left():
                found = self.computing(slide_id)
                if found and found[0].number not in struck[slide_id]:
                    struck[slide_id].add(found[0].number)
                    faults[slide_id][1](*found)
            assert self.process.poll() is None or not left(), (left(), self._output.read_text())
            return not left()

        wait_for(strike, 500, f"no job computes {', '.join(left())}", every_s=0.2)

    def end(self) -> ClusterRun:
        """Wait for its end."""
        code = self.process.wait(500)
        seconds = time.monotonic() - self._start
        return ClusterRun(gather(code, self._output.read_text(), self._results), self.jobs(), seconds)


@dataclass(frozen=True)
class Cluster:
    """SLURM, and the profile for it."""

    slurm: Slurm
    folder: Path

    @contextmanager
    def begin(
        self, slides: Path, results: Path, *options: str, values: tuple[str, ...] = (), gpus: bool = False
    ) -> Iterator[Begun]:
        """Begin a run; it is ended with the body at the latest."""
        output = self.folder / f"{results.name} {time.time_ns()}.txt"
        words = command(slides, results, "--profile", str(self.profile(gpus=gpus)), *options, values=values)
        at = words.index("--cores")
        with (
            output.open("wb") as stream,
            subprocess.Popen(
                words[:at] + words[at + 2 :], stdout=stream, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                cwd=REPOSITORY, env=self.slurm.environment, start_new_session=True,
            ) as process,
        ):  # fmt: skip
            try:
                yield Begun(self.slurm, process, output, results)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    def run(self, slides: Path, results: Path, *options: str, **others: Any) -> ClusterRun:
        """Run the workflow through SLURM to its end."""
        with self.begin(slides, results, *options, **others) as begun:
            return begun.end()

    def log(self, job: ClusterJob) -> str:
        """What SLURM kept of a job's output."""
        (path,) = (self.folder / LOGS).rglob(f"{job.number}.log")
        return path.read_text()

    def profile(self, *, gpus: bool) -> Path:
        """Edit the shipped profile as its comments say, for a cluster without accounting, with or without GPUs."""
        text = (REPOSITORY / "profiles" / "slurm" / "config.yaml").read_text()
        text = _with_comment(text, "slurm-status-command: squeue")
        if gpus:
            text = _with_comment(text, "resources: gpu=4")
        profile = yaml.safe_load(text)
        profile |= {"slurm-init-seconds-before-status-checks": LOOK_S, "max-status-checks-per-second": 1}
        profile |= {"seconds-between-status-checks": LOOK_S, "slurm-logdir": str(self.folder / LOGS), "jobs": JOBS}
        folder = self.folder / ("profile with gpus" if gpus else "profile")
        folder.mkdir(exist_ok=True)
        (folder / "config.yaml").write_text(yaml.safe_dump(profile))
        return folder


def _with_comment(text: str, line: str) -> str:
    """Make a line that is a comment count."""
    assert f"# {line}" in text, line
    return text.replace(f"# {line}", line)


def _is_of(job: ClusterJob, slide_id: str) -> bool:
    return job.comment == f"rule_{STRUCK}_wildcards_{slide_id}"


def write_cohort(folder: Path) -> Path:
    """Write the slides: some of tissue, glass alone, and one that is cut."""
    folder.mkdir()
    for seed, name in enumerate(SLIDES):
        write_pyramid(folder / f"{name}.tiff", draw(2.5 + 0.5 * seed, 500, 600, seed=seed), MPP)
    glass = np.random.default_rng(0).integers(239, 244, (600, 600, 3), np.uint8)
    write_pyramid(folder / "glass.tiff", glass, MPP)
    whole = (folder / "sound.tiff").read_bytes()
    (folder / "broken.tiff").write_bytes(whole[: len(whole) // 2])
    return folder


def run_alone(slides: Path, results: Path) -> ClusterRun:
    """Run the workflow on this machine, without SLURM."""
    start = time.monotonic()
    done = subprocess.run(
        command(slides, results), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        cwd=REPOSITORY, timeout=500, check=False,
    )  # fmt: skip
    return ClusterRun(gather(done.returncode, done.stdout, results), [], time.monotonic() - start)
