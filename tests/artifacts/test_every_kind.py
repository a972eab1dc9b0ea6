"""Promises that every artefact keeps, whatever it holds."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from wsi_scale.errors import ArtifactError

Digest = Callable[[Path], str]


def assert_one_line(error: pytest.ExceptionInfo[ArtifactError], path: Path) -> None:
    text = str(error.value)
    assert "\n" not in text
    assert str(path) in text


def spoil(path: Path, content: bytes) -> None:
    """Put other bytes in the place of a file or a store."""
    if path.is_dir():
        shutil.rmtree(path)
    path.write_bytes(content)


def test_the_same_content_gives_the_same_bytes(kind: Any, tmp_path: Path, digest: Digest) -> None:
    for name in ("first", "second"):
        kind.write(tmp_path / name, 1)
    assert digest(tmp_path / "first") == digest(tmp_path / "second")


def test_writing_again_replaces_what_was_there(kind: Any, tmp_path: Path, digest: Digest) -> None:
    kind.write(tmp_path / "once", 2)
    kind.write(tmp_path / "twice", 1)
    before = digest(tmp_path / "twice")
    kind.write(tmp_path / "twice", 2)
    assert digest(tmp_path / "twice") == digest(tmp_path / "once") != before


def test_a_writer_makes_the_folders_it_needs_and_leaves_nothing_beside(kind: Any, tmp_path: Path) -> None:
    folder = tmp_path / "Ä b" / "c"
    kind.write(folder, 0)
    assert kind.path(folder).exists()
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_a_place_below_a_regular_file_is_refused_in_one_line(kind: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ArtifactError) as error:
        kind.write(tmp_path / "file" / "slide", 0)
    assert_one_line(error, tmp_path / "file" / "slide")
    assert (tmp_path / "file").read_text() == "in the way"


def test_results_can_be_read_by_everybody_whom_the_umask_allows(kind: Any, tmp_path: Path) -> None:
    kind.write(tmp_path, 0)
    plain = tmp_path / "plain"
    plain.mkdir() if kind.path(tmp_path).is_dir() else plain.touch()
    assert kind.path(tmp_path).stat().st_mode == plain.stat().st_mode


def test_what_is_missing_is_said_in_one_line(required: Any, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError) as error:
        required.read(tmp_path)
    assert_one_line(error, required.path(tmp_path))


@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff\xfe garbage \x80", b"[]\n", b'"text"', b"a\tb\n1\t2\n"],
    ids=["empty", "binary", "list", "text", "table"],
)  # fmt: skip
def test_other_bytes_in_its_place_are_refused_in_one_line(readable: Any, tmp_path: Path, content: bytes) -> None:
    readable.write(tmp_path, 0)
    path = readable.path(tmp_path)
    spoil(path, content)
    with pytest.raises(ArtifactError) as error:
        readable.read(tmp_path)
    assert_one_line(error, path)


@pytest.mark.parametrize("name", ["calibration", "prediction", "record", "checkpoint", "regressor", "runs"])
def test_another_document_in_its_place_is_refused_in_one_line(kinds: dict[str, Any], name: str, tmp_path: Path) -> None:
    path = kinds[name].path(tmp_path)
    path.write_text('{"slide_id": "a", "width": 1}')
    with pytest.raises(ArtifactError) as error:
        kinds[name].read(tmp_path)
    assert_one_line(error, path)


def test_half_a_file_is_refused_in_one_line(readable_file: Any, tmp_path: Path) -> None:
    readable_file.write(tmp_path, 0)
    path = readable_file.path(tmp_path)
    # A table cut between two rows is still a table, so half of it is half of its first row.
    content = path.read_bytes() if path.suffix != ".tsv" else path.read_bytes().split(b"\n")[0]
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ArtifactError) as error:
        readable_file.read(tmp_path)
    assert_one_line(error, path)


def test_a_folder_in_the_place_of_a_file_is_refused_in_one_line(readable_file: Any, tmp_path: Path) -> None:
    path = readable_file.path(tmp_path)
    path.mkdir()
    with pytest.raises(ArtifactError) as error:
        readable_file.read(tmp_path)
    assert_one_line(error, path)


def test_what_is_damaged_is_written_over(kind: Any, tmp_path: Path, digest: Digest) -> None:
    kind.write(tmp_path / "good", 0)
    kind.write(tmp_path / "damaged", 0)
    path = kind.path(tmp_path / "damaged")
    for file in [path] if path.is_file() else [path / name for name in ("zarr.json", ".zattrs", ".zgroup")]:
        if file.exists():
            file.write_bytes(b"\x00\xff garbage")
    kind.write(tmp_path / "damaged", 0)
    assert digest(tmp_path / "damaged") == digest(tmp_path / "good")


@pytest.mark.parametrize("store", ["scale map 0.5", "scale map 0.4", "features"])
@pytest.mark.parametrize("version", [2, 3])
def test_a_store_of_somebody_elses_is_not_written_over(
    kinds: dict[str, Any], store: str, version: Any, tmp_path: Path, digest: Digest
) -> None:
    root = zarr.open_group(kinds[store].path(tmp_path), mode="w", zarr_format=version)
    root.attrs["ome"] = {"version": "0.5", "multiscales": []}
    root.create_array("0", data=np.zeros((3, 4)))
    before = digest(tmp_path)
    with pytest.raises(ArtifactError, match="was not made by this program; move it away") as error:
        kinds[store].write(tmp_path, 0)
    assert_one_line(error, kinds[store].path(tmp_path))
    assert digest(tmp_path) == before


@pytest.mark.parametrize("content", [b"[]", b"{}", b'{"attributes": null}', b"", b"\xff"])
def test_a_store_is_told_by_its_members_only_where_its_metadata_are_damaged(
    kinds: dict[str, Any], tmp_path: Path, content: bytes
) -> None:
    kind = kinds["features"]
    kind.write(tmp_path, 0)
    (kind.path(tmp_path) / "zarr.json").write_bytes(content)
    if content.startswith(b"{"):
        with pytest.raises(ArtifactError, match="was not made by this program"):
            kind.write(tmp_path, 1)
    else:
        kind.write(tmp_path, 1)
        assert kind.read(tmp_path)


@pytest.mark.parametrize("store", ["scale map 0.5", "features"])
def test_a_folder_of_other_files_is_not_written_over(kinds: dict[str, Any], store: str, tmp_path: Path) -> None:
    kinds[store].path(tmp_path).mkdir()
    (kinds[store].path(tmp_path) / "notes.txt").write_text("mine")
    with pytest.raises(ArtifactError, match="was not made by this program"):
        kinds[store].write(tmp_path, 0)
    assert (kinds[store].path(tmp_path) / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("store", ["scale map 0.5", "scale map 0.4", "features"])
def test_a_store_of_other_content_is_refused_in_one_line(kinds: dict[str, Any], store: str, tmp_path: Path) -> None:
    path = kinds[store].path(tmp_path)
    root = zarr.open_group(path, mode="w")
    root.attrs["ome"] = {"version": "0.5", "multiscales": []}
    root.create_array("0", data=np.zeros((3, 4)))
    with pytest.raises(ArtifactError) as error:
        kinds[store].read(tmp_path)
    assert_one_line(error, path)


@pytest.mark.parametrize("store", ["scale map 0.5", "scale map 0.4", "features"])
def test_a_store_with_a_damaged_chunk_is_refused_in_one_line(kinds: dict[str, Any], store: str, tmp_path: Path) -> None:
    kinds[store].write(tmp_path, 0)
    path = kinds[store].path(tmp_path)
    chunk = max((p for p in path.rglob("*") if p.is_file() and p.name.isdigit()), key=lambda p: p.stat().st_size)
    chunk.write_bytes(chunk.read_bytes()[:20])
    with pytest.raises(ArtifactError) as error:
        kinds[store].read(tmp_path)
    assert_one_line(error, path)


@pytest.mark.parametrize("store", ["scale map 0.5", "features"])
def test_a_store_with_damaged_metadata_is_refused_in_one_line(
    kinds: dict[str, Any], store: str, tmp_path: Path
) -> None:
    kinds[store].write(tmp_path, 0)
    path = kinds[store].path(tmp_path)
    (path / "zarr.json").write_text('{"zarr_format": 3, "node_type"')
    with pytest.raises(ArtifactError) as error:
        kinds[store].read(tmp_path)
    assert_one_line(error, path)
