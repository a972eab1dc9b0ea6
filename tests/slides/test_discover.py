import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dicom import write_dicom
from wsi_scale.errors import UserError
from wsi_scale.slides import SLIDE_SUFFIXES, find_slides, open_slide, slide_id_for
from wsi_scale.slides.discover import MAX_ID_BYTES, _unique_ids


def planted(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A folder that another user can read; pytest's own are for this one only."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def ids(folder: Path, exclude: Path | None = None) -> list[str]:
    return [slide.slide_id for slide in find_slides(folder, exclude=exclude)]


def test_folders_are_searched_to_the_bottom_and_in_either_case(tmp_path: Path) -> None:
    planted(tmp_path, "a.svs", "b/c/D.NDPI", "b/e.OME.TIFF", "notes.txt", "b/sheet.tsv", "b.v2.tif")
    assert ids(tmp_path) == ["a", "b.v2", "b__c__D", "b__e"]


def test_every_documented_suffix_is_found(tmp_path: Path) -> None:
    planted(tmp_path, *(f"s{number}{suffix}" for number, suffix in enumerate(SLIDE_SUFFIXES) if suffix != ".dcm"))
    assert len(ids(tmp_path)) == len(SLIDE_SUFFIXES) - 1


def test_hidden_files_and_the_results_are_passed_over(tmp_path: Path) -> None:
    planted(tmp_path, "a.svs", ".b.svs", ".hidden/c.svs", "results/slides/d/overlay.png", "._a.svs")
    assert ids(tmp_path, exclude=tmp_path / "results") == ["a"]


def test_companions_of_other_slides_are_no_slides(tmp_path: Path) -> None:
    planted(tmp_path, "m.mrxs", "m/Data0000.dat", "m/preview.jpg", "v.vsi", "_v_/stack1/frame_t.ets", "_v_/x.tif")
    planted(tmp_path, "h/h.jpg", "h/h(1,0).jpg", "h/h_map2.jpg", "h/h_macro.jpg", "h/other.jpg", "h/named.jpg")
    (tmp_path / "h/h.vms").write_text("[Virtual Microscope Specimen]\nImageFile=h.jpg\nMapFile=named.jpg\n")
    assert ids(tmp_path) == ["h__h", "h__other", "m", "v"]


def test_a_folder_of_dicom_files_is_one_slide(tmp_path: Path) -> None:
    planted(tmp_path, "x/case 1/1.dcm", "x/case 1/2.DCM", "y.svs")
    found = find_slides(tmp_path)
    assert [slide.slide_id for slide in found] == ["x__case 1", "y"]
    assert found[0].path == tmp_path / "x/case 1"
    assert ids(tmp_path / "x/case 1") == ["case 1"]


def test_dicom_files_without_a_suffix_are_told_by_their_content(tmp_path: Path) -> None:
    (tmp_path / "case").mkdir()
    for name in ("IM0001", "IM0002"):
        write_dicom(tmp_path / "case" / name, "1.2")
    planted(tmp_path, "case/VERSION", "case/notes.txt", "empty/README")
    assert [(slide.slide_id, slide.path) for slide in find_slides(tmp_path)] == [("case", tmp_path / "case")]


def test_two_dicom_slides_in_a_folder_are_two_slides(tmp_path: Path) -> None:
    (tmp_path / "case").mkdir()
    for number, (series, kind) in enumerate([("1.1", "LABEL"), ("1.1", "VOLUME"), ("1.2", "VOLUME")]):
        write_dicom(tmp_path / "case" / f"{number}.dcm", series, kind)
    found = find_slides(tmp_path)
    assert [slide.slide_id for slide in found] == ["case__1", "case__2"]
    assert [slide.path.name for slide in found] == ["1.dcm", "2.dcm"]


@pytest.mark.data
def test_two_real_dicom_slides_in_a_folder_are_read_each_as_it_is(data_root: Path, tmp_path: Path) -> None:
    for folder in ("CMU-1-Small-Region_dicom", "camelyon-overview_dicom"):
        for number, file in enumerate(sorted((data_root / "slides" / folder).iterdir())):
            shutil.copy(file, tmp_path / f"{folder[:3]}{number}")
    sizes = []
    for found in find_slides(tmp_path):
        with open_slide(found.path) as slide:
            sizes.append((slide.width, slide.height))
    assert sizes == [(2220, 2967), (1152, 700)]


def test_where_two_ids_clash_each_keeps_its_suffix(tmp_path: Path) -> None:
    planted(tmp_path, "a.svs", "a.ndpi", "b/a.svs", "c.tif", "c.ome.tif")
    assert ids(tmp_path) == ["a.ndpi", "a.svs", "b__a", "c.ome.tif", "c.tif"]


def test_an_empty_folder_is_an_error_that_names_the_suffixes(tmp_path: Path) -> None:
    planted(tmp_path, "notes.txt")
    with pytest.raises(UserError, match=r"no slides found; looked for \.svs"):
        find_slides(tmp_path)
    with pytest.raises(UserError, match="cannot be listed"):
        find_slides(tmp_path / "none")


def test_links_are_followed_and_loops_are_not(tmp_path: Path) -> None:
    planted(tmp_path, "in/a.svs", "elsewhere/b.svs")
    (tmp_path / "in/there").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "in")
    assert ids(tmp_path / "in") == ["a", "there__b"]


