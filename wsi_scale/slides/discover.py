"""Which files below a folder are slides, and what each is called."""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from wsi_scale.errors import UserError

#: Suffixes of slides and images, in either case. A folder that holds ``.dcm`` files is one slide.
SLIDE_SUFFIXES = (
    ".svs", ".ndpi", ".mrxs", ".scn", ".bif", ".vms", ".vmu", ".svslide", ".czi", ".vsi", ".qptiff",
    ".ome.tif", ".ome.tiff", ".ome.btf", ".tif", ".tiff", ".btf", ".dcm", ".png", ".jpg", ".jpeg",
)  # fmt: skip

_DICOM = ".dcm"
_JPEGS = (".jpg", ".jpeg")
#: Hamamatsu's lists of JPEG parts are small text files.
_MAX_LIST_BYTES = 1 << 20
#: Characters that an id cannot have: it names a folder and fills Snakemake's wildcards; <x> is a variable there.
_UNFIT = re.compile(r"[\x00-\x1f\x7f{}<>]")


@dataclass(frozen=True)
class FoundSlide:
    """A slide and its name in all results.

    Parameters
    ----------
    slide_id
        Unique within the folder searched.
    path
        The file, or the folder of DICOM files.
    """

    slide_id: str
    path: Path


def find_slides(folder: Path, *, exclude: Path | None = None) -> list[FoundSlide]:
    """Search a folder and what is below it for slides.

    Hidden files and folders, and what belongs to a MIRAX, VMS or VSI slide, are passed over.

    Parameters
    ----------
    folder
        Where to search.
    exclude
        A folder that is not searched (the results).

    Returns
    -------
    list of FoundSlide
        Sorted by id. The id is the path relative to ``folder`` without suffix, ``/`` as ``__``; where two
        are alike, each keeps its suffix.

    Raises
    ------
    UserError
        If there is no slide, or a folder cannot be listed.
    """
    paths = sorted(_walk(folder, exclude.resolve() if exclude else None))
    if not paths:
        raise UserError(
            f"{folder}: no slides found; looked for {', '.join(SLIDE_SUFFIXES)} in it and all folders below"
        )
    ids = _unique_ids([path.relative_to(folder) if path != folder else PurePath(path.resolve().name) for path in paths])
    found = [FoundSlide(slide_id, path) for slide_id, path in zip(ids, paths, strict=True)]
    return sorted(found, key=lambda slide: slide.slide_id)


def slide_id_for(path: Path) -> str:
    """Id of a single slide: its name without suffix.

    >>> slide_id_for(Path("cases/A 12.ome.tiff")), slide_id_for(Path("b.v2.svs"))
    ('A 12', 'b.v2')
    """
    name = PurePath(path.name or path.resolve().name)
    return _fit(_without_suffix(name)) or "slide"


def slide_suffix(name: str) -> str | None:
    """Return the suffix of a slide's name as it is written there, or None for another file."""
    lower = name.lower()
    for suffix in SLIDE_SUFFIXES:  # ".ome.tif" stands before ".tif"
        if lower.endswith(suffix) and len(lower) > len(suffix):
            return name[-len(suffix) :]
    return None


def _walk(folder: Path, exclude: Path | None) -> Iterator[Path]:
    """Slides below a folder; links to folders are followed, each folder once."""
    seen: set[Path] = set()
    pending = [folder]
    while pending:
        current = pending.pop()
        real = current.resolve()
        if real in seen or real == exclude:
            continue
        seen.add(real)
        files, folders = _list(current)
        pending += _own_folders(folders, files)
        yield from _own_files(current, files)


def _list(folder: Path) -> tuple[list[Path], list[Path]]:
    """Files and folders that are not hidden, sorted."""
    try:
        entries = sorted(Path(entry.path) for entry in os.scandir(folder) if not entry.name.startswith("."))
    except OSError as error:
        raise UserError(f"{folder}: the folder cannot be listed ({error.strerror or error})") from error
    return [entry for entry in entries if entry.is_file()], [entry for entry in entries if entry.is_dir()]


def _own_folders(folders: list[Path], files: list[Path]) -> list[Path]:
    """Folders to search: those of MIRAX (``name/``) and VSI (``_name_/``) belong to their slide."""
    taken = {file.stem for file in files if file.suffix.lower() == ".mrxs"}
    taken |= {f"_{file.stem}_" for file in files if file.suffix.lower() == ".vsi"}
    return [folder for folder in folders if folder.name not in taken]


def _own_files(folder: Path, files: list[Path]) -> Iterator[Path]:
    """Slides among a folder's files; its DICOM files stand for the folder."""
    parts = _hamamatsu_parts(files)
    for file in files:
        suffix = slide_suffix(file.name)
        if suffix and suffix.lower() != _DICOM and file.name.lower() not in parts:
            yield file
    if any(file.suffix.lower() == _DICOM for file in files):
        yield folder


def _hamamatsu_parts(files: list[Path]) -> set[str]:
    """Names (lower case) of the JPEG parts of VMS and VMU slides."""
    parts: set[str] = set()
    for file in files:
        if file.suffix.lower() not in (".vms", ".vmu"):
            continue
        with file.open("rb") as stream:
            text = stream.read(_MAX_LIST_BYTES).decode("latin-1")
        parts |= {line.partition("=")[2].strip().lower() for line in text.splitlines() if "=" in line}
        named = re.compile(re.escape(file.stem.lower()) + r"(_macro|_map\d*|\(.*\))?(\.jpe?g)")
        parts |= {other.name.lower() for other in files if named.fullmatch(other.name.lower())}
    return {part for part in parts if part.endswith(_JPEGS)}


def _unique_ids(paths: list[PurePath]) -> list[str]:
    """Name each relative path, whatever their order."""
    ways = [0] * len(paths)
    while True:
        ids = [_NAMINGS[way](path) for way, path in zip(ways, paths, strict=True)]
        counts = Counter(ids)
        if max(counts.values()) == 1:
            return ids
        # A digest that meets another name leaves the other one to change.
        last = len(_NAMINGS) - 1
        ways = [min(way + (counts[name] > 1), last) for way, name in zip(ways, ids, strict=True)]


def _without_suffix(path: PurePath) -> str:
    suffix = slide_suffix(path.name)
    name = str(path)
    return name[: -len(suffix)] if suffix else name


def _fit(name: str) -> str:
    return _UNFIT.sub("_", name.replace("/", "__"))


def _with_digest(path: PurePath) -> str:
    digest = hashlib.sha256(os.fsencode(str(path))).hexdigest()[:8]
    return f"{_fit(str(path))}__{digest}"


_NAMINGS = (
    lambda path: _fit(_without_suffix(path)),
    lambda path: _fit(str(path)),
    _with_digest,
)
