"""With `slides.mpp=estimate`, a slide without a usable mpp is processed with the estimate from its pixels."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.planted import SPREAD, write_planted
from tests.runs import MPP, configured, draw, job, stamps
from wsi_scale.artifacts.prediction import read_prediction
from wsi_scale.artifacts.tiles import read_tiles
from wsi_scale.config.settings import PredictSettings, TileSettings
from wsi_scale.jobs.audit import audit_slide
from wsi_scale.jobs.current import current_info, settled_info
from wsi_scale.jobs.job import SlideJob
from wsi_scale.slides.metadata import SlideInfo
from wsi_scale.stages.inspect import inspect
from wsi_scale.stages.predict import predict
from wsi_scale.stages.tile import tile
from wsi_scale.synthesis import write_pyramid

#: What the planted regressor takes every slide for, µm per pixel.
PLANTED = 0.42
#: Small slides need small tiles.
SMALL_TILES = "tiling.tile_px=64"
ESTIMATE = (SMALL_TILES, "slides.mpp=estimate")
#: Side of a slide that is looked at once, at level 0.
SIDE = 180


@pytest.fixture(scope="module")
def regressor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A regressor that takes everything for PLANTED."""
    return write_planted(tmp_path_factory.mktemp("planted"), PLANTED)


@pytest.fixture
def silent(tmp_path: Path) -> SlideJob:
    """A slide that says nothing of its mpp."""
    image = draw(3.0, SIDE, SIDE)
    tifffile.imwrite(tmp_path / "silent.tiff", image, photometric="rgb", tile=(64, 64), metadata=None)
    return job(tmp_path / "silent.tiff", tmp_path / "out")


def claiming(folder: Path, mpp: float, given: float | None = None) -> SlideJob:
    """A slide whose header claims an mpp, and perhaps another one that a user gives."""
    write_pyramid(folder / "claiming.tiff", draw(3.0, SIDE, SIDE), MPP, header_mpp=mpp)
    return job(folder / "claiming.tiff", folder / "out", given)


def predicted(this: SlideJob, regressor: Path, *assignments: str) -> SlideInfo:
    """Inspect and predict; what then is known of the slide."""
    assert inspect(this).status == "ok"
    return looked(this, regressor, *assignments)


def looked(this: SlideJob, regressor: Path, *assignments: str) -> SlideInfo:
    """Predict; what then is known of the slide."""
    record = predict(this, PredictSettings.of(configured(*assignments)), regressor)
    assert record.status == "ok", record.reason
    return settled_info(this, estimate="slides.mpp=estimate" in assignments)


def test_a_slide_without_mpp_is_tiled_at_its_estimate(silent: SlideJob, regressor: Path) -> None:
    info = predicted(silent, regressor, *ESTIMATE)

    assert info.usable_mpp == (PLANTED, PLANTED)
    assert (info.mpp, info.mpp_source) == (PLANTED, "estimated")
    prediction = read_prediction(silent.folder)
    assert prediction is not None
    assert prediction.estimate is not None
    # All scores of the planted regressor are 0.8 of its spread.
    assert prediction.estimate == pytest.approx([PLANTED * 2 ** (s * 0.8 * SPREAD) for s in (0, -1, 1)], rel=1e-3)
    mpp, low, high = prediction.estimate
    assert info.warnings == (f"mpp is estimated from pixels: {mpp:.3g} µm/px ({low:.3g}–{high:.3g})",)
    assert tile(silent, TileSettings.of(configured(*ESTIMATE))).status == "ok"
    table, _ = read_tiles(silent.folder)
    assert (table.grid.mpp_x, table.grid.mpp_y, table.grid.mpp_source) == (PLANTED, PLANTED, "estimated")
    # Tiles of 64 px at 0.5 µm/px are 76 px wide there: two fit in 180.
    assert (table.grid.rows, table.grid.cols) == (2, 2)
    np.testing.assert_array_equal(np.unique(table.x), [0, round(64 * 0.5 / PLANTED)])


def test_an_estimate_that_is_not_of_the_last_run_gives_no_mpp(silent: SlideJob, regressor: Path) -> None:
    predicted(silent, regressor, *ESTIMATE)
    path = silent.folder / "prediction.json"
    whole = path.read_text()
    path.write_text(whole.replace(str(PLANTED), "0.45"))
    settings = TileSettings.of(configured(*ESTIMATE))
    assert tile(silent, settings).reason == "prediction.json is damaged; run `wsi-scale predict` again"

    path.write_text(whole)
    assert tile(silent, settings).status == "ok"
    tifffile.imwrite(silent.row.path, draw(4.0, SIDE, SIDE), photometric="rgb", tile=(64, 64), metadata=None)
    inspect(silent)
    again = "prediction.json is older than inspect.json; run `wsi-scale predict` again"
    assert tile(silent, settings).reason == again


