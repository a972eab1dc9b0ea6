"""One slide may fail in any way; the next one goes on."""

import logging

import pytest

from wsi_scale.errors import SlideError
from wsi_scale.execution.guard import guarded


def answer(work: object, caplog: pytest.LogCaptureFixture) -> tuple[str, list[logging.LogRecord]]:
    caplog.clear()
    return guarded("slide a: predict", work, lambda why: f"failed: {why}"), caplog.records  # type: ignore[arg-type]


def raising(error: BaseException) -> object:
    def work() -> str:
        raise error

    return work


def test_what_succeeds_is_passed_on(caplog: pytest.LogCaptureFixture) -> None:
    assert answer(lambda: "done", caplog) == ("done", [])


def test_an_error_of_the_users_is_its_own_line_and_needs_no_log(caplog: pytest.LogCaptureFixture) -> None:
    assert answer(raising(SlideError("a.svs: truncated\nsecond line")), caplog) == (
        "failed: a.svs: truncated second line",
        [],
    )


def test_an_error_of_ours_names_its_kind_and_is_logged_with_its_trace(caplog: pytest.LogCaptureFixture) -> None:
    told, (record,) = answer(raising(ZeroDivisionError("division by zero")), caplog)
    assert told.startswith("failed: unexpected ZeroDivisionError: division by zero (see the log")
    assert record.getMessage() == "slide a: predict"
    assert record.exc_info is not None


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
def test_whoever_ends_the_program_ends_it(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(type(error)):
        answer(raising(error), caplog)
