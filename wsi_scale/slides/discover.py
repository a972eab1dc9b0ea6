"""Find the slides in a folder, and give each an id."""

import hashlib
import logging
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from wsi_scale.artifacts.pictures import MASK, OVERLAY, THUMBNAIL
from wsi_scale.artifacts.slide_info import NAME as RESULTS_MARK
from wsi_scale.errors import UserError
from wsi_scale.slides.dicom import SUFFIX as DICOM_SUFFIX
from wsi_scale.slides.dicom import dicom_files, slides_among
from wsi_scale.slides.ome_zarr import holds_slide, is_zarr

log = logging.getLogger(__name__)

#: Suffixes of slides and images, in either case.
SLIDE_SUFFIXES = (
    ".svs", ".ndpi", ".mrxs", ".scn", ".bif", ".vms", ".vmu", ".svslide", ".czi", ".vsi", ".qptiff",
    ".ome.tif", ".ome.tiff", ".ome.btf", ".tif", ".tiff", ".btf", ".dcm", ".png", ".jpg", ".jpeg", ".ome.zarr", ".zarr",
)  # fmt: skip

_JPEGS = (".jpg", ".jpeg")
#: Plain pictures, of which servers, viewers and this program leave their own beside slides.
_PICTURES = (".png", *_JPEGS)
#: Folders of file servers and systems (lower case); others whose names begin so are theirs too.
_SERVERS = frozenset(
    ("@eadir", "@recycle", "@recently-snapshot", "#recycle", "#snapshot", "~snapshot", "lost+found", "$recycle.bin",
     "system volume information", "__macosx")
)  # fmt: skip
_SERVERS_MARKS = ("@", "#")
#: A suffix of letters tells a file of another kind; "batch.2" may be a folder.
_OTHER_KIND = re.compile(r"\.[A-Za-z]\w{0,4}$")
#: Hamamatsu's lists of JPEG parts are small text files.
_MAX_LIST_BYTES = 1 << 20
#: Characters that an id cannot have: it names a folder and fills Snakemake's wildcards; <x> is a variable there.
#: Lone surrogates stand for bytes of a name that are no UTF-8: no table could hold them, and none keeps outer blanks.
_UNFIT = re.compile(r"[\x00-\x1f\x7f{}<>\ud800-\udfff]|^\s+|\s+$")
#: Longest id in bytes: a file system takes 255 for a name, and an id is a folder's.
MAX_ID_BYTES = 200


@dataclass(frozen=True)
class FoundSlide:
    """A slide and its name in all results.

    Parameters
    ----------
    slide_id
        Unique within the folder searched.
    path
        The file; for OME-Zarr its folder; for DICOM the folder, or, where that holds several slides, the first level
        file of the series.
    """

    slide_id: str
    path: Path


def find_slides(folder: Path, *, exclude: Path | None = None) -> list[FoundSlide]:
    """Search a folder and what is below it for slides.

    Skipped are hidden files and folders, files that belong to a MIRAX, VMS or VSI slide, tiles of DeepZoom and
    Zoomify pyramids, Zarr stores that are no image or a scale map, servers' own folders, and folders that hold
    results. A folder that cannot be listed is left out with a warning. A broken link or a pipe with the name of a slide
    counts as found: it fails when it is opened, and is reported.

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
        are alike, each keeps its suffix; where it is longer than ``MAX_ID_BYTES``, a digest ends it.

    Raises
    ------
    UserError
        If there is no slide, or ``folder`` itself cannot be listed.
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
    return _named(_without_suffix(name), name) or "slide"


def slide_suffix(name: str) -> str | None:
    """Return the suffix of a slide's name as it is written there, or None for another file."""
    lower = name.lower()
    for suffix in SLIDE_SUFFIXES:  # ".ome.tif" stands before ".tif"
        if lower.endswith(suffix) and len(lower) > len(suffix):
            return name[-len(suffix) :]
    return None


@dataclass
class _Listing:
    """What is directly in a folder and not hidden, each in order.

    Attributes
    ----------
    files, folders
        Regular ones, links followed.
    special
        Pipes, devices, sockets.
    lost
        Entries that cannot be read: broken links, no permission.
    """

    folder: Path
    files: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    special: list[Path] = field(default_factory=list)
    lost: list[Path] = field(default_factory=list)


