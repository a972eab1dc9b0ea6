from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.reading import reason, whole
from wsi_scale.errors import SlideError
from wsi_scale.slides import open_slide

Make = Callable[..., Any]


def test_what_is_neither_grey_nor_rgb_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "c.ome.tif", np.zeros((3, 40, 50), np.int8), metadata={"axes": "CYX"})
    tifffile.imwrite(
        tmp_path / "tiled.ome.tif", np.zeros((4, 64, 64), np.uint8), tile=(16, 16), metadata={"axes": "CYX"}
    )
    tifffile.imwrite(tmp_path / "f.tif", np.zeros((40, 50), np.float32))
    Image.new("CMYK", (10, 10)).save(tmp_path / "k.jpg")
    assert "C=3" in reason(tmp_path / "c.ome.tif")
    assert "C=4" in reason(tmp_path / "tiled.ome.tif")
    assert "float32" in reason(tmp_path / "f.tif")
    assert "CMYK" in reason(tmp_path / "k.jpg")


def test_a_text_file_named_svs_is_no_slide(tmp_path: Path) -> None:
    (tmp_path / "text.svs").write_text("hello")
    (tmp_path / "empty.svs").touch()
    (tmp_path / "folder.svs").mkdir()
    assert "not a known slide" in reason(tmp_path / "text.svs")
    assert "not a known slide" in reason(tmp_path / "empty.svs")
    assert "DICOM" in reason(tmp_path / "folder.svs")
    assert "No such file" in reason(tmp_path / "none.svs")


@pytest.mark.parametrize("kept", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif", "strips.tif", "a.png", "a.jpg"])
def test_a_truncated_file_says_so(tmp_path: Path, picture: Make, write_pyramid: Make, name: str, kept: float) -> None:
    image = picture(400, 400)
    if name.startswith("strips"):
        tifffile.imwrite(tmp_path / name, image, compression="zlib")
    elif name.endswith(".tif"):
        write_pyramid(image, name=name, compression="zlib")
    else:
        Image.fromarray(image).save(tmp_path / name)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(len(content) * kept)])
    reason(tmp_path / name)


def test_paths_may_hold_any_character(tmp_path: Path, picture: Make) -> None:
    folder = tmp_path / "ein $(rm) 'Ordner' \"µ\" 切片"
    folder.mkdir()
    tifffile.imwrite(folder / "a;b & c.tif", picture(70, 70), tile=(64, 64), photometric="rgb")
    assert whole(folder / "a;b & c.tif").shape == (70, 70, 3)


@pytest.mark.data
def test_real_slides_open_or_say_why(data_root: Path) -> None:
    refused = {}
    for path in sorted((data_root / "slides").iterdir()):
        try:
            with open_slide(path) as slide:
                assert slide.read(len(slide.levels) - 1, 0, 0, 50, 50).shape == (50, 50, 3)
        except SlideError as error:
            refused[path.name] = str(error)
    assert sorted(refused) == ["multi-channel-fluo.ome.tif", "slides.tsv"]


@pytest.mark.data
def test_a_dicom_folder_is_one_slide(data_root: Path) -> None:
    folder = data_root / "slides" / "CMU-1-Small-Region_dicom"
    with open_slide(folder) as slide:
        assert (slide.width, slide.height, slide.vendor, slide.warnings) == (2220, 2967, "dicom", ())


@pytest.mark.data
def test_of_two_dicom_series_the_larger_is_read(data_root: Path, tmp_path: Path) -> None:
    for folder in ("CMU-1-Small-Region_dicom", "camelyon-overview_dicom"):
        for file in (data_root / "slides" / folder).iterdir():
            (tmp_path / file.name).symlink_to(file)
    with open_slide(tmp_path) as slide:
        assert (slide.width, slide.height) == (2220, 2967)
        assert "2 DICOM series" in slide.warnings[0]
