"""Build hook: brings OpenSeadragon, which draws the slide in the viewer, into the package.

It is taken from the npm registry that the user's npm is configured for, and only if it is, byte for byte, the release
named here. A source distribution carries it, so that a wheel is built from that without npm. Without npm the package is
built without it, and `wsi-scale view` says what to do.
"""

import base64
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VERSION = "6.1.1"
#: Of the package on the registry, as its lock files write it.
INTEGRITY = "g4iKe2q8B642SaBT3+x4ZF3/8b1TxPPydyjmtrOLgDrlYWMKd9ZXM+1Cb/xa9DVySkvs/7l6HR1nHKfD5F3Tsw=="
#: Path in that package → name in ours, and SHA-256.
FILES = {
    "package/build/openseadragon/openseadragon.min.js": (
        "openseadragon.min.js",
        "14d587cd3ee7c4861f1a41077ce642029364a21029956ba635bd8fb1202cf9ad",
    ),
    "package/LICENSE.txt": (
        "openseadragon-LICENSE.txt",
        "17da96b26ac706d2cbd06d4555dedb43026782f4943faf0156fe7acf89454228",
    ),
}
FOLDER = "wsi_scale/viewer/static/vendor"
TIMEOUT_S = 120


class MissingLibraryError(Exception):
    """OpenSeadragon cannot be had, with the reason."""


class ViewerLibrary(BuildHookInterface):  # type: ignore[type-arg]
    """Puts the library's files where both kinds of distribution, and an editable installation, have them."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Bring the library, and name its files, which git ignores, as part of the package."""
        try:
            bring(Path(self.root) / FOLDER)
        except MissingLibraryError as error:
            self.app.display_warning(f"the viewer is built without OpenSeadragon {VERSION}: {error}")
        build_data["artifacts"].append(f"/{FOLDER}/*")


def bring(folder: Path) -> None:
    """Make sure that the library lies in a folder.

    Raises
    ------
    MissingLibraryError
        It does not, and cannot be got.
    """
    if all(_digest(folder / name) == digest for name, digest in FILES.values()):
        return
    npm = shutil.which("npm")
    if npm is None:
        raise MissingLibraryError("there is no npm; install it and build again")
    with tempfile.TemporaryDirectory() as place:
        command = [npm, "pack", f"openseadragon@{VERSION}", "--silent", "--pack-destination", place]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT_S, cwd=place)  # noqa: S603
        except (OSError, subprocess.SubprocessError) as error:
            raise MissingLibraryError(f"npm cannot get it ({error}); check npm's configuration") from error
        _unpack(next(Path(place).glob("*.tgz")), folder)


def _unpack(archive: Path, folder: Path) -> None:
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != INTEGRITY:
        raise MissingLibraryError(f"the registry's package has the digest sha512-{found}, not sha512-{INTEGRITY}")
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as package:
        for member, (name, _) in FILES.items():
            stream = package.extractfile(member)
            if stream is None:
                raise MissingLibraryError(f"the package has no {member}")
            (folder / name).write_bytes(stream.read())


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
