"""A slide's files, their identity by content, and a stamp that shows changes."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from wsi_scale.artifacts.fingerprint import file_identity, fingerprint
from wsi_scale.artifacts.state import Stamp, stamp_of
from wsi_scale.errors import ReadError
from wsi_scale.slides.border import check_place
from wsi_scale.slides.dicom import SUFFIX, read_head, series_beside
from wsi_scale.slides.ome_zarr import NODE_FILES, is_zarr

#: Bytes of the text file that a Hamamatsu VMS or VMU slide begins with, at most.
_MAX_LIST_BYTES = 1 << 20


def slide_files(path: Path) -> list[Path]:
    """All files that a slide consists of, in order.

    That is the file itself; with MIRAX (.mrxs) and Olympus (.vsi) the files of the folder beside it, with Hamamatsu
    (.vms, .vmu) the files that it names, with DICOM the files of the folder or of the series, with OME-Zarr all of the
    store. What else lies in such a
    folder, results and notes, is no part of the slide.

    Raises
    ------
    SlideError
        It does not exist, or is neither a file nor a folder.
    """
    check_place(path)
    if path.is_dir() and is_zarr(path):
        return sorted(_store_files(path))
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.is_file() and _is_dicom(file))
    suffix = path.suffix.lower()
    if suffix == ".mrxs":
        return [path, *sorted(_inside(path.with_suffix("")))]
    if suffix == ".vsi":
        return [path, *sorted(_inside(path.with_name(f"_{path.stem}_")))]
    if suffix in (".vms", ".vmu"):
        return [path, *_named_in(path)]
    return series_beside(path)


def slide_identity(path: Path) -> str:
    """Identity of a slide's content; names (but those within a Zarr store), places and times are not used.

    Raises
    ------
    SlideError, ArtifactError
        It does not exist, or a file of it cannot be read.
    """
    if path.is_dir() and is_zarr(path):  # a chunk's name says where it lies
        named = {str(file.relative_to(path)): file_identity(file) for file in slide_files(path)}
        return fingerprint("slide in OME-Zarr", files=named)
    files = [file_identity(file) for file in slide_files(path)]
    return files[0] if len(files) == 1 else fingerprint("slide of several files", files=files)


def slide_stamp(path: Path) -> Stamp:
    """Sizes and times of a slide's files: if the stamp has changed, the identity is computed again.

    Raises
    ------
    SlideError
        It does not exist.
    """
    try:
        return stamp_of(slide_files(path))
    except OSError as error:  # gone in between
        raise ReadError(f"{path}: cannot be read ({error.strerror}); run again") from error


def _is_dicom(file: Path) -> bool:
    # One that is damaged may have no head.
    return file.suffix.lower() == SUFFIX or read_head(file) is not None


def _inside(folder: Path) -> Iterator[Path]:
    for root, _, names in os.walk(folder):
        yield from (file for name in names if not _of_the_system(name) and (file := Path(root) / name).is_file())


def _store_files(folder: Path) -> Iterator[Path]:
    for root, _, names in os.walk(folder):
        yield from (Path(root) / name for name in names if name in NODE_FILES or not _of_the_system(name))


def _of_the_system(name: str) -> bool:
    """Whether a desktop or file server writes files of this name into every folder that it opens."""
    return name.startswith(".") or name.lower() in ("thumbs.db", "desktop.ini")


def _named_in(path: Path) -> list[Path]:
    """Files in its folder that a Hamamatsu slide's index names."""
    with path.open("rb") as stream:
        text = stream.read(_MAX_LIST_BYTES).decode("latin-1")
    named = {line.partition("=")[2].strip() for line in re.split(r"[\r\n]+", text) if "=" in line}
    return sorted(file for name in named if name and "/" not in name and (file := path.parent / name).is_file())
