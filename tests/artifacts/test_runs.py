"""What was run: kept as long as it tells of something that is there."""

from pathlib import Path

from tests.artifacts.conftest import make_run
from tests.runs import recorded
from wsi_scale.artifacts.runs import made_in, read_runs, valid_runs, worth_keeping, write_runs


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    write_runs(tmp_path, [make_run("a"), make_run("b", how="up to date")])
    assert read_runs(tmp_path) == [make_run("a"), make_run("b", how="up to date")]
    assert read_runs(tmp_path / "nothing") == []


def test_a_file_of_somebody_elses_tells_of_no_run(tmp_path: Path) -> None:
    (tmp_path / "runs.json").write_text('["marathon"]')
    assert valid_runs(tmp_path) == []


def test_runs_whose_results_were_made_again_are_left_out_but_the_last() -> None:
    first, second = make_run("first"), make_run("second")
    failed = make_run("failed", status="failed")
    idle = make_run("idle", how="up to date")

    assert worth_keeping([first, second]) == [second]
    # A failure and an idle run leave the results of the one before.
    assert worth_keeping([first, failed, idle]) == [first, idle]
    assert worth_keeping([first, idle, failed]) == [first, failed]
    assert worth_keeping([]) == []


def test_only_the_computation_of_the_result_that_is_there_made_it(tmp_path: Path) -> None:
    write_runs(tmp_path, [make_run("a"), make_run("b"), make_run("a", how="up to date")])
    assert made_in(tmp_path) == []

    recorded(tmp_path, "tile", print_="print a")
    (found,) = made_in(tmp_path)
    assert (found.stage, found.run) == (make_run("a").stages[0], make_run("a"))

    recorded(tmp_path, "tile", print_="print c")
    assert made_in(tmp_path) == []
