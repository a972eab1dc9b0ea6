"""Whatever a reader raises, what passes the border is a SlideError with one line."""

import errno
import struct
from pathlib import Path

import pytest

from wsi_scale.errors import MppError, ReadError, RegionError, SlideError
from wsi_scale.slides.border import decoding, opening

RAISED = [
    struct.error("unpack requires a buffer of 8 bytes"),
    KeyError("openslide.vendor"),
    OverflowError("too\nlarge"),
    RecursionError(),
    MemoryError(),
    OSError("broken data stream"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    AssertionError(),
    StopIteration(),
    ZeroDivisionError("division by zero"),
]


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_everything_a_reader_raises_while_opening_is_one_line(error: Exception) -> None:
    with pytest.raises(SlideError, match=r"slide\.svs: cannot be opened") as caught, opening(Path("slide.svs")):
        raise error

    assert "\n" not in str(caught.value)
    assert "copy or export it again" in str(caught.value)


@pytest.mark.parametrize(
    "error", [error for error in RAISED if not isinstance(error, MemoryError)], ids=lambda error: type(error).__name__
)
def test_everything_a_reader_raises_while_decoding_names_the_place(error: Exception) -> None:
    place = r"slide\.svs: level 2 cannot be decoded at x=3 y=4"
    with pytest.raises(RegionError, match=place) as caught, decoding(Path("slide.svs"), 2, 3, 4):
        raise error

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
        (OSError(errno.ESTALE, "Stale file handle"), "Stale file handle"),
        (MemoryError(), "not enough memory"),
    ],
)
def test_what_says_nothing_of_a_place_fails_the_slide_to_be_run_again(error: Exception, reason: str) -> None:
    line = rf"^slide\.svs: cannot be read \({reason}\); run again$"
    with pytest.raises(ReadError, match=line), decoding(Path("slide.svs"), 2, 3, 4):
        raise error


def test_a_file_that_is_gone_is_not_called_damaged() -> None:
    with pytest.raises(SlideError, match="cannot be read") as caught, opening(Path("slide.svs")):
        raise OSError(errno.ENOENT, "No such file or directory")

    assert "damaged" not in str(caught.value)


def test_a_slide_error_keeps_its_own_line_and_kind() -> None:
    with pytest.raises(MppError, match=r"^no mpp$"), opening(Path("slide.svs")):
        raise MppError("no mpp")


@pytest.mark.parametrize("border", [opening(Path("s")), decoding(Path("s"), 0, 0, 0)])
def test_an_interrupt_is_no_fault_of_the_slide(border: object) -> None:
    with pytest.raises(KeyboardInterrupt), border:  # type: ignore[attr-defined]
        raise KeyboardInterrupt
