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
    assert [(kind, said["name"]) for _, said, kind in layers] == [
        ("image", "small"),
        ("image", "optimal mpp, µm/px – small"),
        ("image", "confidence – small"),
        ("image", "dominant radius, µm – small"),
        ("points", "tiles – small"),
    ]
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


def test_regions_are_outlined_with_their_names(finished_copy: Path) -> None:
    ring = np.array([[100.0, 200.0], [700.0, 200.0], [700.0, 800.0]])
    write_regions(finished_copy, [Region("core A", "Tumor", ((ring,),))])
    for stage in ("tile", "search"):
        before = read_record(finished_copy, stage)
        assert before is not None
        recorded(finished_copy, stage, print_=before.fingerprint)

    (outlines, said) = next((data, said) for data, said, kind in layers_of(finished_copy) if kind == "shapes")

    np.testing.assert_allclose(outlines[0], ring[:, ::-1] * 0.5)
    assert said["features"] == {"region": ["core A"], "region_class": ["Tumor"]}


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


def test_a_scale_map_alone_is_opened(finished: Path) -> None:
    names = [said["name"] for _, said, _ in layers_of(finished / "scale.ome.zarr")]
    assert names == ["optimal mpp, µm/px – finished", "confidence – finished", "dominant radius, µm – finished"]


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