def _walk(top: Path, exclude: Path | None) -> Iterator[Path]:
    """Slides below a folder; links to folders are followed, each folder once."""
    seen: set[Path] = set()
    pending = [top]
    while pending:
        current = pending.pop()
        real = current.resolve()
        if real in seen or real == exclude:
            continue
        seen.add(real)
        if is_zarr(current):
            if holds_slide(current):
                yield current
            continue
        try:
            here = _list(current)
        except OSError as error:
            said = f"{current}: the folder cannot be listed ({error.strerror or error})"
            if current == top:
                raise UserError(said) from error
            log.warning("%s; it is left out", said)
            continue
        if current == top or _is_searched(here):
            pending += _own_folders(here)
            yield from _own_slides(here)


def _list(folder: Path) -> _Listing:
    found = _Listing(folder)
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if not entry.name.startswith("."):
                _kind(entry, found).append(Path(entry.path))
    return found


def _kind(entry: os.DirEntry[str], found: _Listing) -> list[Path]:
    """Choose the list that an entry belongs to, without opening it."""
    try:
        if entry.is_file():
            return found.files
        if entry.is_dir():
            return found.folders
        entry.stat()
    except OSError:
        return found.lost
    return found.special


def _is_searched(here: _Listing) -> bool:
    """Whether a folder is one of the user's; where another has slides in it after all, that is told."""
    name = here.folder.name.lower()
    if any(file.name == RESULTS_MARK for file in here.files):
        why = f"it holds results ({RESULTS_MARK})"
    elif name in _SERVERS or name.startswith(_SERVERS_MARKS):
        why = "its name is that of a file server's system folder"
    else:
        return True
    if name not in _SERVERS and any(_suffix_of(file) not in ("", *_PICTURES) for file in here.files):
        log.warning("%s: %s; the slides in it are left out", here.folder, why)
    return False


def _own_folders(here: _Listing) -> list[Path]:
    """Folders to search: those of MIRAX (``name/``), VSI (``_name_/``) and pyramids of tiles belong to a file."""
    taken = {file.stem for file in here.files if file.suffix.lower() == ".mrxs"}
    taken |= {f"_{file.stem}_" for file in here.files if file.suffix.lower() == ".vsi"}
    taken |= {f"{file.stem}_files" for file in here.files if file.suffix.lower() == ".dzi"}
    zoomify = any(file.name.lower() == "imageproperties.xml" for file in here.files)
    return [
        folder
        for folder in here.folders
        if folder.name not in taken and not (zoomify and folder.name.startswith("TileGroup"))
    ]


def _own_slides(here: _Listing) -> Iterator[Path]:
    """Slides directly in a folder; its DICOM files stand for the folder, or for a series each."""
    parts = _hamamatsu_parts(here.files)
    if any(file.name == RESULTS_MARK for file in here.files):
        parts |= {THUMBNAIL, MASK, OVERLAY}
    for file in here.files:
        if _suffix_of(file) not in ("", DICOM_SUFFIX) and file.name.lower() not in parts:
            yield file
    yield from (path for path in here.special if _suffix_of(path))
    for path in here.lost:
        if _suffix_of(path) or not _OTHER_KIND.search(path.name):
            yield path
        else:
            log.warning("%s: a broken link, or no permission; it is left out", path)
    dicom = dicom_files([file for file in here.files if _suffix_of(file) in ("", DICOM_SUFFIX)])
    several = slides_among(dicom) if len(dicom) > 1 else []
    if len(several) > 1:
        yield from several
    elif dicom:
        yield here.folder


def _suffix_of(path: Path) -> str:
    return (slide_suffix(path.name) or "").lower()


def _hamamatsu_parts(files: list[Path]) -> set[str]:
    """Names (lower case) of the JPEG parts of VMS and VMU slides."""
    parts: set[str] = set()
    for file in files:
        if file.suffix.lower() not in (".vms", ".vmu"):
            continue
        try:
            with file.open("rb") as stream:
                text = stream.read(_MAX_LIST_BYTES).decode("latin-1")
        except OSError:  # told when the slide itself is opened
            text = ""
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


def _named(text: str, path: PurePath) -> str:
    """Make an id of a text; one that is too long is cut, and ends in a digest of the whole path."""
    name = _UNFIT.sub("_", text.replace("/", "__"))
    if len(name.encode()) <= MAX_ID_BYTES:
        return name
    ending = f"__{_digest(path)}"
    return name.encode()[: MAX_ID_BYTES - len(ending)].decode(errors="ignore") + ending


def _with_digest(path: PurePath) -> str:
    return _named(f"{path}__{_digest(path)}", path)


def _digest(path: PurePath) -> str:
    return hashlib.sha256(os.fsencode(str(path))).hexdigest()[:8]


_NAMINGS = (
    lambda path: _named(_without_suffix(path), path),
    lambda path: _named(str(path), path),
    _with_digest,
)
