"""Exports are read back by the libraries that they are for, with the values of the results."""

import sys
import time
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import anndata
import h5py
import numpy as np
import pytest
from PIL import Image

from tests.many_tiles import ten_thousand
from tests.runs import error_line, finished, own_cache, shared, small_slide, wsi_scale
from wsi_scale.artifacts.features import read_features
from wsi_scale.artifacts.scale_map import read_scale_map
from wsi_scale.artifacts.tiles import read_tiles
from wsi_scale.artifacts.trident_file import write_trident
from wsi_scale.jobs.cohort import job_in
from wsi_scale.jobs.current import current_features, current_map, current_tiles
from wsi_scale.results.features import TileFeatures

__all__ = ["finished", "own_cache", "shared", "small_slide"]


def loaded(folder: Path) -> TileFeatures:
    job = job_in(folder)
    return current_features(job, current_tiles(job), current_map(job))


def test_anndata_opens_what_is_exported(finished: Path, tmp_path: Path) -> None:
    result = wsi_scale("export", finished, "--anndata", tmp_path / "small.h5ad")

    assert result.exit_code == 0, result.output
    content = anndata.read_h5ad(tmp_path / "small.h5ad")
    tiles, _ = read_tiles(finished)
    found = read_features(finished)
    np.testing.assert_array_equal(content.X, found.features[:, 0])
    np.testing.assert_array_equal(content.obsm["X_2"], found.features[:, 2])
    np.testing.assert_array_equal(content.obsm["X_optimal"], found.features_optimal)
    np.testing.assert_array_equal(content.obs[["x", "y"]], np.stack([tiles.x, tiles.y], axis=1))
    np.testing.assert_array_equal(content.obsm["spatial"], np.stack([tiles.x + 112, tiles.y + 112], axis=1))
    optimal = read_scale_map(finished)[0].image[0, tiles.row, tiles.col]
    np.testing.assert_array_equal(content.obs["optimal_mpp"], optimal)
    np.testing.assert_array_equal(content.obs["reason"] == "answered", np.isfinite(optimal))
    assert content.obs_names[6] == "1_1"
    assert content.uns["wsi_scale"]["layer"] == found.attributes["layer"]
    picture = content.uns["spatial"]["small"]
    assert picture["images"]["hires"].shape == (1000, 1300, 3)
    assert picture["scalefactors"] == {"tissue_hires_scalef": 1.0, "spot_diameter_fullres": 224.0}


def read_as_documented(path: Path) -> tuple[np.ndarray, np.ndarray, dict[str, object], str]:
    """Read an HDF5 file of features as the documentation of TRIDENT describes it."""
    with h5py.File(path, "r") as file:
        assert set(file) == {"coords", "features"}
        features, coords, said = file["features"][:], file["coords"][:], dict(file["coords"].attrs)
        assert (features.ndim, features.dtype) == (2, np.float32)
        assert coords.shape == (len(features), 2)
        assert coords.dtype == np.int64
        assert file["features"].attrs["name"] == said["name"]
        return features, coords, said, file["features"].attrs["encoder"]


def test_mil_programs_read_features_and_level_0_corners(finished: Path, tmp_path: Path) -> None:
    assert wsi_scale("export", finished, "--h5", tmp_path / "small.h5").exit_code == 0
    features, coords, said, encoder = read_as_documented(tmp_path / "small.h5")
    tiles, _ = read_tiles(finished)
    np.testing.assert_array_equal(features, read_features(finished).features[:, 0])
    np.testing.assert_array_equal(coords, np.stack([tiles.x, tiles.y], axis=1))
    expected = {
        "patch_size": 224, "patch_size_level0": 224, "overlap": 0, "level0_magnification": 20,
        "target_magnification": 20, "level0_width": 1300, "level0_height": 1000, "name": "small",
    }  # fmt: skip
    assert {key: said[key] for key in expected} == expected
    assert encoder.startswith("embedded:")


def test_corners_are_those_of_the_fields_that_wider_features_show(finished: Path, tmp_path: Path) -> None:
    result = wsi_scale("export", finished, "--h5", tmp_path / "wide.h5", "--features-mpp", "2")
    assert result.exit_code == 0, result.output
    features, coords, said, _ = read_as_documented(tmp_path / "wide.h5")
    tiles, _ = read_tiles(finished)
    np.testing.assert_array_equal(features, read_features(finished).features[:, 2])
    # 224 px at 2 µm/px are 896 px of level 0 about the same centre, and three quarters of it overlap.
    np.testing.assert_array_equal(coords + 448, np.stack([tiles.x + 112, tiles.y + 112], axis=1))
    assert (said["patch_size_level0"], said["target_magnification"], said["overlap"]) == (896, 5, 168)


