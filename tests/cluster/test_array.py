"""Job arrays of `wsi-scale batch` on a real SLURM; `make test-cluster` runs these."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.cohort import Cluster, ClusterRun
from tests.cluster.slurm import ClusterJob, wait_for
from tests.runs import contents
from tests.workflow.conftest import REPOSITORY
from wsi_scale.artifacts.status import read_status

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

SLIDES = ("sound", "cancelled")


def submit(cluster: Cluster, script: Path) -> None:
    subprocess.run(["bash", script], env=cluster.slurm.environment, check=True, stdout=subprocess.DEVNULL)


def ended(cluster: Cluster) -> bool:
    return not cluster.slurm.run("squeue", "--noheader")


def searching(cluster: Cluster, slide_id: str) -> list[ClusterJob]:
    """Jobs that pass the tiles of a slide just now."""
    running = [job for job in cluster.slurm.jobs() if job.state == "RUNNING"]
    words = {"work", slide_id, "predict,search,extract"}
    return [job for job in running if any(words <= set(each.cmdline()) for each in cluster.slurm.processes(job))]


@pytest.fixture(scope="module")
def script(slides: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script that submits two slides, their results in a folder that a shell would read in its own way."""
    folder = tmp_path_factory.mktemp("array")
    sheet = folder / "slides.csv"
    sheet.write_text("slide_id,path\n" + "".join(f"{name},{slides / name}.tiff\n" for name in SLIDES))
    results = folder / "re sults $HOME"
    command = [sys.executable, "-m", "wsi_scale", "batch", str(sheet), "--results", str(results), "--cores", "2"]
    subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)
    return results / "jobs" / "array" / "submit.sh"


@pytest.fixture(scope="module")
def cancelled(cluster: Cluster, script: Path) -> dict[str, str]:
    """What stands for each slide after a first submission, in which one task was cancelled."""
    submit(cluster, script)
    wait_for(lambda: searching(cluster, "cancelled"), 400, "no task searches")
    cluster.slurm.run("scancel", searching(cluster, "cancelled")[0].task)
    wait_for(lambda: ended(cluster), 400, "the jobs do not end")
    return {row.slide_id: f"{row.status} {row.reason}" for row in read_status(script.parents[2] / "status.tsv")}


def test_the_report_follows_though_a_task_was_cancelled(cancelled: dict[str, str]) -> None:
    assert cancelled["sound"].strip() == "ok"
    assert cancelled["cancelled"].startswith("failed")
    assert "did not finish" in cancelled["cancelled"]


def test_the_same_script_ends_it_with_the_same_bytes(
    cluster: Cluster, script: Path, cancelled: dict[str, str], alone: ClusterRun
) -> None:
    assert cancelled
    submit(cluster, script)
    wait_for(lambda: ended(cluster), 400, "the jobs do not end")
    found = contents(script.parents[2] / "slides")

    assert found == {name.removeprefix("slides/"): data for name, data in alone.files(*SLIDES).items()} != {}
