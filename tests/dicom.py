"""DICOM files that have a head and no pixels, laid out byte by byte."""

import struct
from pathlib import Path

WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
CT = "1.2.840.10008.5.1.4.1.1.2"
UNDEFINED = 0xFFFFFFFF


def element(group: int, number: int, kind: str, value: bytes, *, explicit: bool = True) -> bytes:
    """Lay one element out; of undefined length where its kind is SQ and it is given as ready items."""
    value += b" " * (len(value) % 2)
    tag = struct.pack("<HH", group, number)
    if not explicit:
        return tag + struct.pack("<I", len(value)) + value
    if kind == "SQ":
        return tag + b"SQ\0\0" + struct.pack("<I", UNDEFINED) + value
    return tag + kind.encode() + struct.pack("<H", len(value)) + value


def nested_series(uid: str) -> bytes:
    """Items of a sequence, of undefined length, that name another series."""
    inner = element(0x0020, 0x000E, "UI", uid.encode())
    item = struct.pack("<HHI", 0xFFFE, 0xE000, UNDEFINED) + inner + struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
    return item + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def write_dicom(
    path: Path, series: str, kind: str = "VOLUME", sop_class: str = WHOLE_SLIDE, *, explicit: bool = True
) -> Path:
    """Write a file that has a head and no pixels."""
    syntax = b"1.2.840.10008.1.2.1" if explicit else b"1.2.840.10008.1.2"
    parts = [
        element(0x0002, 0x0002, "UI", sop_class.encode()),
        element(0x0002, 0x0010, "UI", syntax),
        element(0x0008, 0x0008, "CS", f"ORIGINAL\\PRIMARY\\{kind}\\NONE".encode(), explicit=explicit),
    ]
    if explicit:
        parts.append(element(0x0008, 0x1115, "SQ", nested_series("9.9.9")))
    parts.append(element(0x0020, 0x000E, "UI", series.encode(), explicit=explicit))
    path.write_bytes(bytes(128) + b"DICM" + b"".join(parts) + b"\x40\x00\x12\x05LO\x04\x00glas")
    return path
