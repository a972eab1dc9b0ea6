"""Every file that a stage wrote is listed, and whatever happens to one is found."""

from collections.abc import Callable
from pathlib import Path

import pytest

from wsi_scale.artifacts.manifest import file_digest, find_fault, find_missing, manifest_of, part_of

Change = Callable[[Path], object]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("one.json", "store.zarr/zarr.json", "store.zarr/a/c/0/0", "store.zarr/a/c/0/1", "other.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def test_all_files_of_the_artefacts_are_listed_and_no_other(folder: Path) -> None:
    manifest = manifest_of(folder, ["one.json", "store.zarr", "not-there.json"])
    assert list(manifest) == ["one.json", "store.zarr/a/c/0/0", "store.zarr/a/c/0/1", "store.zarr/zarr.json"]
    assert [file.size for file in manifest.values()] == [len(name) for name in manifest]
    assert manifest["one.json"].digest == file_digest(folder / "one.json")
    assert find_fault(folder, manifest) == find_missing(folder, manifest) == ""
    assert list(part_of(manifest, "one.json")) == ["one.json"]
    assert len(part_of(manifest, "store.zarr")) == 3
    assert part_of(manifest, "store") == {}


@pytest.mark.parametrize(
    ("change", "told", "seen_without_reading"),
    [
        (lambda folder: (folder / "store.zarr/a/c/0/1").unlink(), "store.zarr/a/c/0/1 is missing", True),
        (lambda folder: (folder / "one.json").write_text("longer than it was"), "one.json is damaged", True),
        (lambda folder: (folder / "one.json").write_text("two.json"), "one.json is damaged", False),
        (lambda folder: (folder / "store.zarr/b").touch(), "store.zarr/b was not written by this stage", False),
        (lambda folder: (folder / "else.json").touch(), "", False),
    ],
    ids=["missing", "longer", "same length", "added", "beside"],
)
def test_whatever_happens_to_a_file_is_found(
    folder: Path, change: Change, told: str, seen_without_reading: bool
) -> None:
    manifest = manifest_of(folder, ["one.json", "store.zarr"])
    change(folder)
    assert find_fault(folder, manifest) == told
    assert find_missing(folder, manifest) == (told if seen_without_reading else "")
