from pathlib import Path, PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsi_scale.errors import UserError
from wsi_scale.slides import SLIDE_SUFFIXES, find_slides, slide_id_for
from wsi_scale.slides.discover import _unique_ids


def planted(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


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
