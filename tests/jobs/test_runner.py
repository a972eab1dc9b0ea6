"""A stage's notes: known before anything is written, and saved no more often than that needs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.runs import job
from wsi_scale.artifacts.record import read_record
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.artifacts.state import FolderState
from wsi_scale.config.settings import InspectSettings
from wsi_scale.errors import BusyError
from wsi_scale.execution.lock import folder_lock
from wsi_scale.jobs.job import SlideJob
from wsi_scale.jobs.runner import Outcome, Prepared, Stage, holding, lasting, run_stage
from wsi_scale.slides.identity import slide_stamp


def stage(this: SlideJob, events: list[str], *, breaks_down: bool = False) -> Stage:
    """Make a stage that notes when it works, and whether the folder's owner is on disk by then."""

    def work(_: str) -> Outcome:
        events.append("work" if FolderState(this.folder).owner else "work in a folder of nobody")
        if breaks_down:
            raise KeyboardInterrupt
        (this.folder / "slide.json").write_text("{}")
        return Outcome()

    return Stage(SLIDE_STAGES["inspect"], InspectSettings(), lambda _: Prepared({}, work))


def test_notes_are_saved_before_the_work_and_after_it(
    small_slide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    save = FolderState.save
    monkeypatch.setattr(FolderState, "save", lambda state: (events.append("save"), save(state)))
    this = job(small_slide, tmp_path)
    record = run_stage(this, stage(this, events))
    assert (record.status, events) == ("ok", ["save", "work", "save"])

    events.clear()
    assert run_stage(this, stage(this, events)) == record
    assert events == ["save"]


def test_a_stage_that_is_killed_leaves_what_it_found_out(small_slide: Path, tmp_path: Path) -> None:
    this = job(small_slide, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run_stage(this, stage(this, [], breaks_down=True))
    assert read_record(tmp_path, "inspect") is None

    state = FolderState(tmp_path)
    assert state.owner is not None
    known = state.identity(small_slide, slide_stamp(small_slide), lambda: pytest.fail("the slide is read again"))
    assert known == this.identity()


def test_a_failure_keeps_what_an_earlier_run_left(small_slide: Path, tmp_path: Path) -> None:
    this = job(small_slide, tmp_path)
    first = run_stage(this, stage(this, []))
    gone = replace(this, row=replace(this.row, path=tmp_path / "gone.tiff"))
    assert run_stage(gone, stage(gone, [])).status == "failed"
    assert FolderState(tmp_path).last["inspect"] == first
    events: list[str] = []
    assert run_stage(this, stage(this, events)) == first
    assert events == []


def test_what_lasts_is_begun_once_and_ends_before_the_folder_is_free(tmp_path: Path) -> None:
    events: list[str] = []

    @contextmanager
    def thing() -> Iterator[int]:
        events.append("begun")
        yield len(events)
        with pytest.raises(BusyError), folder_lock(tmp_path, patience_s=0):
            pass
        events.append("ended")

    with holding(tmp_path):
        for _ in range(2):
            with holding(tmp_path):  # as each stage does
                assert lasting(tmp_path, "key", thing) == 1
    assert events == ["begun", "ended"]
    with holding(tmp_path):
        assert lasting(tmp_path, "key", thing) == 3
