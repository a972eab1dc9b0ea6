"""``slides.tsv``: one row of numbers for each slide."""

from pathlib import Path

import pytest

from wsi_scale.artifacts.slides_table import COLUMNS, NAME, write_slides
from wsi_scale.artifacts.table import read_table
from wsi_scale.errors import ArtifactError
from wsi_scale.results.audit import AuditRow, unreadable_row
from wsi_scale.results.summary import Quartiles, SlideSummary

VERDICT = AuditRow("a", "/s/a.svs", 0.5, "metadata", 0.5, "metadata", 0.24823, 0.2, 0.3, "off_2x", "half as large")
WHOLE = SlideSummary("a", "ok", "", 40, 30, Quartiles(0.4, 0.523456, 0.6), None, VERDICT, ("one", "two"))
BARE = SlideSummary("b", "failed", "no slide", None, None, None, None, unreadable_row("b", "/s/b.svs", "no slide"), ())


def test_numbers_are_rounded_and_what_is_not_there_is_empty(tmp_path: Path) -> None:
    for _ in range(2):  # its own table is replaced
        write_slides(tmp_path, [WHOLE, BARE])
    first, second = read_table(tmp_path / NAME, COLUMNS)
    assert {name: first[name] for name in ("tiles", "answered_share", "optimal_mpp", "optimal_mpp_q1")} == {
        "tiles": "40", "answered_share": "0.75", "optimal_mpp": "0.5235", "optimal_mpp_q1": "0.4",
    }  # fmt: skip
    assert (first["dominant_radius_um"], first["estimated_mpp"], first["verdict"]) == ("", "0.2482", "off_2x")
    assert (first["warnings"], first["path"]) == ("one; two", "/s/a.svs")
    assert (second["status"], second["tiles"], second["reason"]) == ("failed", "", "no slide")


def test_a_sample_sheet_of_the_same_name_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("slide_id\tpath\na\ta.svs\n")
    with pytest.raises(ArtifactError, match="move it away"):
        write_slides(tmp_path, [WHOLE])
    assert (tmp_path / NAME).read_text() == "slide_id\tpath\na\ta.svs\n"
