"""Slides as they come from the field: glass of any colour, holes, black fill, and slides that are no brightfield."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.runs import MPP, configured, draw, job
from wsi_scale.artifacts.record import read_record
from wsi_scale.artifacts.tiles import read_tiles
from wsi_scale.config.settings import TileSettings
from wsi_scale.slides import Thumbnail, open_slide, read_thumbnail, tissue_mask
from wsi_scale.slides.views import is_brightfield
from wsi_scale.stages.inspect import inspect
from wsi_scale.stages.tile import tile
from wsi_scale.synthesis import write_pyramid

Picture = NDArray[np.uint8]

#: Glass in new and in old mounts, under cool and warm lamps, well and badly exposed.
GLASS = {
    "white": (241, 240, 242), "beige": (228, 214, 182), "amber": (235, 205, 120), "bluish": (188, 200, 214),
    "greenish": (190, 215, 185), "pinkish": (225, 200, 215), "grey": (150, 150, 150), "dim": (84, 82, 85),
}  # fmt: skip


def scanned(glass: tuple[int, int, int]) -> Picture:
    """One tile of tissue (two by two tiles of 64 px) in the middle of much glass."""
    image = np.array(glass) + np.random.default_rng(5).normal(0, 1.2, (640, 640, 3))
    image[256:384, 256:384] = np.array(glass) * (draw(3.0, 128, 128) / 242)
    return np.clip(image, 0, 255).astype(np.uint8)


def tiles_of(path: Path, folder: Path, *assignments: str) -> set[tuple[int, int]]:
    this = job(path, folder, MPP)
    inspect(this)
    record = tile(this, TileSettings.of(configured("tiling.tile_px=64", "tiling.min_tissue=0.5", *assignments)))
    assert record.status in ("ok", "empty"), record.reason
    table = read_tiles(folder)[0]
    return set(zip(table.row.tolist(), table.col.tolist(), strict=True))


@pytest.mark.parametrize("colour", GLASS)
def test_tiles_lie_on_the_tissue_whatever_the_colour_of_the_glass(tmp_path: Path, colour: str) -> None:
    write_pyramid(tmp_path / "slide.tiff", scanned(GLASS[colour]), MPP)
    assert tiles_of(tmp_path / "slide.tiff", tmp_path / "out") == {(4, 4), (4, 5), (5, 4), (5, 5)}
    with open_slide(tmp_path / "slide.tiff") as slide:
        assert is_brightfield(slide)


def test_a_slide_in_black_fill_is_brightfield(tmp_path: Path) -> None:
    image = np.zeros((800, 900, 3), np.uint8)
    image[80:720, 130:770] = scanned(GLASS["beige"])
    Image.fromarray(image).save(tmp_path / "filled.png")
    with open_slide(tmp_path / "filled.png") as slide:
        assert is_brightfield(slide)


def fluorescence(path: Path) -> Path:
    signal = 255 - draw(3.0, 400, 400).astype(float)
    rows, columns = np.mgrid[:400, :400]
    signal *= np.clip((150 - np.hypot(rows - 200, columns - 200)) / 20, 0, 1)[..., None]
    noise = np.random.default_rng(0).normal(0, 1.5, signal.shape)
    Image.fromarray(np.clip(8 + signal * (0.1, 0.15, 0.9) + noise, 0, 255).astype(np.uint8)).save(path)
    return path


def test_brightfield_only_stops_at_fluorescence_and_says_so(tmp_path: Path) -> None:
    slide, folder = fluorescence(tmp_path / "dapi.png"), tmp_path / "out"
    assert tiles_of(slide, folder)
    assert tiles_of(slide, folder, "slides.brightfield_only=true") == set()
    record = read_record(folder, "tile")
    assert record is not None
    assert (record.status, record.reason) == (
        "empty", "dark background: no brightfield tissue (slides.brightfield_only)",
    )  # fmt: skip
    assert tiles_of(slide, folder, "slides.brightfield_only=true") == set()
    assert read_record(folder, "tile") == record


def test_brightfield_only_changes_nothing_for_dim_brightfield(tmp_path: Path) -> None:
    write_pyramid(tmp_path / "dim.tiff", scanned(GLASS["dim"]), MPP)
    assert tiles_of(tmp_path / "dim.tiff", tmp_path / "out", "slides.brightfield_only=true")


#: What each channel keeps of its light where a slide is lit another way.
LIGHTS = {
    "beige": (0.95, 0.89, 0.75), "yellow": (0.98, 0.95, 0.55), "bluish": (0.78, 0.83, 0.88),
    "pinkish": (0.92, 0.80, 0.90), "third": (0.34, 0.34, 0.34), "dim and yellow": (0.42, 0.40, 0.30),
}  # fmt: skip


def mask_of(image: Picture) -> NDArray[np.bool_]:
    return tissue_mask(Thumbnail(image, 1.0, 1.0), "auto")


def overlaps(image: Picture) -> dict[str, float]:
    """Intersection over union of a picture's mask and that of the same in another light; two empty ones agree."""
    mask, found = mask_of(image), {}
    for name, gains in LIGHTS.items():
        other = mask_of(np.round(image * np.array(gains)).astype(np.uint8))
        union = np.count_nonzero(mask | other)
        found[name] = np.count_nonzero(mask & other) / union if union else 1.0
    return found


@pytest.mark.data
@pytest.mark.long
@pytest.mark.parametrize(
    "name",
    [
        "CMU-1-Small-Region.svs", "bs11-he_overview-8um.tif", "camelyon-overview_dicom", "kidney-48-5.tif",
        "her2-cish_pyramid.tif", "pasab_plain-strips.tif", "tcga-cr-7395-01a-01-ts1.svs", "trypsin-ihc.ome.tif",
        "lung-he_vips-default-1000umpp.tif", "vessel-he_896umpp.tif", "skin-he_no-mpp.tif",
    ],
)  # fmt: skip
def test_the_light_leaves_the_mask_of_a_real_slide(
    data_root: Path, name: str, record_property: Callable[[str, object], None]
) -> None:
    with open_slide(data_root / "slides" / name) as slide:
        found = overlaps(read_thumbnail(slide, 512).image)
    record_property("cases", len(found))
    assert min(found.values()) >= 0.9, found


@pytest.mark.data
@pytest.mark.long
@pytest.mark.parametrize("number", range(8))
@pytest.mark.parametrize("around", ["tissue", "glass"])
def test_the_light_leaves_the_mask_of_real_tissue(
    data_root: Path, number: int, around: str, record_property: Callable[[str, object], None]
) -> None:
    """A field full of tissue, and the same shrunk onto glass."""
    path = sorted((data_root / "tissue").glob("*.jpg"))[20 * number]
    field = Image.open(path).convert("RGB").crop((0, 0, 512, 512))
    if around == "glass":
        glass = np.full((512, 600, 3), 242.0) + np.random.default_rng(0).normal(0, 1.2, (512, 600, 3))
        glass[150:350, 200:400] = np.asarray(field.resize((200, 200), Image.Resampling.BOX))
        found = overlaps(np.clip(glass, 0, 255).astype(np.uint8))
    else:
        found = overlaps(np.asarray(field))
    record_property("cases", len(found))
    assert min(found.values()) >= 0.9, (path.name, found)
