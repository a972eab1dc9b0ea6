"""Whether the scale search helps a task: what is shown, what is corrected, and how arms are judged."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks.helps import fields, images, optimal, radius, wrong_mpp
from benchmarks.helps.corrections import (
    PREDICT_COHORT,
    PREDICT_IMAGE,
    PREDICT_REAL,
    PREDICT_RELATIVE,
    PREDICT_SLIDE,
    SEARCH_COHORT,
    SEARCH_IMAGE,
    SEEDS,
    SLIDE_PATCHES,
    TRUE,
    UNCORRECTED,
    Measured,
    corrections,
)
from benchmarks.helps.heads import LinearHead
from benchmarks.helps.images import resized, sizes_for
from benchmarks.helps.judge import auc, resampled
from benchmarks.helps.patches import SHARES, SIDE_PX, WRONG_OCTAVES, Patches, over_factors

RNG = np.random.default_rng(0)
TRUE_OCTAVES = np.array(WRONG_OCTAVES)[:, None]


def smooth_patches(count: int) -> Patches:
    """Patches of slow waves, which survive being shrunk."""
    x = np.linspace(0, 2 * np.pi, SIDE_PX)
    waves = np.sin(x[:, None] + np.arange(count)[:, None, None]) * np.cos(x)
    images = np.repeat((128 + 100 * waves)[..., None], 3, axis=3).astype(np.uint8)
    return Patches(images, np.arange(count) % 2)


@pytest.mark.parametrize("octaves", WRONG_OCTAVES)
def test_a_wrong_patch_shows_the_whole_field_and_the_true_factor_brings_it_back(octaves: float) -> None:
    patches = smooth_patches(3)
    wrong = patches.wrong_by(octaves)
    assert wrong.shape[1] == sizes_for(SIDE_PX, np.array(-octaves))
    size = int(sizes_for(wrong.shape[1], np.array(octaves)))
    assert size == SIDE_PX
    back = resized(wrong, size).astype(int)
    assert np.abs(back - patches.images.astype(int)).mean() < 3


def test_the_factors_count_as_if_drawn_log_uniformly() -> None:
    assert sum(SHARES) == 1
    assert over_factors(np.array(WRONG_OCTAVES)) == 0
    assert over_factors(np.abs(np.array(WRONG_OCTAVES))) == 0.5


def test_corrections_take_what_the_rulers_say() -> None:
    own = RNG.normal(0, 0.3, (1, 4 * SLIDE_PATCHES))
    searched = TRUE_OCTAVES + own
    searched[0, 0] = np.nan
    measured = Measured(TRUE_OCTAVES + own + 0.1, 0.1, searched)
    found = corrections(measured, np.array([0.25]))

    assert np.all(found[UNCORRECTED][0] == 0)
    assert np.all(found[TRUE][0] == TRUE_OCTAVES)
    assert np.array_equal(found[PREDICT_IMAGE][0], measured.predicted)
    np.testing.assert_allclose(found[PREDICT_REAL][0], TRUE_OCTAVES + np.full_like(own, 0.25))
    np.testing.assert_allclose(found[PREDICT_COHORT][0][:, 0], TRUE_OCTAVES[:, 0] + np.median(own) + 0.1)
    np.testing.assert_allclose(found[PREDICT_RELATIVE][0], found[PREDICT_COHORT][0] - 0.1)
    assert found[SEARCH_IMAGE][0][0, 0] == 0, "without an answer an image stays as it is"
    assert np.isfinite(found[SEARCH_COHORT][0]).all()


def test_a_slide_is_corrected_by_one_value_between_image_and_cohort() -> None:
    own = RNG.normal(0, 0.3, (1, 4 * SLIDE_PATCHES))
    found = corrections(Measured(TRUE_OCTAVES + own, 0.0, TRUE_OCTAVES + own), np.zeros(1))
    assert len(found[PREDICT_SLIDE]) == len(SEEDS)
    for octaves in found[PREDICT_SLIDE]:
        assert len(np.unique(octaves[0])) == own.shape[1] // SLIDE_PATCHES
        spreads = [(found[arm][0] - TRUE_OCTAVES).std() for arm in (PREDICT_COHORT, PREDICT_IMAGE)]
        assert spreads[0] < (octaves - TRUE_OCTAVES).std() < spreads[1]


def test_each_image_is_shown_at_its_own_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "FEATURES", tmp_path)
    reader, patches = images.Reader.of("embedded"), smooth_patches(3)
    mixed = reader.responses(patches.images, np.array([96, 48, 96]), "mixed")
    large, small = (reader.responses(patches.images, np.full(3, size), "alike") for size in (96, 48))
    for layer, values in mixed.items():
        np.testing.assert_allclose(values, np.stack([large[layer][0], small[layer][1], large[layer][2]]), rtol=1e-4)
    assert len(list(tmp_path.glob("helps-*.npz"))) == 3


def test_without_an_error_of_the_claim_all_classifiers_stay_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "FEATURES", tmp_path)
    patches = smooth_patches(40)
    octaves = np.zeros((len(WRONG_OCTAVES), len(patches.images)))
    found = wrong_mpp.decide(images.Reader.of("embedded"), patches, patches, {UNCORRECTED: [octaves]})
    assert set(found) == {
        f"{name}, {arm}"
        for name in (wrong_mpp.PLAIN, wrong_mpp.AUGMENTED, wrong_mpp.RESAMPLED)
        for arm in (UNCORRECTED, "right mpp")
    }
    home = WRONG_OCTAVES.index(0.0)
    right, wrong = found[wrong_mpp.RIGHT], found[f"{wrong_mpp.PLAIN}, {UNCORRECTED}"]
    assert np.array_equal(right[:, 0], wrong[:, home])
    assert not np.array_equal(right[:, 0], wrong[:, 0])


def test_auc_is_that_of_scikit_learn() -> None:
    decision, positive = RNG.normal(size=50).round(1), RNG.random(50) < 0.4
    assert auc(decision, positive) == pytest.approx(roc_auc_score(positive, decision))


def test_groups_are_drawn_whole() -> None:
    groups = np.repeat(["a", "b", "c"], [1, 2, 3])
    _, drawn = resampled(groups, lambda rows: np.bincount(rows, minlength=6).astype(float))
    assert np.array_equal(drawn[:, 1], drawn[:, 2])
    assert np.array_equal(drawn[:, 3], drawn[:, 5])
    assert not np.array_equal(drawn[:, 0], drawn[:, 1])


def test_a_head_reads_what_its_features_hold() -> None:
    target = np.arange(80) % 2
    responses = {"layer": np.exp(RNG.normal(size=(80, 3)) + 2 * target[:, None]).astype(np.float32)}
    head = LinearHead.fit([responses], target, np.arange(80))
    assert auc(head.answer(responses), target == 1) > 0.95
    number = np.log(responses["layer"][:, 0]).astype(np.float64)
    regression = LinearHead.fit([responses], number, np.arange(80), regression=True)
    assert np.abs(regression.answer(responses) - number).mean() < 0.1


def test_what_is_left_of_the_loss_counts_from_right_to_uncorrected() -> None:
    tumour = np.arange(200) % 2
    good = np.where(tumour == 1, 1.0, -1.0)
    half = np.where(np.arange(200) < 100, good, -good)
    factors = np.ones((1, len(WRONG_OCTAVES), 1))
    right, wrong, other = (factors * decisions for decisions in (good, -good, half))
    names = (wrong_mpp.RIGHT, f"{wrong_mpp.PLAIN}, {UNCORRECTED}", wrong_mpp.COMPARATOR)
    found = wrong_mpp.judge(
        dict(zip(names, (right, wrong, other), strict=True)), Patches(smooth_patches(1).images, tumour)
    )
    assert [found[name]["accuracy"].value for name in names] == [1, 0, 0.5]
    assert [found[name]["accuracy_loss_left"].value for name in names] == [0, 1, 0.5]
    assert found[names[0]]["accuracy_over_augmentation"].low > 0.3


def test_median_radii_weigh_large_nuclei_by_their_area() -> None:
    side = fields.FIELD_PX
    areas = np.array([100.0] * 9 + [900.0] * 3)
    nuclei = np.stack([np.full(12, 10.0), np.full(12, 10.0), areas, np.zeros(12)], axis=1)
    plain, weighted = fields.median_radii(nuclei, (0, 0))
    assert plain == pytest.approx(np.sqrt(100 / np.pi) * fields.MPP)
    assert weighted == pytest.approx(np.sqrt(900 / np.pi) * fields.MPP)
    assert np.isnan(fields.median_radii(nuclei, (side, 0))[0]), "no nucleus lies in the next field"


def test_the_training_part_chooses_the_mpp_that_tells() -> None:
    target = np.arange(120) % 2
    told = {"layer": np.exp(RNG.normal(size=(120, 2)) + target[:, None]).astype(np.float32)}
    blind = {"layer": np.exp(RNG.normal(size=(120, 2))).astype(np.float32)}
    rows = np.arange(120)
    question = optimal.Question(
        "tumour",
        np.zeros((120, 4, 4, 3), np.uint8),
        target,
        rows,
        [(rows[:80], rows[80:])],
        False,
        1.0,
        (),
        np.ones(120),
    )
    answers, chosen = optimal.answer_arms(question, {optimal.FIXED: {"1": blind, "2": told}, optimal.OWN: {"0": blind}})
    assert chosen == {optimal.FIXED: ["2"], optimal.OWN: ["0"]}
    arms = optimal.figures_of(question, answers)["arms"]
    assert np.isnan(answers[optimal.FIXED][:80]).all()
    assert arms[optimal.OWN]["difference"].value < 0


def test_the_least_confident_third_is_told_by_its_spread() -> None:
    confidence = np.repeat([0.2, 0.5, 0.8], 40)
    error = RNG.normal(0, np.repeat([0.3, 0.2, 0.1], 40))
    found = radius._against(error, np.zeros(120), confidence, np.arange(120).astype(str))
    spreads = [found[f"sd, {name} confident third"].value for name in radius.TERTILES]
    np.testing.assert_allclose(spreads, [0.3, 0.2, 0.1], atol=0.06)
    assert found["least less most"].low > 0
    assert found["rank correlation of confidence and error"].value < -0.2
