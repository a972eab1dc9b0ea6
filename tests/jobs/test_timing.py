"""What was run is noted beside the results, and is no result."""

import json
from pathlib import Path
from threading import Thread

import pytest

from tests.runs import contents, in_child, job, wsi_scale
from wsi_scale.artifacts.runs import NAME, StageRun, made_in, read_runs
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.config.models import Config
from wsi_scale.execution.progress import count_work
from wsi_scale.jobs.job import SlideJob
from wsi_scale.jobs.timing import inputs_words, recording, stage_words, timed, timed_cohort
from wsi_scale.jobs.verify import verify
from wsi_scale.version import __version__


def worked(this: SlideJob, stage: str = "tile") -> None:
    this.folder.mkdir(exist_ok=True)
    with timed(stage, this) as clock:
        count_work(20, "tiles")
        clock.inputs = {"slide": "0123", "execution": {"device": "cpu", "dtype": "float32"}}
        clock.ended = ("ok", "print")


def test_a_run_says_what_was_run_where_with_what_and_how_long_it_took(finished: Path) -> None:
    (run,) = read_runs(finished)

    assert [done.stage for done in run.stages] == [*SLIDE_STAGES, "report"]
    assert {done.how for done in run.stages} == {"computed"}
    assert run.versions["wsi_scale"] == __version__
    assert {"python", "torch", "openslide-python", "tifffile", "zarr"} <= run.versions.keys()
    # What a slide's stages read, and nothing else.
    assert run.configuration["tiling"]["mpp"] == 0.5
    assert not {"results", "training", "transfer", "demo"} & run.configuration.keys()
    assert run.machine.host
    assert run.started <= run.stages[0].started <= run.stages[-1].started <= run.ended
    of = {done.stage: done for done in run.stages}
    assert of["search"].work == of["extract"].work == {"tiles": 20}
    assert of["predict"].work["views"] > 0
    assert of["tile"].work["pixels"] > 0
    assert (of["search"].device, of["tile"].device) == ("cpu", "")
    assert of["search"].seconds > 0
    assert of["search"].cpu_seconds > 0
    assert of["search"].peak_memory_mb > 100
    records = {stage: json.loads((finished / f"{stage}.json").read_text()) for stage in SLIDE_STAGES}
    assert {stage: of[stage].fingerprint for stage in SLIDE_STAGES} == {
        stage: record["fingerprint"] for stage, record in records.items()
    }
    identity = json.loads((finished / "slide.json").read_text())["identity"]
    assert {done.inputs["slide"] for done in run.stages[:-1]} == {identity}
    assert {"network", "calibration", "tiles"} <= of["search"].inputs.keys()
    assert "regressor" in of["predict"].inputs


def test_a_second_run_says_that_all_was_there_and_keeps_how_long_it_took(
    small_slide: Path, finished_copy: Path
) -> None:
    made = made_in(finished_copy)
    assert [found.stage.stage for found in made] == list(SLIDE_STAGES)

    wsi_scale("run", small_slide, "-o", finished_copy)
    wsi_scale("run", small_slide, "-o", finished_copy)

    first, last = read_runs(finished_copy)
    assert {done.how for done in last.stages} == {"up to date"}
    assert made_in(finished_copy) == made
    assert made[0].run == first


def test_what_was_run_is_no_result(small_slide: Path, finished_copy: Path) -> None:
    before = contents(finished_copy)
    (finished_copy / NAME).unlink()

    assert verify(finished_copy) == (1, [])
    wsi_scale("run", small_slide, "-o", finished_copy)

    assert contents(finished_copy) == before


def test_a_file_of_that_name_is_not_overwritten(
    small_slide: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / NAME).write_text("my marathons")
    with recording(Config()):
        worked(job(small_slide, tmp_path / "out"))

    assert (tmp_path / "out" / NAME).read_text() == "my marathons"
    assert "move it away" in caplog.text
    # Nor where nothing of this program is yet.
    assert "runs.json not made by this program" in wsi_scale("inspect", small_slide, "-o", tmp_path / "out").stderr


def test_one_process_notes_the_stages_of_each_slide_in_its_folder(small_slide: Path, tmp_path: Path) -> None:
    with recording(Config()) as outer:
        for name in ("a", "b"):
            with recording(Config()) as inner:
                worked(job(small_slide, tmp_path / name))
            assert inner is outer
        worked(job(small_slide, tmp_path / "a"), "search")

    (of_a,), (of_b,) = read_runs(tmp_path / "a"), read_runs(tmp_path / "b")
    assert of_a.run == of_b.run
    assert [done.stage for done in of_a.stages] == ["tile", "search"]
    assert [done.stage for done in of_b.stages] == ["tile"]
    assert "tissue" in of_a.configuration


def test_a_stage_that_was_interrupted_or_that_nobody_asked_about_is_not_noted(
    small_slide: Path, tmp_path: Path
) -> None:
    this = job(small_slide, tmp_path)
    worked(this)
    with recording(Config()), pytest.raises(KeyboardInterrupt), timed("tile", this):
        raise KeyboardInterrupt
    assert not (tmp_path / NAME).exists()


def test_verbose_says_what_is_done_and_why_before_and_after_the_name(small_slide: Path, tmp_path: Path) -> None:
    first = in_child("-v", "inspect", small_slide, "-o", tmp_path)
    second = in_child("inspect", "-v", small_slide, "-o", tmp_path)
    silent = in_child("inspect", small_slide, "-o", tmp_path)

    assert "small: inspect: no result yet" in first.stderr
    assert "s of CPU, peak memory" in first.stderr
    assert "small: inspect: up to date" in second.stderr
    assert silent.stderr == ""
    assert first.stdout == second.stdout == silent.stdout == "inspect: ok\n"


def test_a_stage_is_told_in_one_line() -> None:
    done = StageRun("a", "search", "computed", "ok", "f", "", 4.0, 7.5, {"tiles": 20}, 812.4, "cpu", "float32", {})
    assert stage_words(done) == "a: search: ok, 20 tiles in 4.0 s (5.0 tiles/s)"
    assert stage_words(done, thorough=True).endswith("(5.0 tiles/s), 7.5 s of CPU, peak memory 812 MB")
    idle = StageRun("", "search", "passed on", "empty", "", "", 0.0, 0.0, {}, 9.0, "", "", {})
    assert stage_words(idle) == "search: nothing to do (empty)"
    inputs = {"execution": {"device": "cuda", "dtype": "bfloat16"}, "network": ["0123456789abcdef", "", []]}
    assert inputs_words(inputs) == "cuda, bfloat16, network 0123456789ab"


def test_two_stages_of_a_cohort_that_end_together_are_both_noted(tmp_path: Path) -> None:
    def note(stage: str) -> None:
        with recording(Config()), timed_cohort(stage, tmp_path) as clock:
            clock.ended = ("ok", "")

    stages = [*SLIDE_STAGES, "calibrate", "fit"]
    threads = [Thread(target=note, args=(stage,)) for stage in stages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    noted = [stage.stage for run in read_runs(tmp_path) for stage in run.stages]
    assert sorted(noted) == sorted(stages)
