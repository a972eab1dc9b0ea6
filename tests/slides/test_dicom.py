"""DICOM files of slides, told by their heads."""

import os
from pathlib import Path

import pytest

from tests.dicom import CT, WHOLE_SLIDE, write_dicom
from wsi_scale.slides.dicom import dicom_files, read_head, series_beside, series_of, slides_among


@pytest.mark.parametrize("explicit", [True, False])
def test_a_head_names_its_own_series_not_one_that_it_refers_to(tmp_path: Path, explicit: bool) -> None:
    head = read_head(write_dicom(tmp_path / "a", "1.2.3", explicit=explicit))
    assert head is not None
    assert (head.series, head.sop_class) == ("1.2.3", WHOLE_SLIDE)
    assert head.image_type == ("ORIGINAL", "PRIMARY", "VOLUME", "NONE")


def test_a_file_that_is_cut_anywhere_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = write_dicom(tmp_path / "a", "1.2.3").read_bytes()
    for length in range(len(whole)):
        (tmp_path / "cut").write_bytes(whole[:length])
        head = read_head(tmp_path / "cut")
        assert (head is None) == (length < 132)
        assert head is None or head.series in ("", "1.2.3")


def test_without_a_suffix_only_slides_count(tmp_path: Path) -> None:
    slide = write_dicom(tmp_path / "IM0001", "1.2")
    numbered = write_dicom(tmp_path / "1.2.826.0.1.77", "1.2")
    ct = write_dicom(tmp_path / "IM0002", "1.3", sop_class=CT)
    named = write_dicom(tmp_path / "ct.dcm", "1.3", sop_class=CT)
    other = write_dicom(tmp_path / "notes.txt", "1.2")
    text = tmp_path / "README"
    text.write_text("no DICOM")
    assert dicom_files([slide, numbered, ct, named, other, text]) == [slide, numbered, named]


def test_every_series_with_a_level_is_a_slide_and_a_label_of_its_own_is_none(tmp_path: Path) -> None:
    files = [
        write_dicom(tmp_path / f"{number}.dcm", series, kind)
        for number, (series, kind) in enumerate([("1", "LABEL"), ("1", "VOLUME"), ("1", "VOLUME"), ("2", "VOLUME"),
                                                 ("3", "OVERVIEW")])
    ]  # fmt: skip
    (tmp_path / "5.dcm").write_bytes(b"cut")
    assert slides_among([*files, tmp_path / "5.dcm"]) == [files[1], files[3]]


def test_an_unreadable_file_stands_for_itself_and_costs_nobody(tmp_path: Path) -> None:
    sound = write_dicom(tmp_path / "1.dcm", "1.2")
    gone = tmp_path / "2.dcm"
    gone.symlink_to(tmp_path / "none")
    assert series_of([sound, gone]) == {"1.2": [sound], "2.dcm": [gone]}


def test_a_slide_of_several_files_is_all_of_its_series(tmp_path: Path) -> None:
    files = [write_dicom(tmp_path / name, "1.2") for name in ("a", "b.dcm")]
    other = write_dicom(tmp_path / "c.dcm", "1.3")
    assert series_beside(files[0]) == files
    assert series_beside(other) == [other]


def test_what_is_no_dicom_stands_alone_and_a_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a.svs").write_bytes(b"II*\0")
    for name in ("pipe", "a.svs", "none"):
        assert series_beside(tmp_path / name) == [tmp_path / name]
