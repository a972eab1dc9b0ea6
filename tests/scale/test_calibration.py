"""Which channels follow size."""

from collections.abc import Callable

import numpy as np
import pytest

from wsi_scale.errors import UserError
from wsi_scale.scale.calibration import Calibration, LayerCalibration, calibrate

Responses = Callable[..., np.ndarray]

RADII_UM = np.geomspace(1.5, 8, 40)
OFFSET = np.array([-1.8, -1.7, -1.6, -1.9])
SLOPE = np.array([1.0, 0.85, 0.9, 1.1])


def test_planted_channels_are_found_with_their_lines(responses: Responses, log2_mpp: np.ndarray) -> None:
    found = calibrate({"C3_4": responses(RADII_UM, OFFSET, SLOPE, 0.03)}, log2_mpp, RADII_UM).layers["C3_4"]
    assert found.channels.tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(found.slope, SLOPE, atol=0.05)
    np.testing.assert_allclose(found.offset, OFFSET, atol=0.08)
    np.testing.assert_allclose(found.residual, 0.03, atol=0.02)


def test_a_line_is_the_least_squares_line_of_the_optima(responses: Responses, log2_mpp: np.ndarray) -> None:
    values = responses(RADII_UM, OFFSET, SLOPE, 0.1)
    found = calibrate({"C3_4": values}, log2_mpp, RADII_UM).layers["C3_4"]
    for index, channel in enumerate(found.channels):
        peaks = values[:, channel].argmax(axis=1)
        # The vertex of the parabola through the highest rung and its neighbours.
        optima = []
        for scene, peak in enumerate(peaks):
            x, y = log2_mpp[peak - 1 : peak + 2], values[scene, channel, peak - 1 : peak + 2]
            curved, straight, _ = np.polyfit(x, y, 2)
            optima.append(-straight / (2 * curved))
        slope, offset = np.polyfit(np.log2(RADII_UM), optima, 1)
        assert found.slope[index] == pytest.approx(slope, abs=1e-6)
        assert found.offset[index] == pytest.approx(offset, abs=1e-6)


@pytest.mark.parametrize(
    ("offset", "slope", "jitter"),
    [(0.0, 0.0, 0.1), (-0.5, 0.3, 0.0), (1.5, -1.0, 0.0), (-3.0, 1.6, 0.0), (-1.8, 1.0, 0.5)],
    ids=["does not move", "moves too little", "moves the wrong way", "moves too much", "wanders"],
)
def test_a_channel_that_does_not_follow_size_is_left_out(
    responses: Responses, log2_mpp: np.ndarray, offset: float, slope: float, jitter: float
) -> None:
    good = responses(RADII_UM, OFFSET, SLOPE, 0.03)
    bad = responses(RADII_UM, np.array([offset]), np.array([slope]), jitter)
    found = calibrate({"C3_4": np.concatenate([bad, good], axis=1)}, log2_mpp, RADII_UM)
    assert found.layers["C3_4"].channels.tolist() == [1, 2, 3, 4]


def test_noise_and_silence_are_left_out(responses: Responses, log2_mpp: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    noise = rng.random((40, 200, 13))
    silent = np.zeros((40, 5, 13))
    values = np.concatenate([noise, silent, responses(RADII_UM, OFFSET, SLOPE, 0.03)], axis=1)
    found = calibrate({"C3_4": values, "C2_2": noise}, log2_mpp, RADII_UM)
    assert list(found.layers) == ["C3_4"]
    assert found.layers["C3_4"].channels.tolist() == [205, 206, 207, 208]


def test_a_channel_that_answers_in_too_few_scenes_is_left_out(responses: Responses, log2_mpp: np.ndarray) -> None:
    values = responses(RADII_UM, OFFSET, SLOPE)
    values[:3, 0] = 1.0
    values[:5, 1] = 1.0
    found = calibrate({"C3_4": values}, log2_mpp, RADII_UM).layers["C3_4"]
    # 37 of 40 scenes are enough, 35 are not; the scenes without an answer do not bend the line.
    assert found.channels.tolist() == [0, 2, 3]
    assert found.slope[0] == pytest.approx(1.0, abs=0.02)


def test_channels_of_several_layers_are_kept_apart(responses: Responses, log2_mpp: np.ndarray) -> None:
    values = {"C2_2": responses(RADII_UM, OFFSET[:2], SLOPE[:2]), "C3_4": responses(RADII_UM, OFFSET, SLOPE)}
    found = calibrate(values, log2_mpp, RADII_UM)
    assert {name: len(layer.channels) for name, layer in found.layers.items()} == {"C2_2": 2, "C3_4": 4}
    assert found.channel_count == 6


def test_rungs_that_could_not_be_read_do_not_matter_elsewhere(responses: Responses, log2_mpp: np.ndarray) -> None:
    values = responses(RADII_UM, OFFSET, SLOPE)
    values[..., -1] = np.nan
    assert calibrate({"C3_4": values}, log2_mpp, RADII_UM).channel_count == 4


@pytest.mark.parametrize("planted", [0, 1, 2])
def test_too_few_channels_are_no_ruler_and_said_in_one_line(
    responses: Responses, log2_mpp: np.ndarray, planted: int
) -> None:
    noise = np.random.default_rng(0).random((40, 20, 13))
    values = np.concatenate([noise, responses(RADII_UM, OFFSET[:planted], SLOPE[:planted])], axis=1)
    with pytest.raises(UserError, match=rf"no calibration: {planted} channels of C3_4") as error:
        calibrate({"C3_4": values}, log2_mpp, RADII_UM)
    assert "\n" not in str(error.value)


def test_k_is_the_median_offset_over_the_channels_of_all_layers() -> None:
    one, two = np.ones(1), np.ones(2)
    layers = {
        "C2_2": LayerCalibration(np.array([3]), np.array([-1.0]), one, one),
        "C3_4": LayerCalibration(np.array([1, 4]), np.array([-2.0, -4.0]), two, two),
    }
    assert Calibration(layers).log2_k == -2.0
