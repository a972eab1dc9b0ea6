"""Jobs that SLURM or its users end; `make test-cluster` runs these."""

import pytest

from tests.cluster.cohort import ATTEMPTS, SLIDES, Cluster, ClusterRun

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


def test_jobs_are_cancelled_or_end_for_want_of_memory_and_time(struck: ClusterRun, cluster: Cluster) -> None:
    assert {slide: [job.state for job in struck.of(slide)] for slide in SLIDES} == {
        "sound": ["COMPLETED"],
        "cancelled": ATTEMPTS * ["CANCELLED"],
        "hungry": ATTEMPTS * ["FAILED"],
        "hung": ["TIMEOUT", "COMPLETED"],
    }
    assert all("exceeded memory limit" in cluster.log(job) for job in struck.of("hungry"))


def test_a_job_is_tried_again_by_slurm_and_not_within_itself(struck: ClusterRun, cluster: Cluster) -> None:
    assert not any("Trying to restart" in cluster.log(job) for job in struck.jobs if job.state != "COMPLETED")


@pytest.mark.parametrize("slide", ["cancelled", "hungry"])
def test_a_slide_whose_jobs_are_lost_is_told_as_not_finished(struck: ClusterRun, slide: str) -> None:
    row = struck.status[slide]

    assert (struck.run.code, row.status) == (1, "failed")
    assert "did not finish" in row.reason
    assert f"failed: {slide}: " in struck.run.output


def test_others_are_as_without(struck: ClusterRun, alone: ClusterRun) -> None:
    others = ("sound", "glass", "hung")

    assert struck.files(*others) == alone.files(*others) != {}


def test_a_second_run_ends_it_with_the_same_bytes(again: ClusterRun, alone: ClusterRun) -> None:
    assert {name: row.status for name, row in again.status.items() if name in SLIDES} == dict.fromkeys(SLIDES, "ok")
    assert again.files() == alone.files()


def test_a_second_run_computes_what_is_missing_and_no_more(again: ClusterRun, struck: ClusterRun) -> None:
    kept = [name for name in struck.files("sound", "glass", "hung") if not name.endswith(".json")]

    assert {name: again.run.stamps[name] for name in kept} == {name: struck.run.stamps[name] for name in kept}
