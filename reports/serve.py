"""The site over HTTP on this machine, for browsers that are not allowed to open files.

What belongs here: a read-only server of one folder. It answers to local names only, so that no page of another origin
can reach it through a name of its own.
"""

from __future__ import annotations

import functools
import http.server
from http import HTTPStatus
from pathlib import Path

HOST = "127.0.0.1"
_NAMES = ("127.0.0.1", "localhost")


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Files of the folder, no listings, nothing kept by the browser without asking again."""

    protocol_version = "HTTP/1.1"

    def send_head(self):  # type: ignore[no-untyped-def]
        """Refuse what is not addressed to this machine by name."""
        if self.headers.get("Host", "").rsplit(":", 1)[0] not in _NAMES:
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST, "This server answers to localhost only")
            return None
        return super().send_head()

    def list_directory(self, path: object) -> None:
        """A folder without an index has no page."""
        self.send_error(HTTPStatus.NOT_FOUND, "Not found")

    def end_headers(self) -> None:
        """Ask again each time: a night may have published since."""
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing of single requests."""


def server(site_dir: Path, port: int) -> http.server.ThreadingHTTPServer:
    """A server of the folder on this machine, bound and not yet serving; port 0 takes a free one."""
    return http.server.ThreadingHTTPServer((HOST, port), functools.partial(_Handler, directory=str(site_dir)))
