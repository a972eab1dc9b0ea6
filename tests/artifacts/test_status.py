"""What became of a slide is summed up from its records."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsi_scale.artifacts.record import Record, Status, write_record
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.artifacts.status import StatusRow, read_status, slide_status, write_status

lines = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=30)


def leave(folder: Path, **statuses: Status) -> None:
    for stage, status in statuses.items():
        write_record(folder, Record(stage, status, "" if status == "ok" else f"{stage} says why", "print"))


def test_a_slide_is_ok_where_all_its_stages_are(tmp_path: Path) -> None:
    leave(tmp_path, **dict.fromkeys(SLIDE_STAGES, "ok"))
    row = slide_status(tmp_path, "a", "a.svs")
    assert (row.status, row.reason) == ("ok", "")


@pytest.mark.parametrize("stage", SLIDE_STAGES)
def test_a_slide_has_failed_where_one_stage_has_or_is_missing(tmp_path: Path, stage: str) -> None:
    leave(tmp_path, **{s: "ok" for s in SLIDE_STAGES if s != stage})
    row = slide_status(tmp_path, "a", str(tmp_path))
    assert row.status == "failed"
    assert f"{stage} did not finish" in row.reason
    leave(tmp_path, **{stage: "failed"})
    row = slide_status(tmp_path, "a", "a.svs")
    assert (row.status, row.reason) == ("failed", f"{stage} says why")


def test_a_slide_that_is_not_there_says_so(tmp_path: Path) -> None:
    row = slide_status(tmp_path / "a", "a", f"{tmp_path}/gone.svs")
    assert (row.status, row.reason) == (
        "failed",
        f"the slide's file {tmp_path}/gone.svs is not there; check the path, or whether its disk is mounted, and "
        "run again",
    )


def test_a_slide_without_tissue_is_empty_and_says_the_first_reason(tmp_path: Path) -> None:
    leave(tmp_path, inspect="ok", predict="ok", tile="empty", search="empty", extract="empty")
    row = slide_status(tmp_path, "a", "a.svs")
    assert (row.status, row.reason) == ("empty", "tile says why")


def test_what_an_ok_slide_lacks_is_said(tmp_path: Path) -> None:
    leave(tmp_path, **dict.fromkeys(SLIDE_STAGES, "ok"))
    write_record(tmp_path, Record("search", "ok", "3 of 412 tiles cannot be read", "print"))
    write_record(tmp_path, Record("extract", "ok", "4 of 412 tiles cannot be read", "print"))
    row = slide_status(tmp_path, "a", "a.svs")
    assert (row.status, row.reason) == ("ok", "3 of 412 tiles cannot be read")
    leave(tmp_path, extract="failed")
    assert slide_status(tmp_path, "a", "a.svs").reason == "extract says why"


def test_a_failure_outweighs_emptiness(tmp_path: Path) -> None:
    leave(tmp_path, inspect="ok", predict="ok", tile="empty", search="failed", extract="empty")
    assert slide_status(tmp_path, "a", "a.svs").status == "failed"


@given(st.lists(st.tuples(lines, lines, st.sampled_from(["ok", "empty", "failed"]), lines), max_size=5))
@settings(max_examples=50, deadline=None)
def test_any_status_table_comes_back(tmp_path_factory: pytest.TempPathFactory, rows: list[Any]) -> None:
    folder = tmp_path_factory.getbasetemp() / "status"
    expected = [StatusRow(*row) for row in rows]
    write_status(folder, expected)
    assert read_status(folder / "status.tsv") == expected
