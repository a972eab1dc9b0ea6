"""DICOM files of slides: recognised by their content, and sorted by the series that they name."""

import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SUFFIX = ".dcm"

#: Every DICOM file begins with a preamble of 128 bytes and this word.
_PREAMBLE, _MAGIC = 128, b"DICM"
#: How far into a file its series may be named.
_HEAD_BYTES = 1 << 18

_MEDIA_CLASS, _TRANSFER_SYNTAX = (0x0002, 0x0002), (0x0002, 0x0010)
_IMAGE_TYPE, _SERIES = (0x0008, 0x0008), (0x0020, 0x000E)
_ENDS = ((0xFFFE, 0xE00D), (0xFFFE, 0xE0DD))
_WHOLE_SLIDE_CLASS = "1.2.840.10008.5.1.4.1.1.77.1.6"
_IMPLICIT = "1.2.840.10008.1.2"
_UNDEFINED = 0xFFFFFFFF
#: Value representations whose length takes four bytes.
_LONG = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))

_Tag = tuple[int, int]


@dataclass(frozen=True)
class DicomHead:
    """The metadata of a file before its pixels.

    Attributes
    ----------
    series
        UID of its series; "" where it names none.
    sop_class
        UID of the kind of object.
    image_type
        E.g. ("ORIGINAL", "PRIMARY", "VOLUME", "NONE"): VOLUME is a level of a slide's pyramid.
    """

    series: str
    sop_class: str
    image_type: tuple[str, ...]


def read_head(path: Path) -> DicomHead | None:
    """Read a file's head; None for a file that is no DICOM or cannot be read.

    Parameters
    ----------
    path
        A regular file.
    """
    try:
        with path.open("rb") as stream:
            if stream.read(_PREAMBLE + len(_MAGIC))[_PREAMBLE:] != _MAGIC:
                return None
            values = _values(stream.read(_HEAD_BYTES))
    except OSError:
        return None
    image_type = tuple(part.strip() for part in values.get(_IMAGE_TYPE, "").split("\\"))
    return DicomHead(values.get(_SERIES, ""), values.get(_MEDIA_CLASS, ""), image_type)


def dicom_files(files: Sequence[Path]) -> list[Path]:
    """Choose the DICOM files: by their suffix; without a suffix, by metadata that name a slide.

    Parameters
    ----------
    files
        Regular files of one folder.
    """
    return [file for file in files if file.suffix.lower() == SUFFIX or (_may_be(file.name) and _is_of_a_slide(file))]


def series_of(files: Sequence[Path]) -> dict[str, list[Path]]:
    """Sort files by the series they name; a file that names none, or cannot be read, is a series of its own."""
    series: dict[str, list[Path]] = {}
    for file in files:
        head = read_head(file)
        series.setdefault((head.series if head else "") or file.name, []).append(file)
    return series


def slides_among(files: Sequence[Path]) -> list[Path]:
    """Choose the first level file of every series that has one: each such series is one scan.

    Labels and overviews in a series of their own are not slides.
    """
    firsts: dict[str, Path] = {}
    for file in files:
        head = read_head(file)
        if head and head.series and "VOLUME" in head.image_type:
            firsts.setdefault(head.series, file)
    return list(firsts.values())


def series_beside(path: Path) -> list[Path]:
    """Return all files of a DICOM file's series in its folder, including itself; for other files, the file alone."""
    head = read_head(path) if path.is_file() else None
    if head is None or not head.series:
        return [path]
    try:
        beside = dicom_files(sorted(file for file in path.parent.iterdir() if file.is_file()))
    except OSError:  # a folder that cannot be listed
        return [path]
    return series_of(beside).get(head.series, [path])


def _is_of_a_slide(path: Path) -> bool:
    head = read_head(path)
    return head is not None and head.sop_class == _WHOLE_SLIDE_CLASS


def _may_be(name: str) -> bool:
    """Whether a name without ``.dcm`` may be of a DICOM file: it has no suffix, or ends in the numbers of a UID."""
    suffix = Path(name).suffix
    return suffix.lower() in ("", ".dicom", ".dic", ".ima") or suffix[1:].isdigit()


def _values(data: bytes) -> dict[_Tag, str]:
    """Texts of the elements at the top up to the series' UID, as far as the data are sound."""
    values: dict[_Tag, str] = {}
    with suppress(struct.error):  # the head ends within an element
        values.update(_elements(data))
    return values


def _elements(data: bytes) -> Iterator[tuple[_Tag, str]]:
    at, explicit = 0, True
    while True:
        in_dataset = struct.unpack_from("<H", data, at)[0] > _TRANSFER_SYNTAX[0]
        tag, length, start = _element(data, at, explicit or not in_dataset)
        if tag > _SERIES:
            return
        at = start + length if length != _UNDEFINED else _after(data, start, explicit)
        if at > len(data):
            return
        if tag in (_MEDIA_CLASS, _TRANSFER_SYNTAX, _IMAGE_TYPE, _SERIES):
            text = data[start:at].decode("latin-1").strip("\0 ")
            explicit = explicit and not (tag == _TRANSFER_SYNTAX and text == _IMPLICIT)
            yield tag, text


def _element(data: bytes, at: int, explicit: bool) -> tuple[_Tag, int, int]:
    """Tag and length of an element, and where its value starts."""
    tag = struct.unpack_from("<HH", data, at)
    if not explicit or tag[0] == _ENDS[0][0]:
        return tag, struct.unpack_from("<I", data, at + 4)[0], at + 8
    if data[at + 4 : at + 6] in _LONG:
        return tag, struct.unpack_from("<I", data, at + 8)[0], at + 12
    return tag, struct.unpack_from("<H", data, at + 6)[0], at + 8


def _after(data: bytes, start: int, explicit: bool) -> int:
    """Where a sequence of undefined length ends, whatever is nested in it."""
    at, depth = start, 1
    while depth:
        tag, length, at = _element(data, at, explicit)
        if tag in _ENDS:
            depth -= 1
        elif length == _UNDEFINED:
            depth += 1
        else:
            at += length
    return at
