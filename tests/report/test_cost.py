"""The report of a large cohort costs each slide what it costs in a small one."""

import sys
from pathlib import Path
from types import FrameType

from tests.runs import configured, job
from wsi_scale.artifacts.record import Record, write_record
from wsi_scale.jobs.job import SlideJob
from wsi_scale.report.pages import MOST_EMBEDDED
from wsi_scale.stages.report import report_cohort


def failed_slides(count: int, results: Path) -> list[SlideJob]:
    """Leave the records of slides that could not be read."""
    jobs = [job(Path(f"slide-{number}.svs"), results / "slides" / f"slide-{number}") for number in range(count)]
    for each in jobs:
        each.folder.mkdir(parents=True)
        write_record(each.folder, Record("inspect", "failed", "it cannot be read", ""))
    return jobs


def calls_to_report(count: int, results: Path) -> int:
    """Count the calls of functions, in Python and in C, that a report of so many slides takes."""
    jobs, config, calls = failed_slides(count, results), configured(), 0

    def tell(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    sys.setprofile(tell)
    try:
        report_cohort(jobs, results, config)
    finally:
        sys.setprofile(None)
    return calls


def test_the_cost_grows_as_the_slides_do(tmp_path: Path) -> None:
    calls_to_report(MOST_EMBEDDED + 1, tmp_path / "first")  # what is loaded and compiled once
    small, large = (calls_to_report(count, tmp_path / str(count)) for count in (40, 160))
    assert large < 4 * small * 2, f"{small} calls for 40 slides, {large} for 160"
