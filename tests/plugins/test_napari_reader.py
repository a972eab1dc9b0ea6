"""What napari is given of a slide's results; `make test-interop` opens it in napari itself."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.runs import finished, finished_copy, own_cache, recorded, shared, small_slide
from wsi_scale.artifacts.record import read_record
from wsi_scale.artifacts.regions import write_regions
from wsi_scale.artifacts.scale_map import read_scale_map
from wsi_scale.artifacts.tiles import read_tiles
from wsi_scale.errors import ArtifactError
from wsi_scale.plugins import napari_reader
from wsi_scale.plugins.napari_reader import Layer, get_reader
from wsi_scale.report.colors import LEAST_CONFIDENCE
from wsi_scale.results.regions import Region
from wsi_scale.slides import open_slide

__all__ = ["finished", "finished_copy", "own_cache", "shared", "small_slide"]


def layers_of(path: Path) -> list[Layer]:
    reader = get_reader(str(path))
    assert reader is not None
    return reader(str(path))


def test_slide_map_and_tiles_are_placed_in_micrometres(finished: Path) -> None:
    layers = layers_of(finished)
    assert [(kind, said["name"].partition(" 0")[0]) for _, said, kind in layers if "radius" not in said["name"]] == [
        ("image", "small"), ("image", "optimal mpp"), ("image", "confidence"), ("points", "tiles – small"),
    ]  # fmt: skip
    (levels, slide, _), (values, mapped, _), *_, (centers, tiled, _) = layers
    # The slide's corner is at 0: its first pixel, of 0.5 µm, has its centre at 0.25.
    assert (slide["scale"], slide["translate"], slide["multiscale"]) == ((0.5, 0.5), (0.25, 0.25), True)
    assert levels[0].shape == (1000, 1300, 3)
    tiles, _ = read_tiles(finished)
    places = np.stack([tiles.row, tiles.col], axis=1) * mapped["scale"] + mapped["translate"]
    np.testing.assert_allclose(places, centers)
    np.testing.assert_allclose(centers, np.stack([tiles.y, tiles.x], axis=1) * 0.5 + 56)
    assert tiled["size"] == 112
    assert all(said["units"] == ("um", "um") for _, said, _ in layers)
    scale_map, _ = read_scale_map(finished)
    sure = scale_map.confidence >= LEAST_CONFIDENCE
    np.testing.assert_array_equal(values, np.where(sure, scale_map.optimal_mpp, np.nan))
    np.testing.assert_array_equal(tiled["features"]["confidence"], scale_map.confidence[tiles.row, tiles.col])


def test_the_name_of_a_layer_tells_the_ends_of_its_colours(finished: Path) -> None:
    scale_map, _ = read_scale_map(finished)
    sure = scale_map.confidence >= LEAST_CONFIDENCE
    ends = [np.nanpercentile(np.where(sure, scale_map.channel(label), np.nan), (2, 98))
            for label in ("optimal_mpp", "dominant_radius_um")]  # fmt: skip
    (mpp_low, mpp_high), (radius_low, radius_high) = ends

    for layers in (layers_of(finished)[1:4], layers_of(finished / "scale.ome.zarr")):
        optimal, confidence, radius = (said for _, said, _ in layers)
        assert optimal["name"] == f"optimal mpp {mpp_low:.3g}–{mpp_high:.3g} µm/px"
        assert optimal["contrast_limits"] == pytest.approx((mpp_low, mpp_high))
        assert confidence["name"] == "confidence 0–1"
        assert radius["name"] == f"dominant radius {radius_low:.3g}–{radius_high:.3g} µm"
        assert radius["metadata"]["slide"] in ("small", "finished")


def test_regions_are_outlined_with_their_names_on_the_map(finished_copy: Path) -> None:
    ring = np.array([[100.0, 200.0], [700.0, 200.0], [700.0, 800.0]])
    write_regions(finished_copy, [Region("core A", "Tumor", ((ring,),))])
    for stage in ("tile", "search"):
        before = read_record(finished_copy, stage)
        assert before is not None
        recorded(finished_copy, stage, print_=before.fingerprint)

    layers = layers_of(finished_copy)
    assert [kind for *_, kind in layers] == ["image"] * 4 + ["shapes", "points"]
    (outlines, said, _) = layers[4]
    np.testing.assert_allclose(outlines[0], ring[:, ::-1] * 0.5)
    assert said["features"] == {"region": ["core A"], "region_class": ["Tumor"]}
    # A part of the slide's 500 µm: its name lies within the slide, and within the region.
    assert said["text"]["translation"] == pytest.approx((500 / 25, 650 / 400))


def test_the_slide_is_read_only_where_it_is_shown(finished: Path, small_slide: Path) -> None:
    level = layers_of(finished)[0][0][0]
    with open_slide(small_slide) as slide:
        expected = slide.read(0, 1000, 950, 200, 40)
    np.testing.assert_array_equal(np.asarray(level[950:990, 1000:1200]), expected)


@pytest.mark.parametrize("fate", ["gone", "another"])
def test_without_its_slide_the_thumbnail_lies_in_its_place(finished_copy: Path, tmp_path: Path, fate: str) -> None:
    place = tmp_path / "gone.tiff"
    if fate == "another":
        from PIL import Image

        Image.new("RGB", (60, 40)).save(place, "PNG")
    info = json.loads((finished_copy / "slide.json").read_text())
    # As it would have been written, had the slide lain there.
    changed = (finished_copy / "slide.json").read_text().replace(json.dumps(info["path"]), json.dumps(str(place)))
    (finished_copy / "slide.json").write_text(changed)
    before = read_record(finished_copy, "inspect")
    assert before is not None
    recorded(finished_copy, "inspect", print_=before.fingerprint)

    picture, said, _ = layers_of(finished_copy)[0]
    assert said["name"] == "small (thumbnail)"
    assert picture.shape == (1000, 1300, 3)
    assert (said["scale"], said["translate"]) == ((0.5, 0.5), (0.25, 0.25))


def test_only_results_of_this_program_are_claimed(finished: Path, small_slide: Path, tmp_path: Path) -> None:
    (tmp_path / "slide.json").write_text("{}")
    for path in (small_slide, finished.parent, finished / "features.zarr", finished / "report.html", tmp_path):
        assert get_reader(str(path)) is None
    (tmp_path / "scale.ome.zarr").mkdir()
    assert get_reader(str(tmp_path / "scale.ome.zarr")) is None
    assert get_reader([str(finished), str(finished)]) is None
    assert get_reader(finished / "slide.json") is not None


def test_damaged_results_are_told_in_one_line(finished_copy: Path) -> None:
    (finished_copy / "tiles.parquet").write_bytes(b"damaged")
    with pytest.raises(ArtifactError, match="run `wsi-scale tile` again"):
        layers_of(finished_copy)


def test_the_manifest_names_the_reader() -> None:
    manifest = yaml.safe_load((Path(napari_reader.__file__).parent / "napari.yaml").read_text())
    (command,) = manifest["contributions"]["commands"]
    assert command["python_name"] == f"{get_reader.__module__}:{get_reader.__name__}"
    (reader,) = manifest["contributions"]["readers"]
    assert reader["command"] == command["id"]
    assert os.fspath(reader["filename_patterns"][0]) == "slide.json"
