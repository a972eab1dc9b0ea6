"""A slide of which places cannot be decoded: no answer there, every other answer as without it, up to a share."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from tests.damaged import Wound, cut, damage, strewn, wiped
from tests.runs import MPP, configured, draw, error_line, job, stamps, wsi_scale
from wsi_scale.artifacts.features import read_features
from wsi_scale.artifacts.scale_map import read_scale_map
from wsi_scale.artifacts.tiles import read_tiles
from wsi_scale.config.settings import CalibrateSettings, SearchSettings, TileSettings
from wsi_scale.results.scale_map import Reason, ScaleMap
from wsi_scale.slides import open_slide
from wsi_scale.stages.calibrate import calibrate
from wsi_scale.stages.inspect import inspect
from wsi_scale.stages.search import search
from wsi_scale.stages.tile import tile

#: Side of a tile, level-0 pixels, in the runs of this file.
TILE_PX = 112
#: Files that every run writes.
REWRITTEN = {
    "report.html",
    "runs.json",
    "slide.json",
    "inspect.json",
    "predict.json",
    "tile.json",
    "search.json",
    "extract.json",
    ".lock",
}
SETTINGS = (f"tiling.tile_px={TILE_PX}", "tissue.method=none")


def write_ome(path: Path, image: NDArray[np.uint8], compression: str) -> None:
    """Write a pyramid in SubIFDs, which tifffile reads."""
    with tifffile.TiffWriter(path, ome=True) as writer:
        described = {"axes": "YXS", "PhysicalSizeX": MPP, "PhysicalSizeY": MPP}
        options: dict[str, Any] = {"tile": (128, 128), "photometric": "rgb", "compression": compression}
        writer.write(image, subifds=1, metadata=described, **options)
        writer.write(np.asarray(Image.fromarray(image).reduce(2)), subfiletype=1, **options)


def write_plain(path: Path, image: NDArray[np.uint8], compression: str, levels: int = 2) -> None:
    """Write a pyramid that OpenSlide reads."""
    with tifffile.TiffWriter(path) as writer:
        for level in range(levels):
            per_cm = 1e4 / (MPP * 2**level)
            writer.write(
                np.asarray(Image.fromarray(image).reduce(2**level)), tile=(128, 128), photometric="rgb",
                compression=compression, resolution=(per_cm, per_cm), resolutionunit="CENTIMETER",
                subfiletype=1 if level else 0, metadata=None,
            )  # fmt: skip


def searched(slide: Path, folder: Path, *more: str) -> tuple[str, str, ScaleMap | None]:
    """Search a slide; returns the status and reason, and the map where there is one."""
    config = configured(*SETTINGS, *more)
    this = job(slide, folder)
    inspect(this)
    tile(this, TileSettings.of(config))
    record = search(this, SearchSettings.of(config), calibrate(CalibrateSettings.of(config)))
    return record.status, record.reason, read_scale_map(folder)[0] if record.status == "ok" else None


def touched(box: tuple[int, int, int, int], rows: int, cols: int, margin: int = 0) -> NDArray[np.bool_]:
    """Which tiles a box of level 0 overlaps by more than a margin."""
    x, y, width, height = box
    row, col = np.indices((rows, cols)) * TILE_PX
    across = (col < x + width - margin) & (col + TILE_PX > x + margin)
    return across & (row < y + height - margin) & (row + TILE_PX > y + margin)


@pytest.mark.parametrize(
    ("write", "compression", "wound"),
    [
        (write_plain, "jpeg", strewn),
        (write_plain, "zlib", wiped),
        (write_plain, "zlib", cut),
        (write_ome, "jpeg", cut),
        (write_ome, "zlib", cut),
    ],
    ids=["openslide-jpeg", "openslide-deflate", "openslide-deflate-cut", "tifffile-jpeg", "tifffile-deflate"],
)
def test_one_bad_tile_has_no_answer_and_costs_no_other_its_own(
    tmp_path: Path, own_cache: Path, write: Callable[..., None], compression: str, wound: Wound
) -> None:
    slide = tmp_path / ("s.ome.tif" if write is write_ome else "s.tif")
    write(slide, draw(3.0, 400, 520), compression)
    _, _, sound = searched(slide, tmp_path / "sound")
    box = damage(slide, tile=6, wound=wound)

    status, reason, found = searched(slide, tmp_path / "damaged", "slides.unreadable_share=0.5")

    assert sound is not None
    assert found is not None
    unreadable = found.reason == Reason.UNREADABLE
    assert unreadable[touched(box, 3, 4)].all()
    assert not unreadable[~touched(box, 3, 4, margin=-4)].any()
    assert (status, reason) == ("ok", f"{unreadable.sum()} of 12 tiles cannot be read")
    np.testing.assert_array_equal(found.image[:2, ~unreadable], sound.image[:2, ~unreadable])
    assert np.isnan(found.image[:2, unreadable]).all()
    for layer, curve in found.curves.items():
        np.testing.assert_array_equal(curve[~unreadable], sound.curves[layer][~unreadable])
        assert np.isnan(curve[unreadable]).all()


@pytest.mark.parametrize("compression", ["jpeg", "aperio_jp2000_rgb"])
def test_half_a_tile_of_an_aperio_slide_is_neither_answered_nor_glass(
    tmp_path: Path, own_cache: Path, compression: str
) -> None:
    slide = tmp_path / "s.svs"
    described = f"Aperio Image Library v11.2.1 \r\n520x400 [0,0 520x400] (128x128)|AppMag = 20|MPP = {MPP}"
    options: dict[str, Any] = {"photometric": "rgb", "metadata": None, "software": False, "description": described}
    tifffile.imwrite(slide, draw(3.0, 400, 520), tile=(128, 128), compression=compression, **options)
    box = damage(slide, tile=6, wound=cut)

    more = ("tissue.method=auto", "slides.unreadable_share=0.5")
    status, _, found = searched(slide, tmp_path / "out", *more)

    with open_slide(slide) as opened:
        assert opened.vendor == "aperio"
    assert status == "ok"
    assert found is not None
    inside = touched(box, 3, 4)
    assert (found.reason[inside] == Reason.UNREADABLE).all()
    assert np.isnan(found.image[:2, inside]).all()
    assert np.isfinite(found.image[:2, ~touched(box, 3, 4, margin=-4)]).any()


@pytest.mark.parametrize("level", [pytest.param(0, marks=pytest.mark.long), 1, pytest.param(2, marks=pytest.mark.long)])
def test_a_bad_tile_of_one_level_costs_what_is_read_from_it(tmp_path: Path, own_cache: Path, level: int) -> None:
    write_plain(tmp_path / "s.tif", draw(3.0, 800, 800), "zlib", levels=3)
    box = damage(tmp_path / "s.tif", level=level, tile=0)

    _, _, found = searched(tmp_path / "s.tif", tmp_path / "out", "slides.unreadable_share=0.9")

    assert found is not None
    unreadable = found.reason == Reason.UNREADABLE
    x, y, width, height = (side << level for side in box)
    assert unreadable[touched((x, y, width, height), 7, 7)].all()
    assert not unreadable[~touched((x, y, width, height), 7, 7, margin=-8)].any()


def test_more_than_the_share_fails_and_names_the_first_place(tmp_path: Path, own_cache: Path) -> None:
    write_plain(tmp_path / "s.tif", draw(3.0, 400, 520), "jpeg")
    damage(tmp_path / "s.tif", tile=6)

    # The thumbnail of 256 px is read from level 1, so that only the search meets the place.
    status, reason, _ = searched(tmp_path / "s.tif", tmp_path / "out", "tissue.thumbnail_px=256")

    assert status == "failed"
    assert re.fullmatch(
        r"s\.tif: 1 of the first 6 tiles cannot be read, more than slides\.unreadable_share=0\.01 of 12 allows; "
        r"the first at x=112 y=112 of level 0: level 0 cannot be decoded at x=\d+ y=\d+ \(.+\); "
        "the file is damaged, copy or export it again",
        reason,
    ), reason


def test_a_slide_of_one_level_takes_what_cannot_be_seen_for_no_glass(tmp_path: Path, own_cache: Path) -> None:
    image = np.full((560, 1120, 3), 243, np.uint8)
    image[:, :560] = draw(3.0, 560, 560)
    write_plain(tmp_path / "s.tif", image, "zlib", levels=1)
    boxes = [damage(tmp_path / "s.tif", tile=place) for place in (10, 15)]  # in the tissue, and on the glass

    more = ("tissue.method=auto", "slides.unreadable_share=0.2")
    status, reason, found = searched(tmp_path / "s.tif", tmp_path / "out", *more)

    assert found is not None
    unreadable = found.reason == Reason.UNREADABLE
    tiles, _ = read_tiles(tmp_path / "out")
    has_tile = np.zeros(unreadable.shape, np.bool_)
    has_tile[tiles.row, tiles.col] = True
    in_tissue, on_glass = (touched(box, 5, 10, margin=40) for box in boxes)
    assert (unreadable & has_tile)[in_tissue].all()
    assert (unreadable & ~has_tile)[on_glass].all()
    assert (found.reason[:, 9:] == Reason.GLASS).all()
    beside = (unreadable & ~has_tile).sum()
    assert status == "ok"
    assert reason == (
        f"{(unreadable & has_tile).sum()} of {has_tile.sum()} tiles and {beside} "
        f"place{'s' if beside > 1 else ''} without a tile cannot be read"
    )


def test_a_slide_that_can_hardly_be_seen_is_not_called_empty(tmp_path: Path, own_cache: Path) -> None:
    image = np.full((512, 512, 3), 243, np.uint8)
    image[128:256, 128:256] = draw(3.0, 128, 128)
    write_plain(tmp_path / "s.tif", image, "zlib", levels=1)
    damage(tmp_path / "s.tif", tile=5)

    for share, status, words in (
        (0.01, "failed", r"more of the slide cannot be read than slides.unreadable_share=0.01 allows; the first place: "
         r"level 0 cannot be decoded at x=128 y=128"),
        (0.2, "empty", r"no tissue found \(6\.25% of the slide cannot be read\)"),
    ):  # fmt: skip
        config = configured(f"slides.unreadable_share={share}", f"tiling.tile_px={TILE_PX}")
        for _ in range(2):  # a second call says the same
            this = job(tmp_path / "s.tif", tmp_path / str(share))
            inspect(this)
            record = tile(this, TileSettings.of(config))
            assert record.status == status
            assert re.search(words, record.reason), record.reason


def test_a_run_says_what_it_left_out_and_a_second_one_does_nothing_anew(
    small_slide: Path, finished: Path, tmp_path: Path
) -> None:
    slide = Path(shutil.copy(small_slide, tmp_path / "small.tiff"))
    damage(slide, tile=8)
    command = ("run", slide, "-o", tmp_path / "out", "--set", "slides.unreadable_share=0.4")

    first = wsi_scale(*command)
    before = stamps(tmp_path / "out")
    second = wsi_scale(*command)

    sound, found = read_scale_map(finished)[0], read_scale_map(tmp_path / "out")[0]
    unreadable = found.reason == Reason.UNREADABLE
    note = f"{unreadable.sum()} of 20 tiles cannot be read"
    assert first.exit_code == 0
    assert first.stdout == second.stdout
    assert first.stdout.splitlines()[0] == f"small: ok ({note})"
    assert {name for name, stamp in stamps(tmp_path / "out").items() if before[name] != stamp} <= REWRITTEN
    assert 0 < unreadable.sum() < 6
    np.testing.assert_array_equal(found.image[:2, ~unreadable], sound.image[:2, ~unreadable])
    features, whole = read_features(tmp_path / "out"), read_features(finished)
    lost = unreadable[tuple(np.indices((4, 5)).reshape(2, -1))]
    assert np.isnan(features.features[lost, 0]).all()
    assert np.isnan(features.features_optimal[lost]).all()
    for values, expected in ((features.features, whole.features), (features.features_optimal, whole.features_optimal)):
        answered = np.isfinite(values)
        np.testing.assert_array_equal(values[answered], expected[answered])
    assert np.isfinite(features.features[~lost, 0]).all()
    assert features.attributes["unreadable_tiles"] == lost.sum()
    assert note in (tmp_path / "out" / "report.html").read_text()
    classes = [tile["properties"].get("classification", {}).get("name") for tile in geojson(tmp_path / "out")]
    assert classes.count("unreadable") == lost.sum()


def test_a_folder_names_the_slide_with_bad_tiles_and_goes_on(small_slide: Path, tmp_path: Path) -> None:
    slide = Path(shutil.copy(small_slide, tmp_path / "bad.tiff"))
    damage(slide, tile=8)

    line = error_line(wsi_scale("run", slide, "-o", tmp_path / "out"))

    assert "more of the slide cannot be read than slides.unreadable_share=0.01 allows; the first place: level 0" in line
    assert (tmp_path / "out" / "report.html").exists()


def geojson(folder: Path) -> list[dict[str, Any]]:
    return json.loads((folder / "tiles.geojson").read_text())["features"]  # type: ignore[no-any-return]
