import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from wsi_scale.errors import MppError
from wsi_scale.slides import Level, Slide, SlideInfo, describe_slide, inspect_slide, require_mpp
from wsi_scale.slides.metadata import with_estimated_mpp
from wsi_scale.slides.mpp_warnings import about_mpp

Make = Callable[..., Any]

KEYS = [
    "slide_id", "path", "vendor", "width", "height", "level_count", "level_downsamples", "objective_power",
    "mpp", "mpp_x", "mpp_y", "mpp_source", "mpp_doubts", "header_mpp", "header_source", "status", "warnings",
    "identity", "scanner",
]  # fmt: skip


class Described(Slide):
    """A slide that only has properties."""

    def __init__(self, **properties: str) -> None:
        names = {"x": "openslide.mpp-x", "y": "openslide.mpp-y", "power": "openslide.objective-power"}
        known = {names[key]: value for key, value in properties.items()}
        super().__init__(Path("nowhere.svs"), "aperio", (Level(100, 50, 1.0),), known)

    def _read_pixels(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        raise NotImplementedError

    def close(self) -> None: ...


def described(override: float | None = None, **properties: str) -> SlideInfo:
    return describe_slide(Described(**properties), "s", "s.svs", override)


def test_keys_are_stable_and_json_brings_them_back() -> None:
    info = described(x="0.25", y="0.25", power="40")
    assert list(info.as_dict()) == KEYS
    assert SlideInfo.from_dict(json.loads(json.dumps(info.as_dict()))) == info


def test_what_openslide_reports_is_metadata_and_mpp_is_the_mean() -> None:
    info = described(x="0.25", y="0.251", power="40")
    assert (info.mpp, info.mpp_source, info.warnings) == (0.2505, "metadata", ())
    assert info.usable_mpp == (0.25, 0.251)
    assert info.trusted


def test_what_openslide_says_of_another_image_than_level_0_is_not_believed() -> None:
    slide = Described(x="1.0", y="1.0")
    for width, mpp in (("100", 1.0), ("25", None)):
        sizes = {"openslide.level[0].width": width, "openslide.level[0].height": "50"}
        slide.properties = {**slide.properties, **sizes}
        assert describe_slide(slide, "s", "s.svs", None).mpp == mpp


def test_an_override_wins_and_a_contradiction_is_warned_about() -> None:
    info = described(0.5, x="0.25", y="0.25")
    assert (info.mpp, info.mpp_x, info.mpp_y, info.mpp_source) == (0.5, 0.5, 0.5, "override")
    assert (info.header_mpp, info.header_source) == (0.25, "metadata")
    assert "differs from 0.25 in the header (the scanner's metadata); yours is used" in info.warnings[0]
    assert info.trusted
    assert described(0.2501, x="0.25", y="0.25").warnings == ()
    assert described(0.3).warnings == ()


@pytest.mark.parametrize("value", ["1000", "896", "264.58", "0.049", "0"])
def test_an_implausible_mpp_is_shown_and_not_used(value: str) -> None:
    info = described(x=value, y=value)
    assert info.mpp == float(value)
    assert info.usable_mpp is None
    assert not info.trusted
    assert "is not used" in info.warnings[0]
    with pytest.raises(MppError, match="--mpp"):
        require_mpp(info)


@pytest.mark.parametrize("value", ["inf", "nan", "-inf"])
def test_an_mpp_that_is_not_finite_is_warned_about_and_json_stays_valid(value: str) -> None:
    info = described(x=value, y=value)
    assert info.mpp is None
    assert value in info.warnings[0]
    json.dumps(info.as_dict(), allow_nan=False)
    with pytest.raises(MppError, match="sheet's mpp column"):
        require_mpp(info)


def test_an_implausible_override_is_not_used_either() -> None:
    info = described(1000.0, x="0.25", y="0.25")
    assert info.mpp == 1000
    assert info.usable_mpp is None
    assert not info.trusted


@pytest.mark.parametrize(("mpp", "trusted"), [("0.25", True), ("0.54", True), ("0.56", False), ("0.11", False)])
def test_an_mpp_far_off_the_objective_is_used_and_not_trusted(mpp: str, trusted: bool) -> None:
    info = described(x=mpp, y=mpp, power="40")
    assert info.usable_mpp is not None
    assert info.trusted is trusted
    assert bool(info.warnings) is not trusted


def test_pixels_that_are_not_square_are_warned_about_and_kept_apart() -> None:
    info = described(x="0.25", y="0.5")
    assert (info.mpp, require_mpp(info)) == (0.375, (0.25, 0.5))
    assert "each axis" in info.warnings[0]
    assert not info.trusted


def test_a_missing_mpp_is_null_and_says_how_to_give_it() -> None:
    info = described()
    assert (info.mpp, info.mpp_x, info.mpp_source) == (None, None, "missing")
    with pytest.raises(MppError, match=r"--mpp .* or in the sheet's mpp column"):
        require_mpp(info)


def test_an_unreadable_slide_is_described_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "text.svs").write_text("hello")
    info = inspect_slide(tmp_path / "text.svs", "text")
    assert (info.status, info.width, info.level_count, info.mpp_source) == ("unreadable", 0, 0, "missing")
    assert "not a known slide" in info.warnings[0]
    assert list(info.as_dict()) == KEYS


