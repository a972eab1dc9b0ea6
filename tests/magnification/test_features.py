"""What a head sees of a tile."""

import numpy as np

from wsi_scale.magnification.features import FLOOR, layer_features, log_features


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


def test_rectified_layers_are_seen_as_logarithms_and_logits_as_they_are() -> None:
    responses = {"C1_1": np.array([[2.0, 0.0]], np.float32), "logits": np.array([[-1.0, 3.0]], np.float32)}
    seen = layer_features(responses)
    np.testing.assert_allclose(seen["C1_1"], [[np.log(2.001), np.log(0.001)]])
    np.testing.assert_array_equal(seen["logits"], [[-0.5, 1.5]])
    np.testing.assert_array_equal(layer_features(responses, logarithms=False)["C1_1"], [[2, 0]])


def test_a_layer_is_seen_alike_whatever_its_overall_level() -> None:
    responses = np.random.default_rng(6).uniform(0, 1, (5, 3))
    seen = layer_features({"softmax": responses / 1e4, "fc7": responses * 50})
    np.testing.assert_allclose(seen["softmax"], seen["fc7"])


def test_images_of_one_probe_are_measured_by_one_reference() -> None:
    reference = {"C1_1": np.array([[1.0, 3.0]])}
    brighter = layer_features({"C1_1": 2 * reference["C1_1"]}, reference)["C1_1"]
    np.testing.assert_allclose(brighter - layer_features(reference)["C1_1"], np.log(2), atol=2e-3)