def test_unicode_blanks_and_quotes_stay_and_braces_and_angle_brackets_go(tmp_path: Path) -> None:
    planted(tmp_path, "切片 'µ' $(x).svs", "{wild}.svs", "<path>.svs")
    assert ids(tmp_path) == ["_path_", "_wild_", "切片 'µ' $(x)"]


def test_bytes_that_are_no_text_go_from_the_id_and_not_from_the_path(tmp_path: Path) -> None:
    names = [os.fsdecode(name) for name in (b"Gewebe-\xe4.svs", b"Gewebe-\xf6.svs", b"x\xff/a.svs")]
    planted(tmp_path, *names)
    found = {slide.slide_id: slide.path for slide in find_slides(tmp_path)}
    assert sorted(found.values()) == sorted(tmp_path / name for name in names)
    assert "x___a" in found
    assert all(slide_id.encode() for slide_id in found)
    assert slide_id_for(tmp_path / names[0]) == "Gewebe-_"


def test_a_path_too_long_for_one_name_is_cut_and_keeps_apart(tmp_path: Path) -> None:
    deep = "/".join(["a folder with a long name"] * 12)
    planted(tmp_path, f"{deep}/ä{'b' * 60}.svs", f"{deep}/ä{'b' * 61}.svs", "c.svs")
    found = ids(tmp_path)
    assert len(set(found)) == 3
    assert max(len(name.encode()) for name in found) <= MAX_ID_BYTES
    for name in found:
        (tmp_path / "results" / name).mkdir(parents=True)
    assert len(slide_id_for(tmp_path / f"{'c' * 251}.svs").encode()) <= MAX_ID_BYTES


def test_dead_links_are_found_where_they_may_be_slides_or_folders_of_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    planted(tmp_path, "good.svs")
    for name in ("batch2", "batch.3", "gone.svs", "loop.tif"):
        (tmp_path / name).symlink_to(tmp_path / "unplugged" if name != "loop.tif" else tmp_path / name)
    (tmp_path / "notes.txt").symlink_to(tmp_path / "unplugged.txt")
    assert ids(tmp_path) == ["batch.3", "batch2", "gone", "good", "loop"]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "notes.txt" in caplog.text


@pytest.mark.timeout(20)
def test_a_pipe_with_a_slides_name_is_found_and_not_opened(tmp_path: Path) -> None:
    planted(tmp_path, "good.svs")
    for name in ("pipe.svs", "list.vms", "more.dcm", "unnamed"):
        os.mkfifo(tmp_path / name)
    assert ids(tmp_path) == ["good", "list", "more", "pipe"]


@pytest.mark.parametrize(
    "folder",
    [
        "@eaDir",
        "@Recycle",
        "#recycle",
        "#snapshot",
        "lost+found",
        "$RECYCLE.BIN",
        "System Volume Information",
        ".trash",
    ],
)
def test_servers_own_folders_are_passed_over_in_silence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, folder: str
) -> None:
    planted(tmp_path, "good.svs", f"{folder}/old.svs", f"{folder}/good.svs/SYNO_THUMB.jpg", f"deep/{folder}/x.png")
    assert ids(tmp_path) == ["good"]
    assert not caplog.records


