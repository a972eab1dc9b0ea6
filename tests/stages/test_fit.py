"""Stage `fit`: a cohort's own regressor, where enough of it can be trusted."""

from pathlib import Path

import numpy as np
import pytest

from tests.runs import MPP, configured, draw
from wsi_scale.artifacts.prediction import read_prediction
from wsi_scale.artifacts.record import Record
from wsi_scale.artifacts.regressor import read_regressor, shipped_regressor
from wsi_scale.config.settings import FitSettings, PredictSettings
from wsi_scale.jobs.job import SlideJob
from wsi_scale.slides.sheet import SheetRow
from wsi_scale.stages.fit import fit, slides_to_fit
from wsi_scale.stages.inspect import inspect
from wsi_scale.stages.predict import predict
from wsi_scale.synthesis import write_pyramid

FAST = ("magnification.fit_tiles_per_slide=8", "magnification.tiles_per_slide=8")
FAST_FIT = FitSettings.of(configured(*FAST))


@pytest.fixture(scope="module")
def slides(shared: Path) -> list[Path]:
    """Six small slides of other tissue each."""
    paths = [shared / f"cohort-{number}.tiff" for number in range(6)]
    for number, path in enumerate(paths):
        write_pyramid(path, draw(2.5 + 0.5 * number, 420, 420, seed=40 + number), MPP)
    return paths


def cohort(slides: list[Path], folder: Path, groups: str, mpps: dict[int, float] | None = None) -> list[SlideJob]:
    """Inspect slides; one letter a slide names its group."""
    jobs = [
        SlideJob(SheetRow(path.stem, path, (mpps or {}).get(number), group), folder / path.stem)
        for number, (path, group) in enumerate(zip(slides, groups, strict=False))
    ]
    for this in jobs:
        inspect(this)
    return jobs


def predicted(this: SlideJob, regressor: Path) -> float:
    """Median estimate of a slide's own level, µm per pixel."""
    record: Record = predict(this, PredictSettings.of(configured(*FAST)), regressor)
    assert record.status == "ok", record.reason
    found = read_prediction(this.folder)
    assert found is not None
    return found.by_downsample["1"]


@pytest.mark.parametrize("groups", ["abcd", "abcdda"])
def test_fewer_than_five_groups_get_the_shipped_regressor(slides: list[Path], tmp_path: Path, groups: str) -> None:
    path = fit(cohort(slides, tmp_path, groups), FAST_FIT, tmp_path / "regressor.safetensors")

    assert path.read_bytes() == shipped_regressor().read_bytes()


def test_slides_whose_mpp_cannot_be_trusted_do_not_count(slides: list[Path], tmp_path: Path) -> None:
    jobs = cohort(slides, tmp_path, "abcdef", mpps={4: 3.0, 5: 352.0})

    path = fit(jobs, FAST_FIT, tmp_path / "regressor.safetensors")

    assert path.read_bytes() == shipped_regressor().read_bytes()


def test_five_groups_get_their_own_with_one_fold_that_never_saw_each(slides: list[Path], tmp_path: Path) -> None:
    jobs = cohort(slides, tmp_path, "abcdee")

    path = fit(jobs, FAST_FIT, tmp_path / "regressor.safetensors")

    header = read_regressor(path).header
    assert header["source"] == "cohort"
    assert set(header["fold_of"]) == set("abcde")
    assert set(header["fold_of"].values()) == {1, 2, 3, 4, 5}
    assert header["training"]["groups"] == 5
    answers = header["training"]["answers"]
    assert {answer["slide_id"] for answer in answers} == {path.stem for path in slides}


@pytest.mark.parametrize("workers", [1, 3])
def test_slides_are_read_side_by_side_and_the_bytes_stay(slides: list[Path], tmp_path: Path, workers: int) -> None:
    jobs = cohort(slides, tmp_path, "abcdef")
    expected = fit(jobs, FAST_FIT, tmp_path / "two.safetensors").read_bytes()

    settings = FitSettings.of(configured(*FAST, f"execution.workers={workers}"))

    assert fit(jobs, settings, tmp_path / "regressor.safetensors").read_bytes() == expected


