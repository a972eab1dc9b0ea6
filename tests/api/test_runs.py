"""A slide through all stages from Python: the bytes of the command line, read back whole."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import wsi_scale as ws
from tests.runs import contents


def test_a_run_has_the_bytes_of_the_command_line(small_slide: Path, finished: Path, tmp_path: Path) -> None:
    result = ws.run(small_slide, tmp_path / "out", network="embedded")
    assert (result.status, result.reason) == ("ok", "")
    assert contents(tmp_path / "out") == contents(finished)
    assert result.report == tmp_path / "out" / "report.html"


def test_a_result_holds_what_the_functions_give(small_slide: Path, finished: Path) -> None:
    result = ws.load_result(finished)
    assert result.slide is not None
    assert result.tiles is not None
    assert result.scale_map is not None
    assert result.features is not None
    with ws.open_slide(small_slide) as slide:
        tiles = ws.tile_slide(slide)
        scale_map = ws.search_scale(slide, tiles)
        features = ws.extract_features(slide, tiles, optimal=scale_map)
        assert ws.estimate_mpp(slide) == result.prediction

    assert tiles.to_dataframe().equals(result.tiles.to_dataframe())
    np.testing.assert_array_equal(scale_map.image, result.scale_map.image)
    np.testing.assert_array_equal(scale_map.reason, result.scale_map.reason)
    for layer, curves in scale_map.curves.items():
        np.testing.assert_array_equal(curves, result.scale_map.curves[layer])
    np.testing.assert_array_equal(features.features, result.features.features)
    np.testing.assert_array_equal(features.features_optimal, result.features.features_optimal)
    np.testing.assert_array_equal(features.padded_share, result.features.padded_share)
    assert features.to_xarray().identical(
        result.features.to_xarray().drop_attrs().assign_attrs(features.to_xarray().attrs)
    )


def test_the_tiles_of_a_result_are_those_of_the_slide(small_slide: Path, finished: Path) -> None:
    result = ws.load_result(finished)
    assert result.tiles is not None
    assert result.scale_map is not None
    tiles = ws.tile_slide(small_slide)
    np.testing.assert_array_equal(result.tiles.tissue.mask, tiles.tissue.mask)
    assert result.tiles.thumbnail.shape == tiles.thumbnail.shape
    assert (repr(result.tiles), result.tiles.slide_identity) == (repr(tiles), tiles.slide_identity)
    assert 0.3 <= result.tiles.min_tissue <= tiles.table.tissue_fraction.min()
    scale_map = ws.search_scale(small_slide, result.tiles)
    np.testing.assert_array_equal(scale_map.image, result.scale_map.image)


def test_an_empty_slide_has_tiles_with_the_reason(tmp_path: Path) -> None:
    Image.fromarray(np.full((600, 900, 3), 240, np.uint8)).save(tmp_path / "glass.png")
    result = ws.run(tmp_path / "glass.png", tmp_path / "out", mpp=0.5)
    assert result.status == "empty"
    assert result.tiles is not None
    assert (len(result.tiles), result.tiles.reason) == (0, "no tissue found")
    assert result.scale_map is result.features is None
    assert ws.load_result(tmp_path / "out").reason == result.reason


def test_a_result_shows_itself(finished: Path) -> None:
    result = ws.load_result(finished)
    assert "status='ok'" in repr(result)
    page = result._repr_html_()
    assert "optimal mpp" in page
    assert page.count("<img") == 1


def test_configuration_is_checked_before_anything_runs(small_slide: Path, tmp_path: Path) -> None:
    with pytest.raises(ws.ConfigError, match="did you mean network"):
        ws.run(small_slide, tmp_path / "out", netwerk="embedded")
    with pytest.raises(ws.ConfigError, match=r"tiling\.tile_px"):
        ws.run(small_slide, tmp_path / "out", tiling={"tile_px": 3})
    with pytest.raises(ws.SlideError, match="run needs the path of a slide"):
        ws.run(np.zeros((9, 9, 3), np.uint8), tmp_path / "out")  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("results", "elsewhere", "results has no effect in run: give the folder of the results as output"),
        ("slides", "folder", r"slides\.path has no effect in run: give the slide first"),
        ("slides", {"path": "folder", "mpp": "estimate"}, r"slides\.path has no effect"),
        ("demo", {"seed": 3}, "demo has no effect in run"),
        ("training", {"seed": 3}, "training has no effect in run"),
        ("transfer", {}, "transfer has no effect in run"),
    ],
)
def test_a_key_without_effect_is_refused(small_slide: Path, tmp_path: Path, key: str, value: Any, said: str) -> None:
    with pytest.raises(ws.ConfigError, match=said):
        ws.run(small_slide, tmp_path / "out", **{key: value})
    assert not (tmp_path / "out").exists()


def test_a_failed_slide_is_a_result_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "text.svs").write_text("no slide")
    result = ws.run(tmp_path / "text.svs", tmp_path / "out")
    assert result.status == "failed"
    assert "text.svs" in result.reason
    assert result.slide is result.tiles is result.scale_map is result.features is result.prediction is None


def test_a_folder_of_several_slides_names_some(finished: Path, tmp_path: Path) -> None:
    for slide_id in "abcde":
        (tmp_path / "slides" / slide_id).mkdir(parents=True)
        shutil.copy(finished / "inspect.json", tmp_path / "slides" / slide_id)
    for folder in (tmp_path, tmp_path / "slides"):
        with pytest.raises(ws.ArtifactError) as error:
            ws.load_result(folder)
        ending = f"give the folder of one, {tmp_path}/slides/ID: a, b, c and 2 more"
        assert str(error.value) == f"{folder} holds results of several slides; {ending}"


def test_a_folder_without_results_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ws.ArtifactError, match="holds no results of a slide"):
        ws.load_result(tmp_path)
