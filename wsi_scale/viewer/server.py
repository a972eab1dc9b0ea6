"""The viewer's server: on this machine alone, for who has the address with its key."""

import errno
import logging
import secrets
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from wsi_scale.errors import ConfigError, UserError
from wsi_scale.viewer.site import LIBRARY, Answer, Site
from wsi_scale.viewer.viewed import ViewedResults

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
#: Names under which a browser on this machine, or at the other end of a tunnel, asks for it. Any other is that of a
#: foreign page that had its name resolved to this machine.
_OWN_NAMES = (HOST, "localhost")
#: Seconds for which a browser may keep a tile.
_KEPT_S = 3600
#: Seconds after which a silent connection is closed.
_SILENT_S = 60

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class ViewerServer(ThreadingHTTPServer):
    """Serves a folder of results, and the slides that they are of, to browsers on this machine.

    Parameters
    ----------
    folder
        A results folder, or one slide's own.
    port
        0 for any free one.

    Raises
    ------
    ArtifactError
        The folder holds no results of slides.
    ConfigError
        The port cannot be used.
    UserError
        The library that draws the slide is not there.
    """

    daemon_threads = True  # Ctrl-C waits for no tile

    def __init__(self, folder: Path, port: int = 0) -> None:
        if not LIBRARY.is_file():
            raise UserError(
                f"the viewer's library is missing: {LIBRARY}; install npm and then this package again, "
                "or take OpenSeadragon's openseadragon.min.js there by hand"
            )
        self.results = ViewedResults(folder)
        self._token = secrets.token_urlsafe(24)
        self._ticket: str | None = None
        self._ticket_lock = threading.Lock()
        self.site = Site(self.results, self._token)
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
            raise ConfigError(f"port {port} {why}; choose another with --port, or 0 for a free one") from error

    @property
    def address(self) -> str:
        """Address of the viewer, with its key."""
        return f"http://{HOST}:{self.server_port}/{self._token}/"

    def ticket(self) -> str:
        """Make an address that leads to the viewer once.

        A browser is started with it: other users of the machine can read the command of a process, and the key must
        not be in it.
        """
        with self._ticket_lock:
            self._ticket = secrets.token_urlsafe(24)
            return f"http://{HOST}:{self.server_port}/open/{self._ticket}"

    def take_ticket(self, path: str) -> bool:
        """Whether a path is that of the ticket, which is then used up."""
        with self._ticket_lock:
            if self._ticket is None or not secrets.compare_digest(path.encode(), f"/open/{self._ticket}".encode()):
                return False
            self._ticket = None
            return True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log a failure; a browser that hangs up is none."""
        log.debug("request from %s", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD."""

    server: ViewerServer
    server_version, sys_version = "wsi-scale", ""
    protocol_version = "HTTP/1.1"
    timeout = _SILENT_S

    def do_GET(self) -> None:
        """Answer a request."""
        self._send(self._answer())

    def do_HEAD(self) -> None:
        """Answer a request without its body."""
        self._send(self._answer())

    def _answer(self) -> Answer:
        name, colon, port = self.headers.get("Host", "").rpartition(":")
        if (name if colon and port.isdigit() else self.headers.get("Host", "")) not in _OWN_NAMES:
            return Answer(HTTPStatus.FORBIDDEN, "text/plain", b"ask for 127.0.0.1 or localhost\n")
        path = self.path.partition("?")[0]
        if self.server.take_ticket(path):
            return Answer(HTTPStatus.FOUND, "text/plain", b"")
        try:
            return self.server.site.answer(path)
        except Exception:  # one request must not end the others
            log.exception("the request for %s", path.rpartition("slides")[2])
            return Answer(HTTPStatus.INTERNAL_SERVER_ERROR, "application/json", b'{"error": "unexpected; see the log"}')

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        if answer.status == HTTPStatus.FOUND:
            self.send_header("Location", self.server.address.partition(f":{self.server.server_port}")[2])
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Cache-Control", f"private, max-age={_KEPT_S}" if answer.lasting else "no-store")
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name is the library's)
        """Say nothing of the key."""
