"""The size and end that a compressed tile states, checked before a codec allocates memory for it.

A codec allocates the size that is written in its own stream, whatever the file's header says, and some fill it with
grey if the stream ends early: a few damaged bytes could take many gigabytes.
"""

import struct

_JPEG, _JPEG_2000, _JP2 = b"\xff\xd8", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP  "
_PNG = b"\x89PNG\r\n\x1a\n"
#: Marker at the end of a JPEG image and of a JPEG 2000 codestream; within their compressed data it cannot occur.
END = b"\xff\xd9"
#: Markers of JPEG's frame headers: all of C0 to CF but those of tables (C4, C8, CC).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN = 0xDA


def check_codestream(data: bytes, width: int, height: int) -> None:
    """Compare the size that a compressed strip or tile states with the one it should have, and look for its end.

    Parameters
    ----------
    data
        Its bytes; what is no JPEG, JPEG 2000 or PNG passes.
    width, height
        Most pixels that it may have.

    Raises
    ------
    ValueError
        It states more, or is JPEG or JPEG 2000 without its end: decoders fill in what is missing.
    """
    stated = _stated_size(data)
    # JPEG tiles may be filled up to whole blocks of 16 pixels.
    if stated and (stated[0] > width + 15 or stated[1] > height + 15):
        raise ValueError(f"a strip or tile of {width}x{height} px states {stated[0]}x{stated[1]} px")
    if data.startswith((_JPEG, _JPEG_2000, _JP2)) and END not in data:
        raise ValueError("a strip or tile ends before its image does")


def _stated_size(data: bytes) -> tuple[int, int] | None:
    if data.startswith(_JPEG):
        return _jpeg_size(data)
    if data.startswith(_PNG) and len(data) >= 24:
        width, height = struct.unpack_from(">II", data, 16)
        return width, height
    start = data.find(_JPEG_2000) if data.startswith((_JPEG_2000, _JP2)) else -1
    if start < 0 or len(data) < start + 24:
        return None
    right, bottom, left, top = struct.unpack_from(">IIII", data, start + 8)
    return right - left, bottom - top


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Size in the frame header of a JPEG stream."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        if marker == _SCAN:
            return None
        at += 1 if marker == 0xFF else 2 + struct.unpack_from(">H", data, at + 2)[0]
    return None
