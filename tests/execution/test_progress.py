"""The progress of long work: a bar on a terminal, lines in a log, nothing where that is asked for."""

import re
import threading
import time

import pytest

from wsi_scale.execution import progress as module
from wsi_scale.execution.progress import count_work, counting_work, progress, showing_progress


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINE_EVERY_S", 0.05)


def test_short_work_says_nothing_into_a_log(capfd: pytest.CaptureFixture[str]) -> None:
    with progress("search slide", 10) as advance:
        for _ in range(5):
            advance(2)
    assert capfd.readouterr() == ("", "")


def test_an_error_comes_through_it() -> None:
    with pytest.raises(ZeroDivisionError), progress("search slide", 10):
        raise ZeroDivisionError


@pytest.mark.usefixtures("terminal")
def test_on_a_terminal_it_tells_tiles_rate_and_time_left(capfd: pytest.CaptureFixture[str]) -> None:
    with progress("search slide", 4) as advance:
        for _ in range(4):
            advance(1)
    out, err = capfd.readouterr()
    assert out == ""
    assert "search slide" in err
    assert "4/4" in err
    assert "tiles/s" in err


@pytest.mark.usefixtures("impatient")
def test_long_work_has_a_line_now_and_then_with_rate_and_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("search slide", 100) as advance:
        advance(90, earlier=True)
        advance(2)
        time.sleep(0.2)

    first, *others = capsys.readouterr().err.splitlines()
    assert others
    # What an earlier run had done says nothing about the speed: eight tiles are left at two in the time until now.
    assert re.fullmatch(r"search slide: 92/100 tiles, \d+\.\d tiles/s, 0\.\d s left", first)


@pytest.mark.usefixtures("impatient")
def test_work_of_unknown_length_says_for_how_long_it_runs(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("tile slide"):
        time.sleep(0.12)
    assert re.match(r"tile slide: 0\.\d s so far\n", capsys.readouterr().err)


@pytest.mark.usefixtures("terminal", "impatient")
def test_a_log_gets_lines_on_a_terminal_too_and_who_wants_quiet_gets_none(capsys: pytest.CaptureFixture[str]) -> None:
    with showing_progress(True, bars=False), progress("search slide", 4) as advance:
        advance(1)
        time.sleep(0.12)
    said = capsys.readouterr().err
    assert "1/4 tiles" in said
    assert "\x1b" not in said

    with showing_progress(False), progress("search slide", 4) as advance:
        advance(1)
        time.sleep(0.12)
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("terminal")
def test_only_the_larger_of_two_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("fit", 2, unit="slides") as advance:
        with progress("inner", 5) as inner:
            inner(5)
        advance(2)
    said = capsys.readouterr().err
    assert "2/2" in said
    assert "inner" not in said


@pytest.mark.usefixtures("terminal")
def test_what_has_a_known_length_is_shown_in_the_place_of_what_has_none(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("search slide"):
        with progress("inner", 5) as inner, progress("innermost", 3):
            inner(5)
        with progress("without a length"):
            pass
    said = capsys.readouterr().err
    assert said.index("search slide") < said.index("5/5") < said.rindex("search slide")
    assert "innermost" not in said
    assert "without" not in said


@pytest.mark.usefixtures("impatient")
def test_a_log_too_has_lines_of_the_inner_one_only(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("search slide"), progress("inner", 5) as inner:
        inner(1)
        time.sleep(0.17)
    lines = capsys.readouterr().err.splitlines()
    assert lines
    assert all(line.startswith("inner: 1/5 tiles") for line in lines)


def test_work_is_counted_by_its_unit_whether_shown_or_not() -> None:
    with counting_work() as work, showing_progress(False):
        with progress("search slide", 10) as advance, progress("scenes", 3, unit="scenes") as inner:
            advance(6, earlier=True)
            advance(4)
            inner(3)
        count_work(96, "views")
    count_work(1, "views")
    with counting_work() as of_thread, progress("search slide", 10) as advance:
        teller = threading.Thread(target=advance, args=(3,))
        teller.start()
        teller.join()

    assert of_thread == {"tiles": 3}
    assert work == {"tiles": 4, "scenes": 3, "views": 96}
