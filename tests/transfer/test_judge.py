"""Figures of a task, and how sure a difference is."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from wsi_scale.transfer.judge import judge_outputs, paired_difference

RNG = np.random.default_rng(0)
TWO = ("no", "yes")


def test_areas_are_those_of_scikit_learn() -> None:
    target = RNG.integers(2, size=200)
    outputs = RNG.normal(size=(200, 2)) + target[:, None] * [0, 1.0]
    found = judge_outputs(outputs, target, TWO)
    assert found.metric == pytest.approx(roc_auc_score(target, outputs[:, 1] - outputs[:, 0]))
    three = RNG.integers(3, size=300)
    logits = RNG.normal(size=(300, 3)) + np.eye(3)[three]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    theirs = roc_auc_score(three, shares, multi_class="ovr", average="macro")
    assert judge_outputs(logits, three, ("a", "b", "c")).metric == pytest.approx(theirs)


def test_a_sure_and_right_network_is_calibrated_and_a_sure_and_wrong_one_is_not() -> None:
    target = np.array([0, 1] * 50)
    right = np.eye(2)[target] * 20
    assert judge_outputs(right, target, TWO).calibration_error == pytest.approx(0, abs=1e-6)
    assert judge_outputs(-right, target, TWO).calibration_error == pytest.approx(1, abs=1e-6)
    assert judge_outputs(-right, target, TWO).balanced_accuracy == 0


def test_octaves_are_judged_by_their_median_error() -> None:
    target = np.zeros(5, np.float32)
    assert judge_outputs(np.array([[0.1], [-0.2], [0.3], [4.0], [0.0]]), target, ()).metric == pytest.approx(0.2)


def test_a_difference_is_positive_where_ours_is_better() -> None:
    target = RNG.integers(2, size=120)
    noise = RNG.normal(size=(120, 2))
    good, bad = noise + target[:, None] * [0, 2.0], noise + target[:, None] * [0, 0.5]
    groups = np.arange(120).astype(str)
    mean, low, high = paired_difference([good, good], [bad, bad], target, groups, TWO, resamplings=300)
    assert 0 < low < mean < high
    flipped = paired_difference([bad], [good], target, groups, TWO, resamplings=300)
    assert flipped[0] == pytest.approx(-mean)
    octaves = paired_difference(
        [np.full((9, 1), 0.1)], [np.full((9, 1), 0.3)], np.zeros(9, np.float32), np.arange(9).astype(str), ()
    )
    assert octaves == pytest.approx((0.2, 0.2, 0.2))


def test_images_of_one_patient_are_drawn_together() -> None:
    target = np.repeat([0, 1], 60)
    # Ten patients a class; all images of a patient are alike.
    patients = np.repeat(np.arange(20), 6)
    shift = RNG.normal(size=20)[patients]
    ours = np.stack([np.zeros(120), target + shift], axis=1)
    theirs = np.zeros((120, 2))
    by_patient = paired_difference([ours], [theirs], target, patients.astype(str), TWO, resamplings=400)
    by_image = paired_difference([ours], [theirs], target, np.arange(120).astype(str), TWO, resamplings=400)
    assert by_patient[2] - by_patient[1] > 1.5 * (by_image[2] - by_image[1])
