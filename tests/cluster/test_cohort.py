"""A cohort through a real SLURM; `make test-cluster` runs these."""

from collections.abc import Callable

import pytest

from tests.cluster.cohort import STRUCK, ClusterRun

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


def test_every_job_asks_for_memory_time_and_cores(through: ClusterRun) -> None:
    assert through.jobs
    assert {job.comment: job.state for job in through.jobs if job.state != "COMPLETED"} == {}
    assert all(job.memory_mb >= 1000 and 5 <= job.minutes <= 24 * 60 and job.cores >= 1 for job in through.jobs)


def test_jobs_with_a_network_ask_for_a_gpu_where_the_profile_has_gpus(through: ClusterRun) -> None:
    asked = {job.gpus for job in through.jobs if STRUCK in job.comment}
    others = {job.gpus for job in through.jobs if "inspect" in job.comment or "report" in job.comment}

    assert (asked, others) == ({1}, {0})


def test_the_process_that_computes_sees_the_gpu_of_its_job(through: ClusterRun, environment: dict[str, str]) -> None:
    assert through.of("sound")
    assert environment["CUDA_VISIBLE_DEVICES"] in ("0", "1")


def test_through_slurm_come_the_same_bytes_as_without(
    through: ClusterRun, alone: ClusterRun, record_property: Callable[[str, object], None]
) -> None:
    record_property("seconds", {"through_slurm": round(through.seconds), "without": round(alone.seconds)})

    assert alone.run.code == through.run.code == 1
    assert through.files() == alone.files()


def test_a_broken_slide_is_told_and_costs_nobody_else(through: ClusterRun) -> None:
    status = through.status
    bad = {name: row.status for name, row in status.items() if row.status != "ok"}

    assert bad == {"broken": "failed", "glass": "empty"}
    assert status["broken"].reason in through.run.output
    assert "RuleException" not in through.run.output
