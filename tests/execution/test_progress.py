"""The progress bar."""

import pytest

from wsi_scale.execution.progress import progress


def test_it_is_silent_where_nobody_watches(capfd: pytest.CaptureFixture[str]) -> None:
    with progress("search slide", 10) as advance:
        for _ in range(5):
            advance(2)
    assert capfd.readouterr() == ("", "")


def test_an_error_comes_through_it() -> None:
    with pytest.raises(ZeroDivisionError), progress("search slide", 10):
        raise ZeroDivisionError


def test_on_a_terminal_it_tells_tiles_rate_and_time_left(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    with progress("search slide", 4) as advance:
        for _ in range(4):
            advance(1)
    out, err = capfd.readouterr()
    assert out == ""
    assert "search slide" in err
    assert "4/4" in err
    assert "tiles/s" in err