def test_tiles_without_features_are_left_out_and_told(finished: Path, tmp_path: Path) -> None:
    whole = loaded(finished)
    features = whole.features.copy()
    features[3, 0] = np.nan
    left_out = write_trident(tmp_path / "a.h5", replace(whole, features=features), "small")
    assert left_out == 1
    rest, coords, *_ = read_as_documented(tmp_path / "a.h5")
    assert len(rest) == len(whole) - 1
    assert [whole.tiles.x[3], whole.tiles.y[3]] not in coords.tolist()


def test_the_file_says_which_region_each_tile_is_of(finished: Path, tmp_path: Path) -> None:
    whole = loaded(finished)
    names = np.array([f"region µ{row % 3}" for row in whole.tiles.row])
    tiles = replace(whole.tiles, region=names, region_class=np.full(len(names), "Tumor"))
    features = whole.features.copy()
    features[0, 0] = np.nan
    write_trident(tmp_path / "a.h5", replace(whole, features=features, tiles=tiles), "small")
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["region"].asstr()[:].tolist() == names[1:].tolist()
        assert set(file["region_class"].asstr()) == {"Tumor"}


def test_all_slides_of_a_study_are_exported_and_a_bad_one_costs_no_other(finished: Path, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        copytree(finished, tmp_path / "results" / "slides" / name)
        info = tmp_path / "results" / "slides" / name / "slide.json"
        info.write_text(info.read_text().replace('"small"', f'"{name}"'))
    (tmp_path / "results" / "slides" / "b" / "tiles.parquet").write_bytes(b"damaged")

    result = wsi_scale("export", tmp_path / "results", "--h5", tmp_path / "h5_files", "--anndata", tmp_path / "ad")

    assert "not exported: b: " in error_line(result)
    assert sorted(path.name for path in (tmp_path / "h5_files").iterdir()) == ["a.h5", "c.h5"]
    assert sorted(path.name for path in (tmp_path / "ad").iterdir()) == ["a.h5ad", "c.h5ad"]


def test_a_folder_for_one_slide_gets_a_file_named_after_it(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "there.d").mkdir()
    for folder in (tmp_path / "new", tmp_path / "there.d"):
        assert wsi_scale("export", finished, "--h5", folder).stdout == f"wrote {folder / 'small.h5'}\n"
    again = wsi_scale("export", finished, "--h5", tmp_path / "new")
    assert again.stdout == f"replaced {tmp_path / 'new' / 'small.h5'}\n"
    line = error_line(wsi_scale("export", finished, "--h5", tmp_path / "a.csv"))
    assert line.endswith("a.csv: name a file that ends in .h5 or .hdf5, or a folder")


def test_many_slides_are_not_written_into_a_folder_named_as_a_file(finished: Path, tmp_path: Path) -> None:
    copytree(finished, tmp_path / "results" / "small")
    line = error_line(wsi_scale("export", tmp_path / "results", "--h5", tmp_path / "all.h5"))
    assert line.endswith(
        f"{tmp_path / 'results'} holds results of 1 slide; name a folder, which gets one file for each"
    )


@pytest.mark.parametrize("kind", ["h5", "anndata", "spatialdata"])
def test_two_runs_of_one_slide_are_refused_before_anything_is_written(
    finished: Path, tmp_path: Path, kind: str
) -> None:
    for name in ("first", "own-mpp"):
        copytree(finished, tmp_path / "results" / name)

    line = error_line(wsi_scale("export", tmp_path / "results", f"--{kind}", tmp_path / "training"))

    results = tmp_path / "results"
    assert line.startswith(f"error: {results / 'first'} and {results / 'own-mpp'} both hold results of a slide 'small'")
    assert "--slide-id" in line
    assert not (tmp_path / "training").exists()


def test_a_slide_that_failed_is_named_once(finished: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    copytree(finished, results / "small")
    Image.fromarray(np.full((300, 300, 3), 240, np.uint8)).save(tmp_path / "study.png")
    wsi_scale("run", tmp_path / "study.png", "-o", results / "y")

    line = error_line(wsi_scale("export", results, "--h5", tmp_path / "h5_files"))

    told = (
        f"error: not exported: {results / 'y'}: there is no features.zarr, because the slide has failed: the slide has"
    )
    assert line.startswith(told)
    assert "study" not in line.removeprefix(told)
    assert (tmp_path / "h5_files" / "small.h5").exists()


def test_without_h5py_it_says_what_to_install(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    line = error_line(wsi_scale("export", finished, "--h5", tmp_path / "a.h5"))
    assert "pip install 'wsi-scale[h5]'" in line


@pytest.mark.parametrize("kind", ["h5", "anndata"])
def test_ten_thousand_tiles_take_seconds(finished: Path, tmp_path: Path, kind: str) -> None:
    many = ten_thousand(loaded(finished))
    begin = time.monotonic()
    if kind == "h5":
        write_trident(tmp_path / "many.h5", many, "many")
    else:
        many.to_anndata().write_h5ad(tmp_path / "many.h5ad")
    assert time.monotonic() - begin < 10
