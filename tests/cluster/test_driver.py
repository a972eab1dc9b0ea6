"""What befalls Snakemake itself and the scheduler during a run; `make test-cluster` runs these."""

import signal
import time
from pathlib import Path

import pytest

from tests.cluster.cohort import LOOK_S, Cluster, ClusterRun
from tests.cluster.slurm import wait_for

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

#: A job of the rule `report` that has too little memory at first.
SHORT = "report:mem_mb=250 if attempt == 1 else 4000"


@pytest.fixture(scope="module")
def retried(cluster: Cluster, slides: Path, tmp_path_factory: pytest.TempPathFactory) -> ClusterRun:
    """A run on CPUs: a job is cancelled, the process of another killed, a third lacks memory, slurmctld starts anew."""
    results = tmp_path_factory.mktemp("retried") / "results"
    with cluster.begin(slides, results, "--set-resources", SHORT, values=("execution={device: cpu}",)) as begun:
        begun.strike(
            {
                "cancelled": (1, lambda job, process: cluster.slurm.run("scancel", job.number)),
                "hungry": (1, lambda job, process: process.kill()),
            }
        )
        wait_for(lambda: not cluster.slurm.run("squeue", "--noheader", "--states=CG"), 60, "jobs do not end")
        cluster.slurm.stop_controller()
        time.sleep(LOOK_S)
        cluster.slurm.start_controller()
        return begun.end()


def test_what_is_lost_is_tried_again_within_the_run(retried: ClusterRun, alone: ClusterRun) -> None:
    assert retried.files() == alone.files()


@pytest.mark.parametrize(("slide", "state"), [("cancelled", "CANCELLED"), ("hungry", "FAILED")])
def test_the_second_attempt_asks_for_more_memory_and_time(retried: ClusterRun, slide: str, state: str) -> None:
    first, second = retried.of(slide)

    assert (first.state, second.state) == (state, "COMPLETED")
    assert second.memory_mb > first.memory_mb
    assert second.minutes > first.minutes


def test_a_job_that_ran_out_of_memory_ends_well_with_more(retried: ClusterRun, cluster: Cluster) -> None:
    first, second = [job for job in retried.jobs if "rule_report" in job.comment]

    assert "exceeded memory limit" in cluster.log(first)
    assert (first.memory_mb, second.memory_mb, second.state) == (250, 4000, "COMPLETED")


def test_no_job_asks_for_a_gpu_without_gpus(retried: ClusterRun) -> None:
    assert {job.gpus for job in retried.jobs} == {0}


@pytest.fixture(scope="module")
def one(slides: Path) -> Path:
    """One slide of the cohort."""
    return slides / "sound.tiff"


def test_a_run_goes_on_where_its_snakemake_was_killed(
    cluster: Cluster, one: Path, alone: ClusterRun, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    with cluster.begin(one, results) as begun:
        begun.strike({"sound": (1, lambda job, process: begun.process.kill())})
    again = cluster.run(one, results)

    assert again.run.code == 0
    assert again.files("sound") == alone.files("sound")


def test_an_interrupted_run_leaves_no_job_and_goes_on(
    cluster: Cluster, one: Path, alone: ClusterRun, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    with cluster.begin(one, results) as begun:
        begun.strike({"sound": (1, lambda job, process: begun.process.send_signal(signal.SIGINT))})
        interrupted = begun.end()
    wait_for(lambda: not cluster.slurm.run("squeue", "--noheader"), 60, "jobs outlive an interrupted run")
    again = cluster.run(one, results)

    assert (interrupted.run.code, again.run.code) == (1, 0)
    assert again.files("sound") == alone.files("sound")
