"""Mean nucleus area at a power, and the class of the nearest mean area."""

import numpy as np
import pytest

from benchmarks.nuclei.nucleus_area import (
    AreaClasses,
    area_errors,
    constant_area,
    fit_area_classes,
    mean_nucleus_area,
    score_areas,
)

CLASSES = AreaClasses(np.array([5, 10, 40]), np.array([10.0, 40.0, 640.0]))


def squares(*sides: int) -> np.ndarray:
    """Square nuclei of these sides, level-0 pixels, away from each other and from the border."""
    labels = np.zeros((60, 60 * len(sides)), np.uint16)
    for number, side in enumerate(sides):
        labels[10 : 10 + side, 60 * number + 10 : 60 * number + 10 + side] = number + 1
    return labels


@pytest.mark.parametrize("power", [5, 8, 10, 15, 20, 30, 40])
def test_area_scales_with_the_square_of_the_power(power: int) -> None:
    level0 = mean_nucleus_area(squares(20, 30), 1.0)
    assert level0 == (400 + 900) / 2
    assert mean_nucleus_area(squares(20, 30), power / 40) == level0 * (power / 40) ** 2


@pytest.mark.parametrize("edge", [(0, slice(None)), (-1, slice(None)), (slice(None), 0), (slice(None), -1)])
def test_nuclei_that_touch_a_border_are_left_out(edge: tuple[int | slice, int | slice]) -> None:
    labels = squares(20)
    labels[edge] = 2
    assert mean_nucleus_area(labels, 1.0) == 400


def test_nuclei_one_pixel_from_the_border_stay() -> None:
    labels = np.zeros((12, 12), np.int32)
    labels[1:-1, 1:-1] = 7
    assert mean_nucleus_area(labels, 1.0) == 100


def test_regions_below_three_pixels_at_the_power_are_dropped() -> None:
    labels = squares(20, 10)
    labels[40, 40:42] = 3
    assert mean_nucleus_area(labels, 1.0) == (400 + 100) / 2
    # At 5x the larger one has 400 / 64 = 6.25 px², the smaller 100 / 64 = 1.6 px².
    assert mean_nucleus_area(labels, 0.125) == 400 / 64


def test_a_region_of_exactly_three_pixels_stays() -> None:
    labels = np.zeros((5, 5), np.uint8)
    labels[2, 1:4] = 1
    assert mean_nucleus_area(labels, 1.0) == 3


def test_a_patch_without_a_nucleus_has_no_area() -> None:
    assert mean_nucleus_area(np.zeros((9, 9), np.uint8), 1.0) is None
    assert mean_nucleus_area(np.ones((9, 9), np.uint8), 1.0) is None
    assert mean_nucleus_area(squares(5), 0.125) is None


def test_class_means_are_means_over_the_training_patches_of_a_power() -> None:
    classes = fit_area_classes(np.array([600.0, 10.0, 680.0, 14.0]), np.array([40, 5, 40, 5]))
    assert classes.powers.tolist() == [5, 40]
    assert classes.mean_area_px2.tolist() == [12, 640]


def test_the_class_is_that_of_the_nearest_mean_in_square_pixels() -> None:
    # 339 is nearer to 40 than to 640, though in octaves it is nearer to 640.
    areas = np.array([1.0, 24.9, 25.1, 339.0, 341.0, 1e6])
    assert CLASSES.nearest(areas).tolist() == [5, 5, 10, 10, 40, 40]


def test_of_two_means_as_near_the_lower_power_is_taken() -> None:
    assert CLASSES.nearest(np.array([25.0])).tolist() == [5]


def test_errors_are_in_square_pixels_and_in_octaves_of_area() -> None:
    errors = area_errors(np.array([20.0, 30.0, 64.0]), np.array([10.0, 120.0, 64.0]))
    assert errors.px2.tolist() == [10, 90, 0]
    assert errors.octaves == pytest.approx([1, 2, 0])


def test_scores_match_hand_values() -> None:
    power = np.array([5, 5, 10, 10, 40, 40])
    true = np.array([10.0, 10, 40, 40, 640, 640])
    predicted = np.array([10.0, 40, 40, 40, 640, 40])
    scores = score_areas(predicted, true, power, CLASSES)
    assert scores.mae_px2 == pytest.approx((30 + 600) / 6)
    assert scores.mae_octaves == pytest.approx((2 + 4) / 6)
    # Observed agreement 4/6; by chance (2·1 + 2·4 + 2·1)/36 = 1/3.
    assert scores.kappa == pytest.approx((4 / 6 - 1 / 3) / (1 - 1 / 3))


def test_the_oracle_errs_only_where_classes_overlap() -> None:
    power = np.array([5, 5, 10, 10])
    apart = np.array([8.0, 12, 38, 42])
    assert score_areas(apart, apart, power, fit_area_classes(apart, power)).kappa == 1
    overlapping = np.array([8.0, 40, 38, 42])
    oracle = score_areas(overlapping, overlapping, power, fit_area_classes(overlapping, power))
    assert oracle.mae_px2 == oracle.mae_octaves == 0
    assert oracle.kappa == pytest.approx(0.5)


def test_no_constant_errs_less_than_the_training_median_in_either_unit() -> None:
    areas = np.random.default_rng(0).lognormal(4, 1.5, 101)

    def scores(constant: float) -> tuple[float, float]:
        errors = area_errors(np.full_like(areas, constant), areas)
        return errors.px2.mean(), errors.octaves.mean()

    best = scores(constant_area(areas))
    for other in np.geomspace(areas.min(), areas.max(), 50):
        assert scores(float(other))[0] >= best[0] - 1e-9
        assert scores(float(other))[1] >= best[1] - 1e-9


def test_a_constant_has_no_kappa() -> None:
    power = np.array([5, 10, 40])
    scores = score_areas(np.full(3, 40.0), np.array([10.0, 40, 640]), power, CLASSES)
    assert scores.kappa == pytest.approx(0)
