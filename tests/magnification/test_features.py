"""What a head sees of a tile."""

import numpy as np

from wsi_scale.magnification.features import FLOOR, log_features


def test_responses_of_all_layers_stand_side_by_side_in_their_order() -> None:
    rng = np.random.default_rng(0)
    widths = {"C1_2": 2, "fire3": 3, "C4_2": 4}
    responses = {name: rng.uniform(0.1, 2, (3, width)).astype(np.float32) for name, width in widths.items()}
    features = log_features(responses)
    assert features.shape == (3, 9)
    assert features.dtype == np.float64
    np.testing.assert_allclose(features[:, 2:5], np.log(responses["fire3"]), atol=0.02)


def test_twice_the_response_is_one_step_wherever_it_is_well_above_nothing() -> None:
    responses = np.array([[0.5, 8.0]])
    step = log_features({"C2_2": 2 * responses}) - log_features({"C2_2": responses})
    np.testing.assert_allclose(step, np.log(2), atol=0.01)


def test_silence_and_negative_rounding_stay_finite() -> None:
    features = log_features({"C2_2": np.array([[0.0, -1e-9, 1e-12]], np.float32)})
    assert np.isfinite(features).all()
    np.testing.assert_allclose(features, np.log(FLOOR), atol=1e-6)
