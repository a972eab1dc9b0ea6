"""Figures of the estimator of µm per pixel."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.magnification.figures import Answer, by_group, tile_figures, wrong_and_confident
from benchmarks.magnification.fixed import MPPS, fixed_tiles
from benchmarks.magnification.stains import DRAWN, drawn_from
from benchmarks.sources import Source
from wsi_scale.synthesis.scene import Scene, render_scene


def answer(error: float, reason: str = "", case: str = "c", organ: str = "colon") -> Answer:
    return Answer("tissue", case, "s", 0.5, 0.5, -1 + error, 0.2, 16, reason, "H&E", organ)


def test_only_answers_that_miss_by_half_an_octave_beyond_their_interval_are_confident_and_wrong() -> None:
    answers = [answer(0.1), answer(0.69), answer(-0.71), answer(3.0), answer(3.0, "too uncertain"), answer(np.nan)]
    found = wrong_and_confident(answers, [1.0] * 20)
    assert (found["wrong"], found["answered"], found["share"]) == (2, 4, 0.5)
    assert 0.9 < found["upper"] < 0.94


def test_groups_of_few_cases_share_a_row() -> None:
    several = [answer(error, case=f"c{error}") for error in (0.1, -0.2, 0.4)]
    lone = [answer(0.3, case="d", organ="skin"), answer(-0.3, case="e", organ="liver")]
    rows = by_group([*lone, *several], lambda each: each.organ)
    assert list(rows) == ["colon", "others"]
    assert rows["colon"] == {
        "median_octaves": 0.2, "bias_octaves": 0.1, "n": 3, "within_quarter_octave": 0.6667, "cases": 3,
    }  # fmt: skip
    assert (rows["others"]["n"], rows["others"]["cases"]) == (2, 2)


def test_without_a_wrong_answer_the_upper_end_falls_with_their_number() -> None:
    assert wrong_and_confident([answer(0.0)] * 100, [1.0] * 20)["upper"] == pytest.approx(0.0362, abs=1e-3)
    assert wrong_and_confident([answer(2.0)], [1.0] * 20)["upper"] == 1.0


def test_r2_is_that_of_log2_mpp_and_errors_are_in_both_units() -> None:
    truth = np.log2([0.25, 0.5, 1.0, 2.0])
    assert tile_figures(truth, truth) == {"r2": 1.0, "mae_um": 0.0, "median_octaves": 0.0, "n": 4}
    assert tile_figures(truth + 1, truth)["median_octaves"] == 1.0
    assert tile_figures(truth + 1, truth)["mae_um"] == pytest.approx(np.mean([0.25, 0.5, 1.0, 2.0]), abs=1e-4)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    path = tmp_path / "field.png"
    Image.fromarray(render_scene(Scene(3.0, seed=3, size_px=600, mpp=0.5))).save(path)
    return Source(path, 0.5, "c", "s", "colon", "scanner", "H&E", "tissue")


def test_tiles_are_at_mpp_that_the_field_can_show(source: Source) -> None:
    tiles, truth = fixed_tiles(source, 0)
    assert sorted(set(np.round(2**truth, 3))) == [mpp for mpp in MPPS if 0.5 <= mpp <= 600 * 0.5 / 224]
    assert tiles.shape == (len(truth), 224, 224, 3)
    again, _ = fixed_tiles(source, 0)
    np.testing.assert_array_equal(tiles, again)


def test_a_drawn_double_has_another_stain_and_identity_and_the_same_pixels_each_time(source: Source) -> None:
    double = drawn_from(source)
    assert (double.stain, double.mpp, double.case) == (DRAWN, source.mpp, source.case)
    assert double.identity != source.identity
    np.testing.assert_array_equal(double.pixels(), double.pixels())
    assert not np.array_equal(double.pixels(), source.pixels())
