"""A TIFF's pixel size is read in the unit in which it is written, of the image it is written for."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from wsi_scale.errors import MppError
from wsi_scale.slides import SlideInfo, inspect_slide
from wsi_scale.slides.metadata import require_mpp
from wsi_scale.slides.mpp_warnings import HOW_TO_GIVE_MPP
from wsi_scale.steps.audit import verdict_on


def strips(path: Path, **options: Any) -> SlideInfo:
    tifffile.imwrite(path, np.zeros((40, 50, 3), np.uint8), photometric="rgb", **options)
    return inspect_slide(path, "s")


@pytest.mark.parametrize(
    ("unit", "per_unit"),
    [("CENTIMETER", 40_000), ("INCH", 101_600), ("MILLIMETER", 4_000), ("MICROMETER", 4)],
)
def test_resolution_tags_count_in_any_unit(tmp_path: Path, unit: str, per_unit: float) -> None:
    info = strips(tmp_path / "s.tif", resolution=(per_unit, per_unit / 1.5), resolutionunit=unit)
    assert info.mpp_source == "tiff"
    assert (info.mpp_x, info.mpp_y) == pytest.approx((0.25, 0.375))


def test_a_resolution_without_unit_is_no_pixel_size(tmp_path: Path) -> None:
    assert strips(tmp_path / "s.tif", resolution=(1, 1), resolutionunit="NONE").mpp_source == "missing"
    assert strips(tmp_path / "t.tif").mpp_source == "missing"


def test_a_converters_default_is_no_pixel_size_and_is_told(tmp_path: Path) -> None:
    info = strips(tmp_path / "s.tif", resolution=(10, 10), resolutionunit="CENTIMETER")
    assert (info.mpp, info.mpp_source, info.header_mpp) == (None, "missing", None)
    told = "header says 1000 µm/px, a converter's default: not used"
    assert info.warnings == (f"mpp is missing: {told}; {HOW_TO_GIVE_MPP}",)
    assert verdict_on(info, None).reason == told
    with pytest.raises(MppError, match=re.escape(told)):
        require_mpp(info)


def test_a_default_contradicts_no_user(tmp_path: Path) -> None:
    strips(tmp_path / "s.tif", resolution=(72, 72), resolutionunit="INCH")
    info = inspect_slide(tmp_path / "s.tif", "s", 0.25)
    assert (info.mpp, info.header_mpp, info.warnings) == (0.25, None, ())


@pytest.mark.parametrize(("dpi", "mpp"), [(28.35, 896), (71, 357.7), (250_000, 0.1016), (2400, 10.58)])
def test_a_resolution_that_is_no_default_counts(tmp_path: Path, dpi: int, mpp: float) -> None:
    info = strips(tmp_path / "s.tif", resolution=(dpi, dpi), resolutionunit="INCH")
    assert info.mpp == pytest.approx(mpp, rel=1e-3)
    assert (info.usable_mpp is None) is (mpp > 50)


@pytest.mark.parametrize(("unit", "size"), [("µm", 0.5), ("nm", 500), ("mm", 0.0005), (None, 0.5)])
def test_ome_xml_counts_in_any_unit_and_before_tags(tmp_path: Path, unit: str | None, size: float) -> None:
    metadata: dict[str, Any] = {"axes": "YXS", "PhysicalSizeX": size, "PhysicalSizeY": 2 * size}
    if unit:
        metadata |= {"PhysicalSizeXUnit": unit, "PhysicalSizeYUnit": unit}
    info = strips(tmp_path / "s.ome.tif", metadata=metadata, resolution=(4, 4), resolutionunit="MICROMETER")
    assert info.mpp_source == "ome"
    assert (info.mpp_x, info.mpp_y) == pytest.approx((0.5, 1.0))


def test_imagej_states_its_unit_in_words(tmp_path: Path) -> None:
    image = np.zeros((40, 50), np.uint8)
    tifffile.imwrite(tmp_path / "j.tif", image, imagej=True, resolution=(2, 2), metadata={"unit": "micron"})
    info = inspect_slide(tmp_path / "j.tif", "j")
    assert (info.mpp, info.mpp_source) == (pytest.approx(0.5), "tiff")


def test_the_screen_that_imagej_passes_on_is_no_pixel_size(tmp_path: Path) -> None:
    image = np.zeros((40, 50), np.uint8)
    tifffile.imwrite(tmp_path / "j.tif", image, imagej=True, resolution=(72, 72), metadata={"unit": "inch"})
    assert inspect_slide(tmp_path / "j.tif", "j").mpp_source == "missing"
