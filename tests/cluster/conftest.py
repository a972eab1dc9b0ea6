"""SLURM, and runs of a cohort through it, each made once and looked at by many tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.cohort import ATTEMPTS, STRUCK, Cluster, ClusterRun, run_alone, write_cohort
from tests.cluster.slurm import Slurm
from tests.runs import own_cache, shared

__all__ = ["own_cache", "shared"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print a table of the cases: ok or failed, seconds with what was made for it, and the reason."""
    seconds: dict[str, float] = {}
    reasons: dict[str, str] = {}
    for report in (each for reports in terminalreporter.stats.values() for each in reports):
        if isinstance(report, pytest.TestReport) and report.nodeid.startswith("tests/cluster/"):
            seconds[report.nodeid] = seconds.get(report.nodeid, 0) + report.duration
            if report.failed:
                reasons[report.nodeid] = _reason(report)
    if seconds:
        terminalreporter.section("cases")
    for nodeid, duration in seconds.items():
        name = nodeid.rpartition("::test_")[2].replace("_", " ")
        outcome = f"failed: {reasons[nodeid]}" if nodeid in reasons else "ok"
        terminalreporter.write_line(f"{name:90} {duration:6.0f} s  {outcome}")


def _reason(report: pytest.TestReport) -> str:
    """First line of what pytest tells of a failure."""
    lines = [line.removeprefix("E ").strip() for line in report.longreprtext.splitlines() if line.startswith("E ")]
    return lines[0] if lines else report.longreprtext.splitlines()[-1]


@pytest.fixture(scope="session")
def cluster(own_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """SLURM, installed where it is missing, started and stopped."""
    slurm = Slurm()
    slurm.start()
    yield Cluster(slurm, tmp_path_factory.mktemp("cluster"))
    slurm.stop()


@pytest.fixture(scope="session")
def slides(shared: Path) -> Path:
    """Folder of the cohort."""
    return write_cohort(shared / "slides $HOME")


@pytest.fixture(scope="session")
def alone(slides: Path, tmp_path_factory: pytest.TempPathFactory) -> ClusterRun:
    """The cohort without SLURM."""
    return run_alone(slides, tmp_path_factory.mktemp("alone") / "results")


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """Environment of the process that computes a slide in `through`."""
    return {}


@pytest.fixture(scope="session")
def through(
    cluster: Cluster, slides: Path, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> ClusterRun:
    """The cohort through SLURM with GPUs, its results in a folder that a shell would read in its own way."""
    results = tmp_path_factory.mktemp("through") / "re sults $HOME"
    with cluster.begin(slides, results, gpus=True) as begun:
        begun.strike({"sound": (1, lambda job, process: environment.update(process.environ()))})
        return begun.end()


@pytest.fixture(scope="session")
def struck(cluster: Cluster, slides: Path, tmp_path_factory: pytest.TempPathFactory) -> ClusterRun:
    """The cohort, where each job of one slide is cancelled, each of another lacks memory, and one job hangs."""
    needs = (
        f"{STRUCK}:mem_mb=400 if wildcards.batch == 'hungry' else 4000",
        f"{STRUCK}:runtime=1 if wildcards.batch == 'hung' and attempt == 1 else 60",
    )
    results = tmp_path_factory.mktemp("struck") / "results"
    with cluster.begin(slides, results, "--set-resources", *needs) as begun:
        begun.strike(
            {
                "cancelled": (ATTEMPTS, lambda job, process: cluster.slurm.run("scancel", job.number)),
                "hung": (1, lambda job, process: process.suspend()),
            }
        )
        return begun.end()


@pytest.fixture(scope="session")
def again(cluster: Cluster, slides: Path, struck: ClusterRun) -> ClusterRun:
    """The same run again, as shipped."""
    return cluster.run(slides, struck.run.results)
