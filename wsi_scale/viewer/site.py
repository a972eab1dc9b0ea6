"""What the viewer's server answers: pages, values and pictures, each under an address of its own.

No part of an address is ever joined to a path: slides are known by number, files of the page by a list.
"""

import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wsi_scale.errors import UserError, one_line
from wsi_scale.results.scale_map import MEANINGS
from wsi_scale.viewer.cache import PictureCache
from wsi_scale.viewer.described import described_place, described_slide
from wsi_scale.viewer.place import place_at
from wsi_scale.viewer.shown import ShownSlide
from wsi_scale.viewer.viewed import ViewedResults

_STATIC = Path(__file__).parent / "static"
#: OpenSeadragon, as the build brings it.
LIBRARY = _STATIC / "vendor" / "openseadragon.min.js"

_JAVASCRIPT, _JPEG, _NUMBERS = "text/javascript; charset=utf-8", "image/jpeg", "application/octet-stream"
#: Address → file and its type.
_FILES: Mapping[str, tuple[Path, str]] = {
    "": (_STATIC / "viewer.html", "text/html; charset=utf-8"),
    "static/viewer.css": (_STATIC / "viewer.css", "text/css; charset=utf-8"),
    "static/icon.svg": (_STATIC / "icon.svg", "image/svg+xml"),
    "static/openseadragon.min.js": (LIBRARY, _JAVASCRIPT),
    **{
        f"static/{name}.js": (_STATIC / f"{name}.js", _JAVASCRIPT)
        for name in ("viewer", "address", "cells", "legend", "scalebar", "tile")
    },
}

#: Bytes of encoded tiles that the server keeps.
CACHE_BYTES = 256 << 20

#: For a person: who opens the address without its key sees this line in the browser.
_NO_KEY = b"The key is missing: copy the whole address that `wsi-scale view` has printed.\n"
_NOT_HERE = "there is nothing at this address"


@dataclass(frozen=True)
class Answer:
    """An HTTP status, a type and a body; ``lasting`` if a browser may keep it for a while."""

    status: int
    kind: str
    body: bytes
    lasting: bool = False


def _said(status: int, line: str) -> Answer:
    return Answer(status, "application/json", json.dumps({"error": line}).encode())


def _values(content: Any) -> Answer:
    return Answer(200, "application/json", json.dumps(content, allow_nan=False).encode("ascii"))


class Site:
    """The answers to a viewer's requests.

    Parameters
    ----------
    results
        What is shown.
    token
        First part of every address; who does not know it gets nothing.
    """

    def __init__(self, results: ViewedResults, token: str) -> None:
        self._results = results
        self._token = token.encode()
        self.cache = PictureCache(CACHE_BYTES)

    def answer(self, path: str) -> Answer:
        """Answer a request for the path of an address, without its query."""
        token, slash, rest = path.removeprefix("/").partition("/")
        if not hmac.compare_digest(token.encode("utf-8", "surrogateescape"), self._token) or not slash:
            return Answer(403, "text/plain; charset=utf-8", _NO_KEY)
        try:
            if rest in _FILES:
                file, kind = _FILES[rest]
                return Answer(200, kind, file.read_bytes())
            if rest == "slides":
                return _values(self._results.listed())
            return self._of_slide(rest)
        except UserError as error:
            return _said(503, one_line(error))

    def _of_slide(self, rest: str) -> Answer:
        found = re.fullmatch(r"slides/([0-9]{1,7})(?:/(.*))?", rest)
        shown = self._results.shown(int(found[1])) if found else None
        if found is None or shown is None:
            return _said(404, _NOT_HERE)
        if found[2] is None:
            return _values(described_slide(shown))
        for pattern, answer in _ROUTES.items():
            if match := re.fullmatch(pattern, found[2]):
                given = tuple(int(part) if part.isdigit() else part for part in match.groups())
                return answer(self, shown, int(found[1]), *given) or _said(404, _NOT_HERE)
        return _said(404, _NOT_HERE)

    def tile(self, shown: ShownSlide, number: int, level: int, column: int, row: int) -> Answer | None:
        """Answer with a tile of the slide."""
        key = number, shown.identity, level, column, row
        picture = self.cache.get(key)
        if picture is None:
            picture = shown.tile(level, column, row)
            if picture is None:
                return None
            self.cache.put(key, picture)
        return Answer(200, _JPEG, picture, lasting=True)

    def tissue(self, shown: ShownSlide, _: int) -> Answer | None:
        """Answer with the tissue mask."""
        picture = shown.tissue()
        return Answer(200, "image/png", picture) if picture is not None else None

    def channel(self, shown: ShownSlide, _: int, label: str) -> Answer | None:
        """Answer with the values of a channel, (row, col) float32, or the reasons, uint8; lowest byte first."""
        if shown.scale_map is None:
            return None
        if label == "reason":
            return Answer(200, _NUMBERS, shown.scale_map.reason.tobytes())
        if label not in MEANINGS:
            return None
        return Answer(200, _NUMBERS, shown.scale_map.channel(label).astype(np.dtype("<f4")).tobytes())

    def place(self, shown: ShownSlide, _: int, row: int, col: int) -> Answer | None:
        """Answer with what is known of a tile of the map."""
        place = place_at(shown.scale_map, row, col) if shown.scale_map else None
        if place is None or shown.scale_map is None:
            return None
        return _values(described_place(shown, shown.scale_map, place))

    def picture(self, shown: ShownSlide, _: int, row: int, col: int, which: str) -> Answer | None:
        """Answer with a view of a tile of the map."""
        place = place_at(shown.scale_map, row, col) if shown.scale_map else None
        picture = shown.picture(place, which) if place else None
        return Answer(200, _JPEG, picture) if picture is not None else None


#: What there is below a slide's address; numbers in it are handed over as such.
_ROUTES: Mapping[str, Callable[..., Answer | None]] = {
    r"tiles/([0-9]{1,2})/([0-9]{1,6})_([0-9]{1,6})": Site.tile,
    r"tissue": Site.tissue,
    r"channels/([a-z_]{1,40})": Site.channel,
    r"places/([0-9]{1,6})/([0-9]{1,6})": Site.place,
    r"places/([0-9]{1,6})/([0-9]{1,6})/(native|optimal)": Site.picture,
}
