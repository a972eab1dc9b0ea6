"""``.wsi-scale.lock``: the lock of a slide's folder, and a cache of what the program knows about its files.

It holds stamps of files, so that the next run sees quickly that nothing has changed, and the last record of each stage,
so that a record that Snakemake removed, or a failure in between, loses no results. Results do not depend on it: without
it the same files are found to be up to date, only slower. It is not an artefact, and differs between machines.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self, TypeVar
from urllib.parse import quote

from pydantic import model_validator

from wsi_scale.artifacts.documents import check_document
from wsi_scale.artifacts.execution import SettledExecution
from wsi_scale.artifacts.record import Record
from wsi_scale.errors import ArtifactError
from wsi_scale.results.strict import STRICT
from wsi_scale.results.summary import SlideSummary

#: Name of the lock (:mod:`wsi_scale.execution.lock`), which holds the notes in its first line: one file less a slide.
NAME = ".wsi-scale.lock"
#: Files, and networks, that are kept in mind; more than a run ever reads.
_MOST_KEPT = 32

_Known = TypeVar("_Known")

#: Size, mtime and ctime in nanoseconds, of each file of a slide, or of one file.
Stamp = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class KnownFile:
    """A file's or slide's stamp, and the identity that it had."""

    __pydantic_config__ = STRICT

    stamp: Stamp
    identity: str


@dataclass(frozen=True)
class KnownLayer:
    """A tapped layer of a network."""

    __pydantic_config__ = STRICT

    name: str
    channels: int


@dataclass(frozen=True)
class KnownNetwork:
    """What fingerprints need of a network, so that it need not be loaded where nothing is computed.

    Attributes
    ----------
    name, digest, layers
        As :class:`wsi_scale.networks.network.Network` has them.
    structure
        Digest of its modules, whose strides and poolings the digest of its values does not cover.
    """

    __pydantic_config__ = STRICT

    name: str
    digest: str
    structure: str
    layers: tuple[KnownLayer, ...]


@dataclass(frozen=True)
class Owner:
    """The slide whose results a folder holds: its id, its path (percent-encoded), and its identity."""

    __pydantic_config__ = STRICT

    slide_id: str
    place: str
    identity: str


@dataclass(frozen=True)
class Page:
    """Fingerprint of what the slide's page shows, the digest of the page, and the slide's results in a few numbers."""

    __pydantic_config__ = STRICT

    made_of: str
    digest: str
    summary: SlideSummary


@dataclass(frozen=True)
class _Content:
    __pydantic_config__ = STRICT

    owner: Owner | None = None
    files: Mapping[str, KnownFile] = field(default_factory=dict)
    networks: Mapping[str, KnownNetwork] = field(default_factory=dict)
    last: Mapping[str, Record] = field(default_factory=dict)
    page: Page | None = None
    execution: SettledExecution | None = None


@dataclass(frozen=True)
class _Stored(_Content):
    __pydantic_config__ = STRICT

    digest: str = ""

    @model_validator(mode="after")
    def _is_as_written(self) -> Self:
        content = asdict(self)
        if content.pop("digest") != _digest(content):
            raise ValueError("its digest does not match its content")
        return self


class FolderState:
    """The cache of one slide's folder, read when it is first needed and written when it has changed.

    Only the process that holds the folder's lock uses it.

    Parameters
    ----------
    folder
        The slide's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        stored = _read(self._path)
        self.owner = stored.owner
        self.page = stored.page
        self.execution = stored.execution
        self.last = dict(stored.last)
        self._files = dict(stored.files)
        self._networks = dict(stored.networks)
        self._written = stored.digest

    def identity(self, path: Path, stamp: Stamp, take: Callable[[], str]) -> str:
        """Return a file's or slide's identity; it is computed again only if the stamp has changed."""
        key = place_text(path)
        known = self._files.get(key)
        if known is None or known.stamp != stamp:
            known = KnownFile(stamp, take())
            _keep(self._files, key, known)
        return known.identity

    def network(self, key: str, load: Callable[[], KnownNetwork]) -> KnownNetwork:
        """Return what is known about a network under a key that covers its weights; ``load`` runs only once."""
        if key not in self._networks:
            _keep(self._networks, key, load())
        return self._networks[key]

    def save(self) -> None:
        """Write the cache if it has changed; if it cannot be written, the next run is slower."""
        content = self._content()
        digest = _digest(content)
        if digest != self._written:
            with suppress(OSError):
                _write(self._path, content | {"digest": digest})
                self._written = digest

    def _content(self) -> dict[str, object]:
        return asdict(_Content(self.owner, self._files, self._networks, self.last, self.page, self.execution))


def _keep(kept: dict[str, _Known], key: str, known: _Known) -> None:
    """Store an entry, and drop the oldest ones above the limit."""
    kept.pop(key, None)
    kept[key] = known
    while len(kept) > _MOST_KEPT:
        del kept[next(iter(kept))]


def place_text(path: Path) -> str:
    """Write a path as percent-encoded text, resolved, so that all ways to name its folder give the same text."""
    return quote(os.fsencode(Path(os.path.realpath(path.parent), path.name)))


def stamp_of(files: list[Path]) -> Stamp:
    """Compute a stamp of some files: it changes when one of them is written or replaced.

    The ctime is in it because a copy may bring the mtime of its original along.

    Raises
    ------
    OSError
        One does not exist.
    """
    stats = [file.stat() for file in files]
    return tuple((stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) for stat in stats)


def _write(path: Path, content: Mapping[str, object]) -> None:
    """Write in place, because the lock belongs to the file; an incomplete write is detected by its digest."""
    line = json.dumps(content, ensure_ascii=True, allow_nan=False).encode() + b"\n"
    with path.open("r+b" if path.exists() else "wb", buffering=0) as stream:
        stream.write(line)
        stream.truncate(len(line))


def _read(path: Path) -> _Stored:
    try:
        with path.open("rb") as stream:
            return check_document(stream.readline(), _Stored, str(path), "file of notes", "it is written again")
    except (OSError, ArtifactError):  # not there yet, or damaged: all is found out again
        return _Stored(digest=_digest(asdict(_Content())))


def _digest(content: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
