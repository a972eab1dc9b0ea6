"""Stage `predict`: µm per pixel from pixels alone."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageFilter

from tests.planted import SPREAD, write_planted
from tests.runs import MPP, configured, draw, job, stamps
from wsi_scale.artifacts.prediction import read_prediction
from wsi_scale.artifacts.regressor import read_regressor, shipped_regressor, write_regressor
from wsi_scale.config.settings import PredictSettings
from wsi_scale.results.prediction import Prediction
from wsi_scale.stages.inspect import inspect
from wsi_scale.stages.predict import predict
from wsi_scale.synthesis import write_pyramid

Predicted = Callable[..., Prediction]


@pytest.fixture
def predicted(tmp_path: Path) -> Predicted:
    """Estimate a slide's mpp in a folder of its own."""

    def look(slide: Path, mpp: float | None = None, regressor: Path | None = None, *assignments: str) -> Prediction:
        this = job(slide, tmp_path / f"{slide.name}-{mpp}", mpp)
        inspect(this)
        record = predict(this, PredictSettings.of(configured(*assignments)), regressor or shipped_regressor())
        assert record.status == "ok", record.reason
        found = read_prediction(this.folder)
        assert found is not None
        return found

    return look


def plain(prediction: Prediction) -> Prediction:
    """Leave out what names the file."""
    return prediction


def test_the_header_has_no_say(predicted: Predicted, tmp_path: Path) -> None:
    image = draw(3.0, 500, 600)
    for name, header in (("true", 0.5), ("false", 2.0), ("absurd", 352.0)):
        write_pyramid(tmp_path / f"{name}.tiff", image, MPP, header_mpp=header)
    # JPEG levels are the same bytes, whatever the tags say; without tags as well.
    with tifffile.TiffFile(tmp_path / "true.tiff") as true:
        level = true.pages[0].asarray()
    tifffile.imwrite(tmp_path / "none.tiff", level, photometric="rgb", tile=(256, 256), metadata=None)

    told = {name: plain(predicted(tmp_path / f"{name}.tiff")) for name in ("true", "false", "absurd", "none")}

    assert told["true"].views > 0
    assert told["false"] == told["true"]
    assert told["absurd"] == told["true"]
    assert told["none"].by_downsample.get("1") == told["true"].by_downsample.get("1")


def test_a_given_mpp_changes_no_byte(small_slide: Path, predicted: Predicted, tmp_path: Path) -> None:
    predicted(small_slide)
    predicted(small_slide, mpp=3.0)

    bytes_of = [(tmp_path / f"small.tiff-{mpp}" / "prediction.json").read_bytes() for mpp in (None, 3.0)]
    assert bytes_of[0] == bytes_of[1]


def test_a_plain_picture_is_looked_at_as_well(predicted: Predicted, tmp_path: Path) -> None:
    Image.fromarray(draw(3.0, 180, 190)).save(tmp_path / "field.png")

    prediction = predicted(tmp_path / "field.png", None, write_planted(tmp_path, 0.8))

    assert (prediction.status, prediction.reason, prediction.mixed) == ("ok", "", "")
    # All scores of the planted regressor are 0.8 of its spread.
    half = 0.8 * SPREAD
    assert prediction.estimate == pytest.approx([0.8 * 2 ** (sign * half) for sign in (0, -1, 1)], rel=1e-3)
    assert prediction.by_downsample == {"1": pytest.approx(0.8, rel=1e-3)}
    assert prediction.views > 0


def test_more_coverage_is_a_wider_interval(predicted: Predicted, tmp_path: Path) -> None:
    Image.fromarray(draw(3.0, 180, 190)).save(tmp_path / "field.png")
    regressor = write_planted(tmp_path, 0.8, scores=[step / 10 for step in range(1, 20)])
    widths = []
    for coverage in (0.6, 0.9):
        told = predicted(tmp_path / "field.png", None, regressor, f"magnification.coverage={coverage}").estimate
        assert told is not None
        widths.append(np.log2(told[2] / told[0]))
    # Of 19 scores the 12th and the 18th.
    assert widths == pytest.approx([1.2 * SPREAD, 1.8 * SPREAD], abs=2e-3)


def test_what_is_no_tissue_gets_no_estimate_but_a_reason(predicted: Predicted, tmp_path: Path) -> None:
    Image.fromarray(draw(3.0, 180, 190)).save(tmp_path / "field.png")

    prediction = predicted(tmp_path / "field.png", None, write_planted(tmp_path, 0.8, tissue=0.3))

    assert (prediction.status, prediction.estimate) == ("abstained", None)
    assert prediction.reason == "does not look like brightfield tissue (probability of tissue 30%)"
    assert not prediction.is_brightfield


