"""Stage `extract`: features are those of the fields that the table promises."""

import logging
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.runs import MPP, configured, job, recorded
from wsi_scale.artifacts.features import read_features
from wsi_scale.artifacts.record import read_record
from wsi_scale.artifacts.scale_map import read_scale_map, write_scale_map
from wsi_scale.artifacts.tiles import read_tiles
from wsi_scale.config.settings import ExtractSettings
from wsi_scale.execution.compute import resolve
from wsi_scale.networks.forward import place, pooled_responses
from wsi_scale.networks.load import find_network
from wsi_scale.results.features import Features
from wsi_scale.slides.field import Field, read_field
from wsi_scale.slides.open import open_slide
from wsi_scale.stages.extract import extract

#: Width of the layer that the embedded network is averaged over.
CHANNELS = find_network("embedded").tapped([find_network("embedded").architecture.feature_layer]).layers[0].channels
#: Relative difference that another composition of batches may make in float32.
ROUNDING = 1e-4


@pytest.fixture(scope="module")
def features(finished: Path) -> Features:
    return read_features(finished)


def directly(slide: Path, centre: tuple[float, float], mpp: float) -> np.ndarray:
    """One tile's features without any stage: read, pass, average."""
    compute = resolve(configured().execution)
    source = find_network("embedded")
    layer = source.architecture.feature_layer
    network = place(source.tapped([layer]), compute)
    side = 224 * mpp / MPP
    field = Field(centre[0] - side / 2, centre[1] - side / 2, side, side)
    with open_slide(slide) as opened:
        image = read_field(opened, field, (224, 224))
    return pooled_responses(network, image[None], compute)[layer][0]


@pytest.mark.parametrize("tile", [0, 7, 19])
def test_features_are_the_networks_answers_to_the_field_about_the_tiles_centre(
    small_slide: Path, finished: Path, features: Features, tile: int
) -> None:
    tiles, _ = read_tiles(finished)
    centre = (tiles.x[tile] + 112.0, tiles.y[tile] + 112.0)
    optimal = read_scale_map(finished)[0].image[0, tiles.row[tile], tiles.col[tile]]

    assert features.mpps.tolist() == [0.5, 1.0, 2.0]
    assert features.features.shape == (20, 3, CHANNELS)
    for index, mpp in enumerate(features.mpps):
        expected = directly(small_slide, centre, float(mpp))
        np.testing.assert_allclose(
            features.features[tile, index], expected, rtol=_rounding(), atol=_rounding() * expected.max()
        )
    expected = directly(small_slide, centre, float(optimal))
    np.testing.assert_allclose(
        features.features_optimal[tile], expected, rtol=_rounding(), atol=_rounding() * expected.max()
    )


def _rounding() -> float:
    return ROUNDING if resolve(configured().execution).dtype == "float32" else 2e-2


def test_the_share_outside_the_slide_is_recorded(finished: Path, features: Features) -> None:
    tiles, _ = read_tiles(finished)

    for index, mpp in enumerate(features.mpps):
        side = 224 * mpp / MPP
        inside = np.ones(len(tiles))
        for corner, extent in ((tiles.x, 1300), (tiles.y, 1000)):
            start = corner + 112 - side / 2
            inside *= (np.minimum(start + side, extent) - np.maximum(start, 0)) / side
        np.testing.assert_allclose(features.padded_share[:, index], 1 - inside, atol=1e-6)
    assert (features.padded_share[:, 0] == 0).all()
    assert features.padded_share[:, 2].max() > 0.3


def test_what_lies_beyond_the_slides_detail_is_nan_and_warned_about(
    small_slide: Path, finished_copy: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = configured("features.mpps=[0.25, 0.4, 1.0]", "features.optimal=false")

    with caplog.at_level(logging.WARNING, "wsi_scale"):
        record = extract(job(small_slide, finished_copy), ExtractSettings.of(config))

    found = read_features(finished_copy)
    assert record.status == "ok"
    assert np.isnan(found.features[:, 0]).all()
    assert np.isnan(found.padded_share[:, 0]).all()
    # 0.4 is finer than level 0 by exactly 1.25 times, which is allowed.
    assert np.isfinite(found.features[:, 1:]).all()
    assert np.isnan(found.features_optimal).all()
    (line,) = [r.getMessage() for r in caplog.records if "no features" in r.getMessage()]
    assert line == "small: no features at 0.25 µm/px, level 0 is 0.5"


def test_a_tile_without_an_optimal_mpp_has_no_features_there(small_slide: Path, finished_copy: Path) -> None:
    before = read_features(finished_copy)
    found, print_ = read_scale_map(finished_copy)
    image = found.image.copy()
    image[0, 0, 2] = np.nan
    write_scale_map(finished_copy, replace(found, image=image), print_)
    recorded(finished_copy, "search", print_=print_)
    shutil.rmtree(finished_copy / "features.zarr")

    extract(job(small_slide, finished_copy), ExtractSettings.of(configured()))

    after = read_features(finished_copy)
    assert np.isnan(after.features_optimal[2]).all()
    assert np.isfinite(np.delete(after.features_optimal, 2, axis=0)).all()
    np.testing.assert_array_equal(after.features, before.features)


def test_fixed_magnifications_alone_need_no_search(small_slide: Path, finished_copy: Path) -> None:
    shutil.rmtree(finished_copy / "scale.ome.zarr")
    (finished_copy / "search.json").unlink()

    record = extract(
        job(small_slide, finished_copy), ExtractSettings.of(configured("features.optimal=false", "features.mpps=[0.5]"))
    )

    assert record == read_record(finished_copy, "extract")
    assert record.status == "ok"
    assert read_features(finished_copy).features.shape == (20, 1, CHANNELS)


def test_a_map_of_another_slide_is_told_apart(small_slide: Path, finished_copy: Path) -> None:
    found, _ = read_scale_map(finished_copy)
    write_scale_map(finished_copy, found, "0123456789abcdef0123456789abcdef")

    record = extract(job(small_slide, finished_copy), ExtractSettings.of(configured()))

    assert record.status == "failed"
    assert record.reason.endswith("scale.ome.zarr/zarr.json is damaged; run `wsi-scale search` again")
