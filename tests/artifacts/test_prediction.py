"""A prediction is read again as it was written."""

from pathlib import Path
from typing import Any

import pytest

from wsi_scale.artifacts import prediction
from wsi_scale.artifacts.documents import write_json
from wsi_scale.errors import ArtifactError


def test_a_prediction_comes_back(tmp_path: Path, kinds: dict[str, Any]) -> None:
    assert prediction.read_prediction(tmp_path) is None
    kinds["prediction"].write(tmp_path, 0)
    read = prediction.read_prediction(tmp_path)
    assert read is not None
    assert read.estimate == (0.25, 0.2, 0.31)
    assert read.by_downsample == {"1": 0.26, "2": 0.24}
    assert read.mixed == "its left half differs"


def test_a_prediction_of_another_version_is_refused_in_one_line(tmp_path: Path) -> None:
    write_json(tmp_path / prediction.NAME, {"path": "a.svs", "mpp": 0.25, "status": "ok"})
    with pytest.raises(
        ArtifactError, match=r"is not a prediction \(mpp_low: it is missing; .*delete it and run again"
    ) as error:
        prediction.read_prediction(tmp_path)
    assert "\n" not in str(error.value)


def test_an_abstention_gives_no_estimate(tmp_path: Path) -> None:
    said = prediction.Prediction(None, None, None, "abstained", "no tissue found", 0, {}, "")
    prediction.write_prediction(tmp_path, said)
    assert prediction.read_prediction(tmp_path) == said
    assert said.estimate is None
