"""From features of a slide's views to µm per pixel with an interval."""

from dataclasses import replace

import numpy as np
import pytest

from tests.planted import SPREAD, reading_head
from wsi_scale.magnification.estimate import Estimate, Views, estimate_views
from wsi_scale.magnification.out_of_range import OutOfRange
from wsi_scale.magnification.regressor import Regressor

COUNT = 12
REGRESSOR = replace(Regressor.of_head(reading_head()), scores=np.full(19, 0.8), score_folds=np.zeros(19, int))


#: Red, green and blue light absorbed by H&E and by immunohistochemistry, and what brown pixels absorb of it.
PINK, BROWN = (6.0, 10.0, 6.0, 0.0), (7.0, 10.0, 11.0, 20.0)


def views(mpp: float, *downsamples: int, shift: float = 0.0, light: tuple[float, ...] = PINK) -> list[Views]:
    """Views of a slide whose planted feature is the log2 mpp that they show."""
    x = np.arange(COUNT) * 100.0
    centres = np.stack([x, 5 + 0 * x], axis=1)
    moved = np.where(x < x.mean(), 0.0, shift)[:, None]
    return [
        Views(d, np.full((COUNT, 1), np.log2(mpp * d)) + moved, centres, np.tile(light, (COUNT, 1)))
        for d in downsamples
    ]


def test_level_0_is_estimated_from_all_downsamples_with_an_interval() -> None:
    estimate = estimate_views(REGRESSOR, views(0.5, 1, 2, 4), 0.9)
    assert estimate.pooled.log2_mpp == pytest.approx(-1, abs=1e-3)
    assert estimate.pooled.views == 3 * COUNT
    assert set(estimate.pooled.by_downsample) == {1, 2, 4}
    # All scores are 0.8, and the difficulty is what the planted head gives itself.
    assert estimate.half_width_octaves == pytest.approx(0.8 * SPREAD, abs=1e-3)
    assert (estimate.reason, estimate.mixed) == ("", "")


def test_the_answer_comes_from_the_model_that_never_saw_the_group() -> None:
    folded = replace(
        REGRESSOR,
        bends=np.zeros((2, 1)),
        offsets=np.array([0.0, 0.5]),
        scores=np.array([0.8] * 19 + [9.0] * 19),
        score_folds=np.repeat([2, 1], 19),
        fold_of={"mine": 1},
    )
    unseen, mine = (estimate_views(folded, views(0.5, 1), 0.9, group) for group in (None, "mine"))
    assert mine.pooled.log2_mpp == pytest.approx(unseen.pooled.log2_mpp + 0.5)
    assert mine.half_width_octaves == pytest.approx(0.8 * SPREAD, abs=1e-3)
    assert unseen.half_width_octaves > 5 * mine.half_width_octaves


def test_views_are_taken_one_downsample_at_a_time() -> None:
    seen = []

    def one_by_one() -> "object":
        for part in views(0.5, 1, 2):
            seen.append(part.downsample)
            yield part

    estimate_views(REGRESSOR, one_by_one(), 0.9)  # type: ignore[arg-type]
    assert seen == [1, 2]


def test_halves_that_differ_are_told() -> None:
    estimate = estimate_views(REGRESSOR, views(0.5, 1, 2, shift=1.2), 0.9)
    assert estimate.mixed == "its left half is estimated at 0.5 µm/px and its right half is estimated at 1.1 µm/px"


def test_halves_of_what_is_no_tissue_are_not_told_apart() -> None:
    seen = Regressor.of_head(reading_head())
    vague = replace(seen, head=replace(seen.head, bias=np.append(seen.head.bias[:-1], 1e4)))
    estimate = estimate_views(vague, views(0.5, 1, 2, shift=1.2), 0.9)
    assert estimate.reason.startswith("does not look like brightfield tissue")
    assert estimate.mixed == ""


def test_no_views_are_an_abstention() -> None:
    estimate = estimate_views(REGRESSOR, [], 0.9)
    assert isinstance(estimate, Estimate)
    assert estimate.reason == "no tissue found"
    assert (estimate.pooled.views, estimate.mixed) == (0, "")


def test_a_slide_beyond_the_range_is_an_abstention() -> None:
    assert "outside 0.2–4.0" in estimate_views(REGRESSOR, views(6.0, 1), 0.9).reason


def test_whether_there_is_an_answer_does_not_hang_on_the_coverage_asked_for() -> None:
    wide = replace(REGRESSOR, scores=np.append(np.full(95, 0.8), np.full(5, 30.0)), score_folds=np.zeros(100, int))
    usual, sure = (estimate_views(wide, views(0.5, 1, 2), coverage) for coverage in (0.9, 0.99))
    assert (usual.reason, sure.reason) == ("", "")
    assert sure.half_width_octaves > 1 > usual.half_width_octaves


def test_what_could_be_anything_gets_no_estimate() -> None:
    vague = replace(REGRESSOR, scores=np.full(19, 30.0))
    assert estimate_views(vague, views(0.5, 1, 2), 0.9).reason.startswith("the estimate is too uncertain")


def beyond(mpp: float) -> Regressor:
    """A regressor for which level-0 views that look coarser than this lie beyond what can be told."""
    return replace(REGRESSOR, out_of_range=OutOfRange(np.ones(1), -float(np.log2(mpp))))


def test_level_0_that_lies_beyond_what_can_be_told_gets_no_estimate() -> None:
    usual, judged = (estimate_views(regressor, views(0.5, 1, 2, 4), 0.9) for regressor in (REGRESSOR, beyond(0.4)))
    assert judged.reason.startswith("level 0 is probably an overview or an enlargement")
    assert (usual.reason, judged.pooled) == ("", usual.pooled)


def test_coarser_views_may_lie_beyond_as_those_of_every_slide_do() -> None:
    assert estimate_views(beyond(0.6), views(0.5, 1, 2, 4), 0.9).reason == ""


def test_all_level_0_views_count_also_of_several_images() -> None:
    fine, coarse = views(0.5, 1), views(0.9, 1)
    assert estimate_views(beyond(0.69), [*fine, *coarse], 0.9).reason == ""
    assert estimate_views(beyond(0.65), [*fine, *coarse], 0.9).reason.startswith("level 0 is probably an overview")


def test_other_stains_get_no_answer_from_one_that_is_calibrated_on_h_and_e() -> None:
    pink, brown = views(0.5, 1, 2, 4), views(0.5, 1, 2, 4, light=BROWN)
    of_he = replace(REGRESSOR, he_alone=True)
    assert estimate_views(of_he, pink, 0.9).reason == ""
    assert estimate_views(of_he, brown, 0.9).reason.startswith("71% of the stain is brown")
    assert estimate_views(REGRESSOR, brown, 0.9).reason == ""