def test_the_dpi_of_images_is_ignored(tmp_path: Path) -> None:
    for name in ("a.png", "a.jpg"):
        Image.new("RGB", (50, 40)).save(tmp_path / name, dpi=(25_400, 25_400))
        assert inspect_slide(tmp_path / name, "a").mpp_source == "missing"


@pytest.mark.data
def test_real_headers_are_read_as_their_table_says(data_root: Path) -> None:
    with (data_root / "slides" / "slides.tsv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream, delimiter="\t") if row["mpp_x"]]
    for row in rows:
        info = inspect_slide(data_root / "slides" / row["file"], "s")
        if float(row["mpp_x"]) == pytest.approx(1000):  # 10 px/cm: what libvips writes that knows nothing
            assert (info.mpp, info.mpp_source) == (None, "missing")
            continue
        assert info.mpp_x == pytest.approx(float(row["mpp_x"]))
        generic = "tiff" if row["file"] != "trypsin-ihc.ome.tif" else "ome"
        assert info.mpp_source == (generic if row["vendor"] == "generic-tiff" else "metadata")
        assert info.trusted is (float(row["mpp_x"]) < 50)
    assert len(rows) > 10


def test_an_estimate_stands_in_for_an_mpp_that_is_missing() -> None:
    info = with_estimated_mpp(described(), (0.42, 0.35, 0.5))
    assert (info.mpp, info.mpp_x, info.mpp_y, info.mpp_source) == (0.42, 0.42, 0.42, "estimated")
    assert require_mpp(info) == (0.42, 0.42)
    assert info.warnings == ("mpp is estimated from pixels: 0.42 µm/px (0.35–0.5)",)
    assert not info.trusted
    assert SlideInfo.from_dict(json.loads(json.dumps(info.as_dict()))) == info


def test_nothing_is_decided_by_what_warnings_say() -> None:
    told = replace(described(), warnings=("a label is left out", "worded by an earlier version"))
    assert with_estimated_mpp(told, (0.42, 0.35, 0.5)).warnings[:-1] == ("a label is left out",)
    misleading = tuple(warning.text for warning in about_mpp(None, "missing", None))
    for x, y, power in (("0.5", "0.5", "20"), ("0.5", "0.6", "20"), ("0.5", "0.5", "80")):
        info = described(x=x, y=y, power=power)
        assert replace(info, warnings=misleading).trusted is replace(info, warnings=()).trusted is info.trusted


def test_an_estimate_keeps_what_else_is_wrong_and_changes_nothing_else() -> None:
    before = described(x="352", y="352", power="20")
    info = with_estimated_mpp(before, (0.42, 0.35, 0.5))
    assert info.warnings == (*before.warnings, "mpp is estimated from pixels: 0.42 µm/px (0.35–0.5)")
    changed = ("mpp", "mpp_x", "mpp_y", "mpp_source", "warnings")
    assert {k: v for k, v in info.as_dict().items() if k not in changed} == {
        k: v for k, v in before.as_dict().items() if k not in changed
    }