def test_by_default_it_fails_and_says_how_to_give_an_mpp(silent: SlideJob, regressor: Path) -> None:
    info = predicted(silent, regressor, SMALL_TILES)

    assert (info.mpp, info.mpp_source) == (None, "missing")
    record = tile(silent, TileSettings.of(configured(SMALL_TILES)))
    assert record.status == "failed"
    assert record.reason.startswith("silent: the slide has no usable µm per pixel (mpp); give it with --mpp")


def test_an_absurd_header_is_not_usable_and_the_estimate_stands_in(tmp_path: Path, regressor: Path) -> None:
    this = claiming(tmp_path, 352.0)

    info = predicted(this, regressor, *ESTIMATE)

    assert (info.mpp, info.mpp_source) == (PLANTED, "estimated")
    # What the header said is still told.
    assert info.warnings[0].startswith("mpp 352 µm/px (TIFF resolution tags) lies outside")
    assert tile(this, TileSettings.of(configured(*ESTIMATE))).status == "ok"
    row = audit_slide(this)
    assert (row.flag, row.claimed_mpp, row.mpp_source) == ("implausible", pytest.approx(352), "tiff")


@pytest.mark.parametrize("given", [None, 0.3])
def test_an_estimate_never_replaces_an_mpp_that_is_usable(tmp_path: Path, regressor: Path, given: float | None) -> None:
    this = claiming(tmp_path, 2.0, given)
    inspect(this)
    before = (this.folder / "slide.json").read_bytes()

    info = looked(this, regressor, *ESTIMATE)

    assert (this.folder / "slide.json").read_bytes() == before
    assert (info.mpp, info.mpp_source) == ((given, "override") if given else (pytest.approx(2.0), "tiff"))


def test_inspecting_and_predicting_again_end_in_the_same_bytes(silent: SlideJob, regressor: Path) -> None:
    predicted(silent, regressor, *ESTIMATE)
    tile(silent, TileSettings.of(configured(*ESTIMATE)))
    before = (silent.folder / "slide.json").read_bytes()
    written = stamps(silent.folder)

    inspect(silent)
    assert current_info(silent).mpp is None
    looked(silent, regressor, *ESTIMATE)
    tile(silent, TileSettings.of(configured(*ESTIMATE)))

    assert (silent.folder / "slide.json").read_bytes() == before
    # Nothing was estimated, and no tile laid, again.
    for name in ("prediction.json", "tiles.parquet"):
        assert stamps(silent.folder)[name] == written[name]


def test_an_abstention_leaves_it_failing_with_the_reason_why(silent: SlideJob, tmp_path: Path) -> None:
    info = predicted(silent, write_planted(tmp_path, 6.0), *ESTIMATE)

    assert (info.mpp, info.mpp_source) == (None, "missing")
    assert tile(silent, TileSettings.of(configured(*ESTIMATE))).reason.startswith(
        "silent: the slide has no usable µm per pixel"
    )
    prediction = read_prediction(silent.folder)
    assert prediction is not None
    assert prediction.reason.startswith("estimated from pixels: 6 µm/px, outside 0.2–4.0")


def test_the_estimate_of_another_regressor_replaces_an_earlier_one(
    silent: SlideJob, regressor: Path, tmp_path: Path
) -> None:
    predicted(silent, regressor, *ESTIMATE)

    info = looked(silent, write_planted(tmp_path, 0.8), *ESTIMATE)

    assert info.mpp == pytest.approx(0.8, rel=1e-3)
    assert len(info.warnings) == 1


def test_an_abstention_takes_an_earlier_estimate_back(silent: SlideJob, regressor: Path, tmp_path: Path) -> None:
    predicted(silent, regressor, *ESTIMATE)
    info = looked(silent, write_planted(tmp_path, 6.0), *ESTIMATE)
    assert (info.mpp, info.mpp_source) == (None, "missing")


def test_back_to_the_default_it_fails_as_before(silent: SlideJob, regressor: Path) -> None:
    inspect(silent)
    before = (silent.folder / "slide.json").read_bytes()
    looked(silent, regressor, *ESTIMATE)

    looked(silent, regressor, SMALL_TILES)

    assert (silent.folder / "slide.json").read_bytes() == before
    assert tile(silent, TileSettings.of(configured(SMALL_TILES))).status == "failed"


def test_an_estimate_is_nothing_to_learn_from_and_nothing_to_audit(silent: SlideJob, regressor: Path) -> None:
    info = predicted(silent, regressor, *ESTIMATE)

    assert not info.trusted
    row = audit_slide(silent)
    assert (row.flag, row.claimed_mpp, row.mpp) == ("missing", None, PLANTED)
    assert row.reason.startswith("no mpp in the header; estimated from pixels: 0.42 µm/px")
