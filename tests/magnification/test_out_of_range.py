"""Images out of range: a plane through the features of level-0 views."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsi_scale.magnification.out_of_range import FALSE_ALARMS, OutOfRange, fit_out_of_range, why_out_of_range

FEATURES, VIEWS = 5, 3
PLANE = OutOfRange(np.array([1.0, -2.0, 0.0, 0.5, 0.0]), -0.25)

views = st.lists(st.lists(st.floats(-5, 5), min_size=FEATURES, max_size=FEATURES), min_size=1, max_size=12)


def examples(seed: int, distance: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Views of 300 images of 30 cases, every third of them moved along the first feature."""
    rng = np.random.default_rng(seed)
    images = np.repeat(np.arange(300), VIEWS)
    outside = images % 3 == 0
    features = rng.normal(size=(len(images), FEATURES)) + distance * np.outer(outside, np.eye(FEATURES)[0])
    return features, outside, images, np.char.add("case ", (images % 30).astype(str))


def image_odds(plane: OutOfRange, features: np.ndarray, images: np.ndarray) -> np.ndarray:
    return np.array([plane.log_odds(features[images == i], np.ones(VIEWS)) for i in np.unique(images)])


@given(views, st.floats(0.1, 10))
@settings(deadline=None)
def test_log_odds_are_the_views_mean_whatever_their_order_and_the_weights_unit(
    rows: list[list[float]], unit: float
) -> None:
    standard = np.array(rows)
    shares = np.linspace(0.2, 1, len(rows))
    expected = float(shares @ (standard @ PLANE.weights + PLANE.bias) / shares.sum())
    assert PLANE.log_odds(standard, shares) == pytest.approx(expected, abs=1e-6)
    assert PLANE.log_odds(standard[::-1], unit * shares[::-1]) == pytest.approx(expected, abs=1e-6)


@given(views, st.floats(0, 5))
@settings(deadline=None)
def test_they_rise_with_the_way_along_the_weights(rows: list[list[float]], way: float) -> None:
    standard, shares = np.array(rows), np.ones(len(rows))
    there = PLANE.log_odds(standard + way * PLANE.weights, shares)
    assert there == pytest.approx(PLANE.log_odds(standard, shares) + way * PLANE.weights @ PLANE.weights, abs=1e-6)


def test_a_view_of_glass_says_nothing() -> None:
    standard = np.array([[0.0] * FEATURES, [40.0] + [0.0] * (FEATURES - 1)])
    assert PLANE.log_odds(standard, np.array([1.0, 0.0])) == pytest.approx(PLANE.bias, abs=1e-6)


def test_no_view_lies_nowhere() -> None:
    assert why_out_of_range(PLANE.log_odds(np.zeros((0, FEATURES)), np.zeros(0))) == ""


def test_the_reason_stands_where_the_odds_say_so() -> None:
    assert why_out_of_range(-0.1) == ""
    assert why_out_of_range(0.1).startswith("level 0 is probably an overview or an enlargement")


@pytest.mark.parametrize("seed", range(3))
def test_images_beyond_are_told_and_one_ordinary_image_in_a_hundred_is_not(seed: int) -> None:
    plane = fit_out_of_range(*examples(seed, distance=5))
    features, _, images, _ = examples(seed + 100, distance=5)
    odds, labels = image_odds(plane, features, images), np.arange(300) % 3 == 0
    assert (odds[labels] > 0).mean() > 0.99
    assert (odds[~labels] > 0).mean() <= 3 * FALSE_ALARMS


def test_where_nothing_tells_them_apart_ordinary_images_are_spared_all_the_same() -> None:
    features, outside, images, cases = examples(0, distance=0)
    odds = image_odds(fit_out_of_range(features, outside, images, cases), *examples(7, distance=0)[::2])
    assert (odds > 0).mean() <= 5 * FALSE_ALARMS
