"""Stage `predict`: µm per pixel from pixels alone."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.runs import MPP, configured, draw, job
from wsi_scale.artifacts.prediction import Prediction, read_prediction
from wsi_scale.artifacts.regressor import read_regressor, shipped_regressor, write_regressor
from wsi_scale.stages.inspect import inspect
from wsi_scale.stages.predict import predict
from wsi_scale.synthesis import write_pyramid

Predicted = Callable[..., Prediction]


@pytest.fixture
def predicted(tmp_path: Path) -> Predicted:
    """Estimate a slide's mpp in a folder of its own."""

    def look(slide: Path, mpp: float | None = None, regressor: Path | None = None) -> Prediction:
        this = job(slide, tmp_path / f"{slide.name}-{mpp}", mpp)
        inspect(this)
        record = predict(this, configured(), regressor or shipped_regressor())
        assert record.status == "ok", record.reason
        found = read_prediction(this.folder)
        assert found is not None
        return found

    return look


def plain(prediction: Prediction) -> Prediction:
    """Leave out what names the file."""
    return replace(prediction, path="", fingerprint="")


def test_the_header_has_no_say(predicted: Predicted, tmp_path: Path) -> None:
    image = draw(3.0, 500, 600)
    for name, header in (("true", 0.5), ("false", 2.0), ("absurd", 352.0)):
        write_pyramid(tmp_path / f"{name}.tiff", image, MPP, header_mpp=header)
    # JPEG levels are the same bytes, whatever the tags say; without tags as well.
    with tifffile.TiffFile(tmp_path / "true.tiff") as true:
        level = true.pages[0].asarray()
    tifffile.imwrite(tmp_path / "none.tiff", level, photometric="rgb", tile=(256, 256), metadata=None)

    told = {name: plain(predicted(tmp_path / f"{name}.tiff")) for name in ("true", "false", "absurd", "none")}

    assert told["true"].status == "ok"
    assert told["false"] == told["true"]
    assert told["absurd"] == told["true"]
    assert told["none"].by_downsample["1"] == told["true"].by_downsample["1"]


def test_a_given_mpp_changes_no_byte(small_slide: Path, predicted: Predicted, tmp_path: Path) -> None:
    predicted(small_slide)
    predicted(small_slide, mpp=3.0)

    bytes_of = [(tmp_path / f"small.tiff-{mpp}" / "prediction.json").read_bytes() for mpp in (None, 3.0)]
    assert bytes_of[0] == bytes_of[1]


def test_a_plain_picture_is_looked_at_as_well(predicted: Predicted, tmp_path: Path) -> None:
    Image.fromarray(draw(3.0, 300, 400)).save(tmp_path / "field.png")

    prediction = predicted(tmp_path / "field.png")

    assert prediction.status == "ok"
    assert prediction.mpp_low < prediction.mpp < prediction.mpp_high  # type: ignore[operator]


def test_glass_and_specks_get_no_estimate_but_a_reason(predicted: Predicted, tmp_path: Path) -> None:
    write_pyramid(tmp_path / "glass.tiff", np.full((500, 500, 3), 241, np.uint8), MPP)
    Image.fromarray(draw(3.0, 80, 80)).save(tmp_path / "speck.png")

    for name in ("glass.tiff", "speck.png"):
        prediction = predicted(tmp_path / name)
        assert (prediction.status, prediction.mpp, prediction.estimate) == ("abstained", None, None)
        assert prediction.reason == "no tissue to look at"


def test_an_enlarged_picture_looks_finer_by_as_much(predicted: Predicted, tmp_path: Path) -> None:
    image = Image.fromarray(draw(3.0, 640, 640))
    image.save(tmp_path / "one.png")
    image.resize((1280, 1280), Image.Resampling.BICUBIC).save(tmp_path / "two.png")

    one, two = (predicted(tmp_path / f"{name}.png").by_downsample for name in ("one", "two"))

    # The enlarged picture two times down is the picture; its own level 0 is finer by two.
    assert np.log2(two["2"] / (one["1"] / 2)) == pytest.approx(0, abs=0.1)


def test_a_regressor_of_another_network_is_refused_in_one_line(small_slide: Path, tmp_path: Path) -> None:
    stored = read_regressor(shipped_regressor())
    write_regressor(
        tmp_path / "other.safetensors", replace(stored, header={**stored.header, "network_digest": "0" * 64})
    )
    this = job(small_slide, tmp_path / "out")
    inspect(this)

    record = predict(this, configured(), tmp_path / "other.safetensors")

    assert record.status == "failed"
    assert "fitted on another version of the embedded network" in record.reason
    assert "\n" not in record.reason