def test_a_dark_background_is_no_brightfield(predicted: Predicted, tmp_path: Path) -> None:
    cells = draw(3.0, 400, 400)
    cells[:30], cells[-30:], cells[:, :30], cells[:, -30:] = 255, 255, 255, 255
    Image.fromarray(255 - cells).save(tmp_path / "dark.png")

    prediction = predicted(tmp_path / "dark.png", None, write_planted(tmp_path, 0.8))

    assert (prediction.status, prediction.estimate, prediction.mixed) == ("abstained", None, "")
    assert prediction.reason.startswith("dark background")
    assert not prediction.is_brightfield


def test_a_regressor_without_an_interval_is_refused_in_one_line(tmp_path: Path) -> None:
    Image.fromarray(draw(3.0, 180, 190)).save(tmp_path / "field.png")
    this = job(tmp_path / "field.png", tmp_path / "out")
    inspect(this)

    record = predict(this, PredictSettings.of(configured()), write_planted(tmp_path, 0.8, scores=()))

    assert record.status == "failed"
    assert record.reason.startswith("the regressor's interval is not calibrated")
    assert read_prediction(this.folder) is None


@pytest.mark.parametrize("upright", [False, True])
def test_halves_that_look_different_are_called_mixed_by_their_side(
    predicted: Predicted, tmp_path: Path, upright: bool
) -> None:
    """The planted regressor takes what is lighter for coarser; all that is dark grew in the second half."""
    image = draw(3.0, 180, 1400)
    image[:, 700:] = np.asarray(Image.fromarray(image[:, 700:]).filter(ImageFilter.MinFilter(21)))
    picture = Image.fromarray(image)
    (picture.transpose(Image.Transpose.TRANSPOSE) if upright else picture).save(tmp_path / "two.png")
    regressor = write_planted(tmp_path, 0.0034, octaves_per_light=6.0)

    mixed = predicted(tmp_path / "two.png", None, regressor).mixed

    first, second = re.fullmatch(
        r"its (?:left|top) half is estimated at ([\d.]+) µm/px and "
        r"its (?:right|bottom) half is estimated at ([\d.]+) µm/px",
        mixed,
    ).groups()  # type: ignore[union-attr]
    assert mixed.startswith("its top" if upright else "its left")
    assert float(first) > 1.7 * float(second)


def test_glass_and_specks_get_no_estimate_but_a_reason(predicted: Predicted, tmp_path: Path) -> None:
    write_pyramid(tmp_path / "glass.tiff", np.full((500, 500, 3), 241, np.uint8), MPP)
    Image.fromarray(draw(3.0, 80, 80)).save(tmp_path / "speck.png")

    for name in ("glass.tiff", "speck.png"):
        prediction = predicted(tmp_path / name)
        assert (prediction.status, prediction.mpp, prediction.estimate) == ("abstained", None, None)
        assert prediction.reason == "no tissue found"


def test_an_enlarged_picture_looks_finer_by_as_much(predicted: Predicted, tmp_path: Path) -> None:
    image = Image.fromarray(draw(3.0, 640, 640))
    image.save(tmp_path / "one.png")
    image.resize((1280, 1280), Image.Resampling.BICUBIC).save(tmp_path / "two.png")

    one, two = (predicted(tmp_path / f"{name}.png").by_downsample for name in ("one", "two"))

    # The enlarged picture two times down is the picture; its own level 0 is finer by two.
    assert np.log2(two["2"] / (one["1"] / 2)) == pytest.approx(0, abs=0.1)


def test_a_regressor_of_another_network_is_refused_in_one_line(small_slide: Path, tmp_path: Path) -> None:
    stored = read_regressor(write_planted(tmp_path, 0.5))
    write_regressor(
        tmp_path / "other.safetensors", replace(stored, header={**stored.header, "network_digest": "0" * 64})
    )
    this = job(small_slide, tmp_path / "out")
    inspect(this)

    record = predict(this, PredictSettings.of(configured()), tmp_path / "other.safetensors")

    assert record.status == "failed"
    assert "the regressor was fitted on another network than the" in record.reason
    assert "\n" not in record.reason


def test_another_regressor_is_another_prediction_and_the_same_one_is_looked_up(
    small_slide: Path, tmp_path: Path
) -> None:
    this = job(small_slide, tmp_path / "out")
    inspect(this)
    one, other = (write_planted(tmp_path / name, mpp) for name, mpp in (("a", 0.5), ("b", 0.9)))
    written = []
    for regressor in (one, one, other):
        assert predict(this, PredictSettings.of(configured()), regressor).status == "ok"
        written.append(stamps(this.folder)["prediction.json"])
    assert written[0] == written[1] != written[2]
