"""What a folder's notes know saves time, and nothing is lost or believed where they are damaged."""

import json
import os
from pathlib import Path

import pytest

from wsi_scale.artifacts.record import Record
from wsi_scale.artifacts.state import (
    NAME,
    FolderState,
    KnownLayer,
    KnownNetwork,
    Owner,
    Page,
    Stamp,
    place_text,
    stamp_of,
)
from wsi_scale.results.audit import unreadable_row
from wsi_scale.results.summary import Quartiles, SlideSummary

NETWORK = KnownNetwork("vgg19", "d" * 64, "s" * 64, (KnownLayer("C2_2", 128),))
STAMP: Stamp = ((1, 2, 3),)

SUMMARY = SlideSummary(
    "a", "ok", "", 40, 30, Quartiles(0.4, 0.5, 0.6), None, unreadable_row("a", "a.svs", "none"), ("one", "two")
)


def fail() -> str:
    raise AssertionError("it was known")


def written(folder: Path) -> FolderState:
    state = FolderState(folder)
    state.owner = Owner("s", place_text(folder / "s.svs"), "i")
    state.page = Page("a", "b", SUMMARY)
    state.last["tile"] = Record("tile", "ok", "", "f")
    state.identity(folder / "s.svs", STAMP, lambda: "identity")
    state.network("vgg19", lambda: NETWORK)
    state.save()
    return state


def test_what_is_saved_is_known_to_the_next_run(tmp_path: Path) -> None:
    before = written(tmp_path)
    after = FolderState(tmp_path)
    assert (after.owner, after.page, after.last) == (before.owner, before.page, before.last)
    assert after.identity(tmp_path / "s.svs", STAMP, fail) == "identity"
    assert after.network("vgg19", lambda: pytest.fail("it was known")) == NETWORK


def test_another_stamp_or_file_is_looked_at_anew(tmp_path: Path) -> None:
    state = written(tmp_path)
    assert state.identity(tmp_path / "s.svs", ((1, 2, 4),), lambda: "new") == "new"
    assert state.identity(tmp_path / "t.svs", STAMP, lambda: "other") == "other"
    assert state.identity(tmp_path / "s.svs", ((1, 2, 4),), fail) == "new"


@pytest.mark.parametrize("damage", ["cut", "edited", "empty", "binary"])
def test_damaged_notes_are_no_notes(tmp_path: Path, damage: str) -> None:
    written(tmp_path)
    path = tmp_path / NAME
    content = path.read_bytes()
    edited = json.dumps(json.loads(content) | {"page": None}).encode()
    path.write_bytes({"cut": content[:-20], "edited": edited, "empty": b"", "binary": b"\xff\0" * 50}[damage])
    state = FolderState(tmp_path)
    assert (state.owner, state.page, state.last, state.execution) == (None, None, {}, None)
    assert state.identity(tmp_path / "s.svs", STAMP, lambda: "found out again") == "found out again"


def test_notes_are_written_in_place_and_only_where_they_changed(tmp_path: Path) -> None:
    written(tmp_path)
    path = tmp_path / NAME
    file, stamp = path.stat().st_ino, path.stat().st_mtime_ns
    os.utime(path, ns=(stamp - 10**9, stamp - 10**9))
    state = FolderState(tmp_path)
    state.save()
    assert path.stat().st_mtime_ns == stamp - 10**9
    state.page = None
    state.save()
    assert path.stat().st_mtime_ns != stamp - 10**9
    assert path.stat().st_ino == file  # the lock belongs to the file
    assert FolderState(tmp_path).page is None


def test_a_folder_that_cannot_be_written_only_makes_the_next_run_slower(tmp_path: Path) -> None:
    state = FolderState(tmp_path / "not-there")
    state.page = Page("a", "b", SUMMARY)
    state.save()
    assert not (tmp_path / "not-there").exists()


def test_the_oldest_of_many_files_are_forgotten(tmp_path: Path) -> None:
    state = FolderState(tmp_path)
    for number in range(40):
        state.identity(tmp_path / f"{number}.svs", STAMP, lambda number=number: str(number))  # type: ignore[misc]
    assert state.identity(tmp_path / "39.svs", STAMP, fail) == "39"
    assert state.identity(tmp_path / "8.svs", STAMP, fail) == "8"
    assert state.identity(tmp_path / "7.svs", STAMP, lambda: "again") == "again"


def test_a_place_has_one_text_however_its_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    name = os.fsdecode(b"Pr\xe4parat 1.svs")
    texts = {place_text(tmp_path / way / name) for way in ("folder", "link", "folder/../folder", "./link")}
    (text,) = texts
    assert text.endswith("/folder/Pr%E4parat%201.svs")
    assert text.isascii()


def test_a_stamp_changes_where_a_file_is_replaced_by_one_of_its_size_and_time(tmp_path: Path) -> None:
    file, other = tmp_path / "a", tmp_path / "b"
    file.write_text("1234")
    other.write_text("5678")
    before = stamp_of([file])
    assert stamp_of([file]) == before
    time = file.stat().st_mtime_ns
    os.utime(other, ns=(time, time))
    other.replace(file)
    assert file.stat().st_mtime_ns == time
    assert stamp_of([file]) != before
    with pytest.raises(OSError, match="No such file"):
        stamp_of([file, other])
