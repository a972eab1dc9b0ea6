"""BreakHis: names, folds of patients, answers that were never trained on, and scores."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from wsi_scale.errors import SlideError
from wsi_scale.magnification.breakhis import (
    MAGNIFICATIONS,
    BreakHisName,
    held_out_offset,
    held_out_ridge,
    nearest_magnification,
    parse_name,
    patient_folds,
    relative_log2_mpp,
    score,
    untrained_folds,
)

#: Patient and magnification of a few real images, of which 200x and 400x share a patient.
FEW = (
    *((patient, 40) for patient in ("22549", "25197", "9133", "21998", "3411", "2523", "12204", "10147", "15704")),
    *(("9146", 40), ("22549", 100), ("25197", 100), ("3909", 100), ("25197", 200), ("3909", 200)),
    *(("14134", 400), ("25197", 400)),
)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("SOB_B_A-14-22549AB-40-001.png", ("SOB", "B", "A", 14, "22549", "AB", 40, 1)),
        ("SOB_B_PT-14-21998AB-100-012.PNG", ("SOB", "B", "PT", 14, "21998", "AB", 100, 12)),
        ("SOB_M_DC-14-2523-400-010", ("SOB", "M", "DC", 14, "2523", "", 400, 10)),
        ("SOB_M_LC-14-15570C-200-003.jpeg", ("SOB", "M", "LC", 14, "15570", "C", 200, 3)),
        ("CNB_M_PC-15-190EF-40-001.JPG", ("CNB", "M", "PC", 15, "190", "EF", 40, 1)),
    ],
)
def test_a_name_is_taken_apart(name: str, parts: tuple[object, ...]) -> None:
    expected = BreakHisName(*parts)  # type: ignore[arg-type]

    assert parse_name(name) == expected


def test_a_patient_is_the_slides_number_whatever_its_type_and_sections() -> None:
    two_classes = [parse_name(f"SOB_M_{kind}-14-13412-40-001.png").patient for kind in ("DC", "LC")]
    sections = [parse_name(f"SOB_B_A-14-22549{letters}-40-001.png").patient for letters in ("AB", "CD", "G", "")]

    assert set(two_classes) == {"13412"}
    assert set(sections) == {"22549"}


@pytest.mark.parametrize(
    "name",
    [
        "",
        "photo.png",
        "SOB_B_A-14-22549AB-40-001.tif",
        "SOB_B_A-14-22549AB-50-001.png",
        "SOB_B_A-14-22549AB-40.png",
        "SOB_B_A-14-AB-40-001.png",
        "SOB_B_A_14-22549AB-40-001.png",
        "SOB_X_A-14-22549AB-40-001.png",
        "SOB_B_DC-14-22549AB-40-001.png",
        "SOB_M_XX-14-22549-40-001.png",
        "._SOB_B_A-14-22549AB-40-001.png",
        "SOB_B_A-14-22549AB-40-001.png\n",
        "SOB_B_A-14-٢٢-40-001.png",
    ],
)
def test_a_bad_name_is_told_in_one_line(name: str) -> None:
    with pytest.raises(SlideError, match="is not a BreakHis name") as caught:
        parse_name(name)

    assert "\n" not in str(caught.value)


def test_scales_are_octaves_from_the_coarsest_magnification() -> None:
    steps = np.diff(relative_log2_mpp(MAGNIFICATIONS))

    assert relative_log2_mpp(40) == 0
    assert steps == pytest.approx([-math.log2(2.5), -1, -1])


def test_an_answer_is_of_the_magnification_that_is_fewest_octaves_away() -> None:
    border = -(math.log2(2.5) + 1 / 2)
    answers = np.array([3.0, -0.6, -0.7, border + 0.01, border - 0.01, -9.0])

    assert nearest_magnification(answers).tolist() == [40, 40, 100, 100, 200, 400]
    assert nearest_magnification(relative_log2_mpp(MAGNIFICATIONS)).tolist() == list(MAGNIFICATIONS)


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(MAGNIFICATIONS)), min_size=2, max_size=40).filter(
        lambda images: len({patient for patient, _ in images}) > 1
    ),
    st.integers(2, 6),
    st.integers(0, 5),
)
@settings(deadline=None, max_examples=60)
def test_folds_never_split_a_patient_and_none_is_empty(images: list[tuple[str, int]], asked: int, seed: int) -> None:
    patients, magnifications = [patient for patient, _ in images], np.array([scale for _, scale in images])

    folds = patient_folds(patients, magnifications, asked, seed)

    assert len(set(zip(patients, folds, strict=True))) == len(set(patients))
    assert 2 <= len(set(folds)) <= min(asked, len(set(patients)))
    assert set(folds) == set(range(1, folds.max() + 1))


@pytest.mark.parametrize("seed", range(10))
def test_rare_magnifications_are_taught_in_every_fold_where_two_patients_have_them(seed: int) -> None:
    patients, magnifications = [patient for patient, _ in FEW], np.array([scale for _, scale in FEW])

    folds = patient_folds(patients, magnifications, 5, seed)

    assert folds.max() == 5
    assert untrained_folds(magnifications, folds) == []


def test_a_magnification_of_one_patient_is_told_to_be_untaught() -> None:
    magnifications = np.array([40, 100, 40, 100, 400, 400])

    assert untrained_folds(magnifications, np.array([1, 1, 2, 2, 2, 2])) == [(2, 400)]


def test_the_offset_is_taken_from_other_folds() -> None:
    magnifications = np.array([40, 200, 40, 200, 40, 200])
    log2_mpp = relative_log2_mpp(magnifications) + np.array([1.0, 1.0, 1.0, 1.0, 5.0, 5.0])

    relative = held_out_offset(log2_mpp, magnifications, np.array([1, 1, 2, 2, 3, 3]))

    # Folds 1 and 2 see the other's 1 and fold 3's 5; fold 3 sees but 1.
    assert relative - relative_log2_mpp(magnifications) == pytest.approx([-2, -2, -2, -2, 4, 4])


def test_no_magnification_outvotes_the_others_in_the_offset() -> None:
    magnifications = np.array([40, *[40] * 8, 400])
    log2_mpp = relative_log2_mpp(magnifications) + np.array([0.0, *[1.0] * 8, 2.0])

    relative = held_out_offset(log2_mpp, magnifications, np.array([1] + [2] * 9))

    assert relative[0] == pytest.approx(-1.5)


def test_a_head_learns_from_the_other_folds_alone() -> None:
    rng = np.random.default_rng(0)
    patients = [f"{number // 4}" for number in range(80)]
    magnifications = np.array(MAGNIFICATIONS * 20)
    features = rng.normal(size=(80, 6))
    features[:, 0] = 3 * relative_log2_mpp(magnifications) + rng.normal(0, 0.1, 80)
    folds = patient_folds(patients, magnifications, 5, 0)

    relative = held_out_ridge(features, patients, magnifications, folds)
    changed = magnifications.copy()
    changed[folds == 1] = 40
    blind = held_out_ridge(features, patients, changed, folds)

    assert np.abs(relative - relative_log2_mpp(magnifications)).max() < 0.3
    assert np.array_equal(blind[folds == 1], relative[folds == 1])


def test_two_patients_are_enough_for_a_head_each_of_the_other() -> None:
    magnifications = np.array(MAGNIFICATIONS * 2)
    features = relative_log2_mpp(magnifications)[:, None]

    relative = held_out_ridge(features, ["a"] * 4 + ["b"] * 4, magnifications, np.array([1] * 4 + [2] * 4))

    assert np.isfinite(relative).all()


def test_scores_are_those_worked_out_by_hand() -> None:
    magnifications = np.array([40, 40, 100, 200, 400, 400])
    # Off by 0, 1.32 (taken for 100), 0, 0.4, 0, 2.32 octaves (taken for 100).
    away = np.array([0, -math.log2(2.5), 0, 0.4, 0, 2])
    patients = ["a", "a", "a", "b", "b", "c"]

    found = score(relative_log2_mpp(magnifications) + away, magnifications, patients)

    values = {name: figure.value for name, figure in found.figures.items()}
    said = [40, 100, 100, 200, 400, 100]
    assert nearest_magnification(relative_log2_mpp(magnifications) + away).tolist() == said
    # By chance 2/6 · 1/6 + 1/6 · 3/6 + 1/6 · 1/6 + 2/6 · 1/6 = 8/36 agree.
    assert values == pytest.approx(
        {
            "accuracy": 4 / 6,
            "patient_accuracy": (2 / 3 + 1 + 0) / 3,
            "kappa": (4 / 6 - 8 / 36) / (1 - 8 / 36),
            "recall_40": 1 / 2,
            "recall_100": 1,
            "recall_200": 1,
            "recall_400": 1 / 2,
            "median_error_octaves": 0.2,
            "mean_error_octaves": (math.log2(2.5) + 0.4 + 2) / 6,
        }
    )
    assert values["kappa"] == pytest.approx(cohen_kappa_score(magnifications, said))
    assert found.chance == pytest.approx(2 / 6)


def test_intervals_hold_their_value_and_come_from_patients() -> None:
    rng = np.random.default_rng(1)
    magnifications = np.array(MAGNIFICATIONS * 30)
    relative = relative_log2_mpp(magnifications) + rng.normal(0, 0.5, 120)
    alone, together = [str(number) for number in range(120)], [str(number // 40) for number in range(120)]

    of_many, of_three = (score(relative, magnifications, patients) for patients in (alone, together))

    for figure in of_many.figures.values():
        assert figure.low <= figure.value <= figure.high
        assert figure.low < figure.high
    wide = of_many.figures["accuracy"]
    # Binomial standard error of a share of 120.
    assert (wide.high - wide.low) / 3.92 == pytest.approx(math.sqrt(wide.value * (1 - wide.value) / 120), rel=0.15)
    # Three patients: the ends are those of the best and the worst.
    shares = (nearest_magnification(relative) == magnifications).reshape(3, 40).mean(axis=1)
    assert (of_three.figures["accuracy"].low, of_three.figures["accuracy"].high) == (
        pytest.approx(shares.min(), abs=0.02),
        pytest.approx(shares.max(), abs=0.02),
    )
    assert score(relative, magnifications, alone) == of_many


def test_a_perfect_answer_scores_one_everywhere() -> None:
    magnifications = np.array(MAGNIFICATIONS * 3)

    found = score(relative_log2_mpp(magnifications), magnifications, ["a", "b", "c"] * 4)

    shares = [figure for name, figure in found.figures.items() if not name.endswith("octaves")]
    assert {figure.value for figure in shares} == {1.0}
    assert found.figures["mean_error_octaves"].value == 0
