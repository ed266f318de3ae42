"""A page for this machine alone, and an answer for each file that it sends.

The standard library's server, bound to 127.0.0.1. What is sent is held in memory while it is
answered, and nowhere else; no request is logged.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import traceback
import urllib.parse
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from data.images import UnreadableImage
from util.errors import UsageError, WorkError

HOST = "127.0.0.1"
OURS = (HOST, "localhost")  # names that a browser may know this server by
IDLE = 60  # seconds after which a silent connection is closed
HEADERS = {
    "Content-Security-Policy": "frame-ancestors 'none'",  # the rest stands in the page
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

Answer = Callable[[bytes, str], dict[str, Any]]  # of a file's content and name


class LocalServer(ThreadingHTTPServer):
    """Serves `page` at /, and `answer` at /image, one file of at most `max_bytes` at a time."""

    daemon_threads = True  # a browser keeps idle connections, for which no end should wait

    def __init__(self, port: int, *, page: bytes, answer: Answer, max_bytes: int) -> None:
        self.page, self.answer, self.max_bytes = page, answer, max_bytes
        self.answering = threading.Lock()
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise UsageError(
                f"--port {port}: {error.strerror or error}; name another, or 0 for any free one"
            ) from error

    @property
    def url(self) -> str:
        """Return the address of the page."""
        return f"http://{HOST}:{self.server_port}/"

    def run(self) -> None:
        """Serve until interrupted; then let the file that is being answered come to its end."""
        try:
            self.serve_forever()
        finally:
            self.answering.acquire()
            self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Say nothing of a browser that went away."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: LocalServer
    timeout = IDLE

    def do_GET(self) -> None:
        if self._is_from_here():
            if self.path == "/":
                self._send(200, "text/html; charset=utf-8", self.server.page)
            else:
                self._say(404, "no such page")

    def do_POST(self) -> None:
        """Answer for the file in the body; its name is in the query, for messages alone."""
        url = urllib.parse.urlsplit(self.path)
        if not self._is_from_here():
            return
        if self.headers.get("Origin") != f"http://{self.headers['Host']}":
            self._say(403, "only the page of this server may ask")
        elif url.path != "/image":
            self._say(404, "no such page")
        elif not re.fullmatch(r"[0-9]{1,12}", length := self.headers.get("Content-Length", "")):
            self._say(411, "the length of the file is missing")
        elif int(length) > self.server.max_bytes:
            self._say(413, f"the file holds more than {self.server.max_bytes:,} bytes")
        else:
            content = self.rfile.read(int(length))
            name = urllib.parse.parse_qs(url.query).get("name", ["the image"])[0]
            with self.server.answering:
                self._answer(content, name)

    def _answer(self, content: bytes, name: str) -> None:
        try:
            answer = self.server.answer(content, name)
        except UnreadableImage as error:
            self._say(422, error.reason)
        except WorkError as error:
            self._say(500, str(error))
        except Exception:
            traceback.print_exc()
            self._say(500, "this image could not be scored; the terminal says why")
        else:
            self._send(200, "application/json", json.dumps(answer, allow_nan=False).encode())

    def _is_from_here(self) -> bool:
        """Refuse a page of another site that has its own name lead to this machine."""
        host = urllib.parse.urlsplit(f"//{self.headers.get('Host', '')}").hostname
        if host not in OURS:
            self._say(403, "this server answers to 127.0.0.1 and localhost alone")
        return host in OURS

    def _say(self, status: int, error: str) -> None:
        self._send(status, "application/json", json.dumps({"error": error}).encode())

    def _send(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        for header, value in {**HEADERS, "Content-Type": kind}.items():
            self.send_header(header, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *values: object) -> None:
        """Keep no log."""
