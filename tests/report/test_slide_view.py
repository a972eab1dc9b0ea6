from collections.abc import Callable
from pathlib import Path

from wsi_scale.artifacts.pictures import THUMBNAIL
from wsi_scale.artifacts.record import Record, write_record
from wsi_scale.artifacts.tiles import NAME as TILES
from wsi_scale.report.slide_view import read_slide_view

SlideWriter = Callable[..., Path]


def test_a_finished_slide_is_read_whole(tmp_path: Path, write_ok: SlideWriter) -> None:
    view = read_slide_view(write_ok(tmp_path, "a"), "a")
    assert (view.slide_id, view.status.status, view.notes) == ("a", "ok", ())
    assert view.status.path == "/slides/a.svs"
    assert view.tiles is not None
    assert view.scale_map is not None
    assert view.prediction is not None
    assert view.thumbnail == tmp_path / THUMBNAIL


def test_an_empty_slide_has_its_thumbnail_and_no_map(tmp_path: Path, write_empty: SlideWriter) -> None:
    view = read_slide_view(write_empty(tmp_path, "a"), "a")
    assert (view.status.status, view.status.reason) == ("empty", "no tissue found")
    assert view.thumbnail is not None
    assert view.scale_map is None


def test_what_an_earlier_run_left_of_a_failed_stage_is_not_shown(tmp_path: Path, write_ok: SlideWriter) -> None:
    write_record(write_ok(tmp_path, "a"), Record("search", "failed", "no weights", ""))
    view = read_slide_view(tmp_path, "a")
    assert (view.status.status, view.status.reason) == ("failed", "no weights")
    assert view.scale_map is None
    assert view.tiles is not None


def test_a_damaged_result_is_noted_and_the_rest_is_read(tmp_path: Path, write_ok: SlideWriter) -> None:
    (write_ok(tmp_path, "a") / TILES).write_bytes(b"PAR1 and nothing more")
    view = read_slide_view(tmp_path, "a")
    assert view.tiles is None
    assert view.scale_map is not None
    assert [TILES in note for note in view.notes] == [True]


def test_a_damaged_record_is_a_failed_slide_with_the_reason(tmp_path: Path, write_ok: SlideWriter) -> None:
    (write_ok(tmp_path, "a") / "tile.json").write_text("{")
    view = read_slide_view(tmp_path, "a")
    assert view.status.status == "failed"
    assert "tile.json is damaged" in view.status.reason
    assert len(view.notes) == 1


def test_a_folder_without_results_is_a_failed_slide(tmp_path: Path) -> None:
    view = read_slide_view(tmp_path / "nothing", "a", path="/slides/a.svs")
    assert view.status.status == "failed"
    assert view.status.path == "/slides/a.svs"
    assert not view.records