def test_a_folder_left_out_for_its_name_alone_is_told_where_it_holds_slides(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    planted(tmp_path, "good.svs", "#12/liver.svs", "#thumbs/a.jpg")
    assert ids(tmp_path) == ["good"]
    assert [("#12" in record.message, "left out" in record.message) for record in caplog.records] == [(True, True)]
    assert ids(tmp_path / "#12") == ["liver"]


def test_folders_that_hold_results_are_passed_over_and_a_slide_in_one_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pictures = ("overlay.png", "thumbnail.jpg", "tissue.png")
    planted(tmp_path, "good.svs", "run1/slides/a/slide.json", *(f"run1/slides/a/{name}" for name in pictures))
    assert ids(tmp_path) == ["good"]
    assert not caplog.records
    planted(tmp_path, "case/slide.json", "case/lost.svs")
    assert ids(tmp_path) == ["good"]
    assert str(tmp_path / "case") in caplog.text


def test_results_beside_the_slides_themselves_hide_no_slide(tmp_path: Path) -> None:
    planted(tmp_path, "good.svs", "photo.png", "slide.json", "overlay.png", "thumbnail.jpg", "tissue.png")
    assert ids(tmp_path) == ["good", "photo"]


def test_tiles_of_other_viewers_pyramids_are_no_slides(tmp_path: Path) -> None:
    planted(tmp_path, "good.svs", "good.dzi", "good_files/9/0_0.jpeg", "good_files/8/0_0.jpeg")
    planted(tmp_path, "z/ImageProperties.xml", "z/TileGroup0/0-0-0.jpg", "z/TileGroup1/1-0-0.jpg")
    planted(tmp_path, "my_files/a.svs", "TileGroup/b.svs")
    assert ids(tmp_path) == ["TileGroup__b", "good", "my_files__a"]


LIST_AS_ANOTHER = """
import logging, os, sys
from pathlib import Path
from wsi_scale.slides.discover import find_slides
logging.basicConfig(format="%(levelname)s %(message)s")
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
print(*(slide.slide_id for slide in find_slides(Path(sys.argv[1]))))
"""


@pytest.mark.parametrize("folder", ["lost+found", "private"])
def test_a_folder_that_cannot_be_listed_is_warned_about_and_the_others_are_searched(
    open_to_all: Path, folder: str
) -> None:
    planted(open_to_all, "good.svs", f"{folder}/hidden.svs")
    (open_to_all / folder).chmod(0)

    done = subprocess.run(
        [sys.executable, "-c", LIST_AS_ANOTHER, open_to_all], capture_output=True, text=True, timeout=60, check=False
    )

    (open_to_all / folder).chmod(0o755)
    assert done.stdout.split() == ["good"], done.stderr
    (line,) = done.stderr.splitlines()
    assert line == f"WARNING {open_to_all / folder}: the folder cannot be listed (Permission denied); it is left out"


def test_a_single_slide_is_called_by_its_name(tmp_path: Path) -> None:
    assert slide_id_for(tmp_path / "deep" / "A 1.ome.tif") == "A 1"
    assert slide_id_for(tmp_path / "dicom folder") == "dicom folder"


parts = st.text(st.sampled_from("ab_.01"), min_size=1, max_size=3).filter(lambda name: name[0] != ".")
suffixes = st.sampled_from([".svs", ".tif", ".ome.tif", ".svs.tif"])
names = st.builds(lambda folders, suffix: "/".join(folders) + suffix, st.lists(parts, min_size=1, max_size=3), suffixes)


@given(st.lists(names, unique=True, min_size=1, max_size=12))
def test_ids_are_unique_and_do_not_depend_on_the_order_of_files(paths: list[str]) -> None:
    given_ids = dict(zip(paths, _unique_ids([PurePath(path) for path in paths]), strict=True))
    assert len(set(given_ids.values())) == len(paths)
    turned = paths[::-1]
    assert dict(zip(turned, _unique_ids([PurePath(path) for path in turned]), strict=True)) == given_ids
    assert not any("/" in name for name in given_ids.values())