def test_a_large_cohort_is_fitted_on_some_of_its_slides_and_one_more_slide_changes_one_at_most(
    slides: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wsi_scale.stages.fit.MOST_SLIDES", 5)
    jobs = cohort(slides, tmp_path, "abcdef")
    more = SlideJob(SheetRow("more", slides[0], None, "g"), tmp_path / "more")
    inspect(more)

    def fitted_on(jobs: list[SlideJob]) -> list[str]:
        return [slide.job.row.slide_id for slide in slides_to_fit(jobs)]

    few = fitted_on(jobs)
    assert len(few) == 5
    assert few == sorted(few)
    assert fitted_on(jobs[::-1]) == few[::-1]
    assert len({*fitted_on([*jobs, more])} & {*few}) >= 4


def test_another_bad_slide_recomputes_nothing_and_another_good_one_does(slides: list[Path], tmp_path: Path) -> None:
    config, target = configured(*FAST), tmp_path / "regressor.safetensors"
    jobs = cohort(slides[:5], tmp_path, "abcde")
    fit(jobs, FitSettings.of(config), target)
    first = target.stat()  # reading moves its time of access
    text = tmp_path / "text.svs"
    text.write_text("nothing\n" * 9)

    fit([*jobs, *cohort([text], tmp_path / "bad", "z")], FitSettings.of(config), target)
    assert (target.stat().st_ino, target.stat().st_mtime_ns) == (first.st_ino, first.st_mtime_ns)

    fit([*jobs, *cohort(slides[5:], tmp_path, "f")], FitSettings.of(config), target)
    assert target.stat().st_ino != first.st_ino
    assert set(read_regressor(target).header["fold_of"]) == set("abcdef")


def test_a_header_has_no_part_in_the_verdict_on_its_own_slide(slides: list[Path], tmp_path: Path) -> None:
    config = configured(*FAST)
    true, false = (
        fit(jobs, FitSettings.of(config), tmp_path / f"{name}.safetensors")
        for name, jobs in (
            ("true", cohort(slides, tmp_path / "true", "abcdef")),
            ("false", cohort(slides, tmp_path / "false", "abcdef", mpps={0: 0.68})),
        )
    )
    (judged,) = cohort(slides[:1], tmp_path / "judged", "a")
    (unseen,) = cohort(slides[:1], tmp_path / "unseen", "?")

    # By the model of its own fold the slide looks as before; a model that saw it has learnt the false header.
    moved = abs(np.log2(predicted(judged, false) / predicted(judged, true)))
    learnt = abs(np.log2(predicted(unseen, false) / predicted(unseen, true)))
    assert moved < 0.1
    assert learnt > 2 * moved


def test_a_configured_regressor_is_taken_as_it_is_and_checked(slides: list[Path], tmp_path: Path) -> None:
    jobs = cohort(slides, tmp_path, "abcdef")
    own = tmp_path / "own.safetensors"
    own.write_bytes(shipped_regressor().read_bytes())

    path = fit(jobs, FitSettings.of(configured(f"magnification.regressor={own}")), tmp_path / "regressor.safetensors")

    assert path.read_bytes() == own.read_bytes()


def test_a_wrong_header_teaches_nobody_and_widens_nobodys_interval(
    slides: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # The last slide claims four times its mpp.
    lying = fit(
        cohort(slides, tmp_path / "lying", "abcdef", mpps={5: 4 * MPP}),
        FAST_FIT,
        tmp_path / "l.safetensors",
    )
    honest = fit(cohort(slides[:5], tmp_path / "honest", "abcde"), FAST_FIT, tmp_path / "h.safetensors")

    told, expected = read_regressor(lying), read_regressor(honest)
    assert "cohort-5 is not used for fitting: it claims 2 µm/px" in caplog.text
    assert told.header["fold_of"] == expected.header["fold_of"]
    for name, values in expected.arrays.items():
        np.testing.assert_array_equal(told.arrays[name], values, err_msg=name)


def test_scores_are_the_errors_of_answers_over_their_difficulty_by_models_that_never_saw_the_slide(
    slides: list[Path], tmp_path: Path
) -> None:
    path = fit(cohort(slides, tmp_path, "abcdee"), FAST_FIT, tmp_path / "regressor.safetensors")

    stored = read_regressor(path)
    answers = stored.header["training"]["answers"]
    errors = [abs(np.log2(a["predicted_mpp"] / a["true_mpp"])) / a["difficulty_octaves"] for a in answers]
    np.testing.assert_allclose(stored.arrays["scores"][: len(errors)], errors)
    own_folds = [stored.header["fold_of"][a["group"]] for a in answers]
    assert own_folds == stored.arrays["score_folds"][: len(errors)].tolist()
    # Five groups are too few for a 90 % rank of their own: the shipped errors stay among theirs, in no fold.
    shipped = read_regressor(shipped_regressor()).arrays["scores"]
    np.testing.assert_array_equal(stored.arrays["scores"][len(errors) :], shipped)
    assert not stored.arrays["score_folds"][len(errors) :].any()
    # A slide stands for coarser ones as well.
    octaves = [np.log2(a["true_mpp"] / MPP) for a in answers]
    assert set(octaves) <= {0, 1, 2, 3}
    assert min(octaves) == 0
