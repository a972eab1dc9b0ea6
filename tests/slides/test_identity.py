"""A slide is known by the content of all of its files."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.dicom import write_dicom
from wsi_scale.artifacts.fingerprint import WHOLE_BYTES
from wsi_scale.errors import SlideError
from wsi_scale.slides.identity import slide_files, slide_identity, slide_stamp


def plain(folder: Path) -> Path:
    """One file."""
    (folder / "a.svs").write_bytes(b"level 0")
    return folder / "a.svs"


def mirax(folder: Path) -> Path:
    """A file and a folder of its name."""
    (folder / "a").mkdir()
    for name in ("Slidedat.ini", "Data0001.dat", "Index.dat"):
        (folder / "a" / name).write_text(name)
    (folder / "a.mrxs").write_bytes(b"\xff\xd8 preview")
    return folder / "a.mrxs"


def olympus(folder: Path) -> Path:
    """A file and a folder of stacks."""
    for stack in ("stack1", "stack10001"):
        (folder / "_a_" / stack).mkdir(parents=True)
        (folder / "_a_" / stack / "frame_t.ets").write_text(stack)
    (folder / "a.vsi").write_bytes(b"II")
    return folder / "a.vsi"


def hamamatsu(folder: Path) -> Path:
    """A list that names its parts."""
    for name in ("a.jpg", "a(1,0).jpg", "a_map2.jpg"):
        (folder / name).write_text(name)
    (folder / "a.vms").write_text(
        "[Virtual Microscope Specimen]\nImageFile=a.jpg\nImageFile(1,0)=a(1,0).jpg\nMapFile=a_map2.jpg\nNoLayers=1\n"
    )
    (folder / "stranger.jpg").write_text("of no slide")
    return folder / "a.vms"


def dicom(folder: Path) -> Path:
    """A folder of files."""
    (folder / "a").mkdir()
    for number in range(3):
        (folder / "a" / f"{number}.dcm").write_text(f"instance {number}")
    return folder / "a"


KINDS = {plain: 1, mirax: 4, olympus: 3, hamamatsu: 4, dicom: 3}


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_every_file_of_a_slide_counts_and_its_place_does_not(make: Callable[[Path], Path], tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    slide = make(tmp_path / "one")
    identity, files = slide_identity(slide), slide_files(slide)
    assert len(files) == KINDS[make]

    moved = Path(shutil.copytree(tmp_path / "one", tmp_path / "two")) / slide.name
    assert slide_identity(moved) == identity
    for file in files:
        whole, stamp, times = file.read_bytes(), slide_stamp(slide), file.stat()
        file.write_bytes(whole[:-1] + b"!")
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))  # as `cp -p` of something else
        assert slide_stamp(slide) != stamp, file
        assert slide_identity(slide) != identity, file
        file.write_bytes(whole)
    assert slide_identity(slide) == identity


def test_what_belongs_to_no_slide_does_not_count(tmp_path: Path) -> None:
    slide = hamamatsu(tmp_path)
    before = slide_identity(slide)
    (tmp_path / "stranger.jpg").write_text("another")
    assert slide_identity(slide) == before


def test_what_a_desktop_leaves_in_a_slides_folder_does_not_count(tmp_path: Path) -> None:
    slide = mirax(tmp_path)
    before = slide_identity(slide)
    for name in (".DS_Store", "Thumbs.db"):
        (tmp_path / "a" / name).touch()
    assert slide_identity(slide) == before


def test_of_a_folder_of_dicom_files_only_they_count(tmp_path: Path) -> None:
    """Results may lie in it, and what a file browser or a user leaves there."""
    slide = dicom(tmp_path)
    write_dicom(slide / "1.2.3", "1.2")
    before, stamp = slide_identity(slide), slide_stamp(slide)
    assert slide / "1.2.3" in slide_files(slide)
    (slide / "out").mkdir()
    (slide / "out" / "slide.json").write_text("{}")
    (slide / "notes.txt").write_text("mine")
    assert (slide_identity(slide), slide_stamp(slide)) == (before, stamp)


@pytest.mark.parametrize("place", ["first", "header", "middle", "last"])
def test_of_a_large_file_head_end_and_samples_count(tmp_path: Path, place: str) -> None:
    path, size = tmp_path / "large.svs", WHOLE_BYTES + (1 << 20)
    with path.open("wb") as stream:
        stream.truncate(size)
    before = slide_identity(path)
    at = {"first": 0, "header": 900_000, "middle": (size - (64 << 10)) * 256 // 511, "last": size - 1}[place]
    with path.open("r+b") as stream:
        stream.seek(at)
        stream.write(b"x")
    assert slide_identity(path) != before


def test_a_hole_as_a_broken_copy_leaves_it_is_seen_in_a_large_file(tmp_path: Path) -> None:
    path, size = tmp_path / "large.svs", 3 * WHOLE_BYTES
    content = np.random.default_rng(0).integers(0, 256, size, np.uint8)
    content.tofile(path)
    whole = slide_identity(path)
    for start in np.random.default_rng(1).integers(0, size - (1 << 20), 5):
        with path.open("r+b") as stream:
            stream.seek(start)
            stream.write(bytes(1 << 20))
        assert slide_identity(path) != whole
        content.tofile(path)
    assert slide_identity(path) == whole


def test_a_slide_that_is_gone_is_told(tmp_path: Path) -> None:
    for look in (slide_identity, slide_stamp):
        with pytest.raises(SlideError, match="cannot be read"):
            look(tmp_path / "gone.svs")
