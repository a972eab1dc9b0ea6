"""Whole or not at all."""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from wsi_scale.artifacts.atomic import check_writable, replacing_file, replacing_folder, sweep_parts
from wsi_scale.errors import ArtifactError

Digest = Callable[[Path], str]


def own(_: Path) -> bool:
    """Call everything this program's own."""
    return True


def fill_and_fail(opened: AbstractContextManager[Path], error: type[BaseException]) -> None:
    """Write something new, and fail before it is whole."""
    with opened as part:
        (part / "chunk" if part.is_dir() else part).write_text("new")
        raise error


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, ArtifactError])
def test_an_error_in_the_body_leaves_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "result.txt"
    path.write_text("old")
    with pytest.raises(error):
        fill_and_fail(replacing_file(path), error)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, ArtifactError])
def test_an_error_in_the_body_leaves_the_old_folder(tmp_path: Path, digest: Digest, error: type[BaseException]) -> None:
    path = tmp_path / "store.zarr"
    (path / "inner").mkdir(parents=True)
    (path / "inner" / "chunk").write_text("old")
    before = digest(tmp_path)
    with pytest.raises(error):
        fill_and_fail(replacing_folder(path, own), error)
    assert digest(tmp_path) == before


@pytest.mark.parametrize("opening", [replacing_file, lambda path: replacing_folder(path, own)])
def test_an_error_in_the_body_leaves_nothing_where_nothing_was(
    tmp_path: Path, opening: Callable[[Path], AbstractContextManager[Path]]
) -> None:
    with pytest.raises(ZeroDivisionError):
        fill_and_fail(opening(tmp_path / "result"), ZeroDivisionError)
    assert not list(tmp_path.iterdir())


def test_nothing_is_seen_in_its_place_before_it_is_whole(tmp_path: Path) -> None:
    path, store = tmp_path / "a", tmp_path / "b"
    with replacing_file(path) as part:
        part.write_text("new")
        assert not path.exists()
    with replacing_folder(store, own) as part:
        (part / "chunk").write_text("new")
        assert not store.exists()
    assert path.read_text() == "new"
    assert (store / "chunk").read_text() == "new"


def test_a_new_folder_keeps_nothing_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "store.zarr"
    for name in ("old", "new"):
        with replacing_folder(path, own) as part:
            (part / name).touch()
    assert [p.name for p in path.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", ["file", "folder"])
def test_a_folder_does_not_take_the_place_of_what_is_not_its_own(tmp_path: Path, digest: Digest, content: str) -> None:
    path = tmp_path / "store.zarr"
    if content == "file":
        path.write_text("somebody's")
    else:
        path.mkdir()
        (path / "notes").write_text("somebody's")
    before = digest(tmp_path)
    with pytest.raises(ArtifactError, match="not made by this program"), replacing_folder(path, lambda _: False):
        pytest.fail("it was opened")
    assert digest(tmp_path) == before


@pytest.mark.parametrize("target", ["there", "gone"])
def test_of_a_link_in_its_place_only_the_link_is_replaced(tmp_path: Path, target: str) -> None:
    path, elsewhere = tmp_path / "out" / "store.zarr", tmp_path / "elsewhere"
    path.parent.mkdir()
    if target == "there":
        elsewhere.mkdir()
        (elsewhere / "chunk").write_text("kept")
    path.symlink_to(elsewhere)
    with replacing_folder(path, lambda _: False) as part:
        (part / "chunk").write_text("new")
    assert (path / "chunk").read_text() == "new"
    assert not path.is_symlink()
    assert list(path.parent.iterdir()) == [path]
    assert target == "gone" or (elsewhere / "chunk").read_text() == "kept"


def test_a_file_does_not_take_the_place_of_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "result.txt"
    path.mkdir()
    with pytest.raises(ArtifactError, match="cannot write"), replacing_file(path) as part:
        part.write_text("new")
    assert path.is_dir()
    assert list(tmp_path.iterdir()) == [path]


def test_a_writable_folder_is_made_and_left_empty(tmp_path: Path) -> None:
    check_writable(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    assert not list((tmp_path / "a" / "b").iterdir())


@pytest.mark.parametrize("place", ["file", "file/folder"])
def test_a_folder_that_cannot_be_written_is_said_in_one_line(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ArtifactError, match="cannot write") as error:
        check_writable(tmp_path / place)
    assert str(tmp_path / place) in str(error.value)
    assert "\n" not in str(error.value)


def test_what_a_killed_process_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    left = [".tiles.parquet.ab12_x9z.wsi-scale-part", ".scale.ome.zarr.ab12cd34.wsi-scale-part"]
    left += [".scale.ome.zarr.ab12cd34.wsi-scale-old", ".tiles.parquet.ab12cd35.wsi-scale-part"]
    kept = ["tiles.parquet", ".tiles.parquet.ab12.part", ".x.part", ".foo.old", ".wsi-scale-part", ".lock"]
    kept += [".notes.txt.ab12cd34.wsi-scale-part", ".tiles.parquet.wsi-scale-part", "scale.ome.zarr", "foo.old"]
    # Finished blocks outlive the process that computed them.
    kept += [".scale.ome.zarr.progress.wsi-scale-part"]
    for number, name in enumerate(left + kept):
        if number % 2:
            (tmp_path / name / "inner").mkdir(parents=True)
        else:
            (tmp_path / name).touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept").touch()
    (tmp_path / ".scale.ome.zarr.link5678.wsi-scale-old").symlink_to(tmp_path / "elsewhere")

    sweep_parts(tmp_path, {"tiles.parquet", "scale.ome.zarr"}.__contains__)

    assert {path.name for path in tmp_path.iterdir()} == {*kept, "elsewhere"}
    assert (tmp_path / "elsewhere" / "kept").exists()


@pytest.mark.parametrize("opening", [replacing_file, lambda path: replacing_folder(path, own)])
def test_a_part_of_a_killed_process_is_known_by_its_name(
    tmp_path: Path, opening: Callable[[Path], AbstractContextManager[Path]]
) -> None:
    with opening(tmp_path / "scale.ome.zarr") as part:
        (tmp_path / "kept").mkdir()
        copy = tmp_path / "kept" / part.name
        copy.mkdir() if part.is_dir() else copy.touch()
    sweep_parts(tmp_path / "kept", "scale.ome.zarr".__eq__)
    assert not list((tmp_path / "kept").iterdir())


def test_what_threads_still_write_after_an_error_is_removed_too(tmp_path: Path) -> None:
    failed = threading.Event()

    def write_on(part: Path) -> None:
        failed.wait()
        for number in range(20):
            (part / "c" / str(number)).mkdir(parents=True, exist_ok=True)
            time.sleep(0.005)

    def fill() -> None:
        with replacing_folder(tmp_path / "store.zarr", own) as part:
            writer = threading.Thread(target=write_on, args=(part,))
            writers.append(writer)
            writer.start()
            failed.set()
            raise ZeroDivisionError

    writers: list[threading.Thread] = []
    with pytest.raises(ZeroDivisionError):
        fill()
    writers[0].join()
    assert not list(tmp_path.iterdir())
