"""Features that the rule for overviews and enlargements is fitted on."""

from pathlib import Path

import numpy as np

from benchmarks.magnification.beyond import labelled_views
from wsi_scale.config.models import Config, ExecutionConfig
from wsi_scale.learning.estimator import load_estimator


def test_other_images_are_not_given_the_features_of_those_before(tmp_path: Path) -> None:
    estimator = load_estimator(Config(execution=ExecutionConfig(threads=1)))
    pixels = np.random.default_rng(0).integers(0, 256, (5, 96, 96, 3), np.uint8)
    few = [("a", True, pixels[:2])]
    more = [("a", True, pixels[:2]), ("b", False, pixels[2:])]
    before = labelled_views(estimator, few, tmp_path)
    after = labelled_views(estimator, more, tmp_path)
    assert len(before.features) == 2
    assert after.images.tolist() == [0, 0, 1, 1, 1]
    assert after.cases.tolist() == ["a", "a", "b", "b", "b"]
    assert after.beyond.tolist() == [True, True, False, False, False]
    np.testing.assert_allclose(after.features[2:], estimator.features(pixels[2:]), rtol=1e-5)
    again = labelled_views(estimator, more, tmp_path)
    np.testing.assert_array_equal(again.features, after.features)
