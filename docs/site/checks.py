"""Sphinx extension: the finished site has no link that leads nowhere and needs nothing from another host."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sphinx.application import Sphinx
from sphinx.util import logging

log = logging.getLogger(__name__)

#: Attributes by which a page fetches something, as opposed to linking to it.
FETCHED = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src"}


class Page(HTMLParser):
    """The links, anchors and fetched files of a page.

    Attributes
    ----------
    links, fetched
        Addresses, as they are written.
    anchors
        Ids of elements.
    """

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element refers to."""
        given = {name: value for name, value in attrs if value is not None}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in FETCHED and FETCHED[tag] in given and given.get("rel") not in ("index", "search", "next", "prev"):
            self.fetched.append(given[FETCHED[tag]])


def faults(site: Path) -> list[str]:
    """Name each link that leads nowhere, and each file that comes from another host."""
    pages = {file: _read(file) for file in site.rglob("*.html") if "_static" not in file.parts}
    found = []
    for file, page in pages.items():
        name = file.relative_to(site)
        found += [f"{name}: fetches {url}" for url in page.fetched if urlsplit(url).netloc]
        found += [f"{name}: {url} leads nowhere" for url in page.links + page.fetched if not _leads(url, file, pages)]
    return found


def _read(file: Path) -> Page:
    page = Page()
    page.feed(file.read_text(encoding="utf-8"))
    return page


def _leads(url: str, file: Path, pages: dict[Path, Page]) -> bool:
    parts = urlsplit(url)
    if parts.scheme or parts.netloc:
        return True
    target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
    if target not in pages:
        return target.exists()
    return not parts.fragment or unquote(parts.fragment) in pages[target].anchors


def check(app: Sphinx, exception: Exception | None) -> None:
    """Warn of each fault of the finished site; `make docs` makes errors of warnings."""
    if exception is None and app.builder.format == "html":
        for fault in faults(Path(app.outdir).resolve()):
            log.warning(fault)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("build-finished", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
