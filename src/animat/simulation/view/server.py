"""Serves the live page on this machine: the page, what is to be drawn, and frames as server-sent events."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any

from animat.run.report import template
from animat.simulation.view.latest import Latest

__all__ = ["ViewServer"]

#: Seconds between two frames of a viewer, and between two signs of life while nothing happens.
_FRAME_S = 0.04
_ALIVE_S = 2.0


class ViewServer:
    """A page on 127.0.0.1 at a free port, reachable only with the token in its address.

    Parameters
    ----------
    latest
        Where frames come from.
    setup
        Returns what the page draws (bodies and populations), empty until it is known.
    port
        0: any free one.
    """

    def __init__(self, latest: Latest, setup: Callable[[], dict[str, Any]], *, port: int = 0) -> None:
        self.latest = latest
        self.setup = setup
        self.token = secrets.token_urlsafe(18)
        self.closing = threading.Event()
        server = self

        class Handler(_Handler):
            view = server

        self._http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, name="live view", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The page's address."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/{self.token}/"

    def close(self) -> None:
        """End all streams and stop serving."""
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()


class _Handler(BaseHTTPRequestHandler):
    view: ViewServer

    def do_GET(self) -> None:
        _, _, rest = self.path.partition("/")
        token, _, name = rest.partition("/")
        if not secrets.compare_digest(token.encode(), self.view.token.encode()) or name not in ("", "frames"):
            self.send_error(404)
            return
        try:
            self._frames() if name else self._page()
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            pass

    def _page(self) -> None:
        page = live_page().encode()
        self._head("text/html; charset=utf-8")
        self.wfile.write(page)

    def _head(self, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()

    def _frames(self) -> None:
        """Send what is new, at most 25 times a second; a browser that does not read holds up only this thread."""
        self.connection.settimeout(10)
        self._head("text/event-stream")
        setup: dict[str, Any] = {}
        seen, spoken = -1, time.monotonic()
        while True:
            last = self.view.closing.is_set()
            if not setup and (setup := self.view.setup()):
                self._send("setup", setup)
            seen, frame = self.view.latest.frame(seen)
            if frame is not None:
                self._send("frame", frame)
                spoken = time.monotonic()
            elif time.monotonic() - spoken > _ALIVE_S:
                self.wfile.write(b": alive\n\n")
                spoken = time.monotonic()
            if last:
                self._send("end", {})
                return
            self.view.closing.wait(_FRAME_S)

    def _send(self, kind: str, content: dict[str, Any]) -> None:
        self.wfile.write(f"event: {kind}\ndata: {json.dumps(content)}\n\n".encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing on the terminal."""


def live_page() -> str:
    """Return the live page with its styles and scripts inside."""
    own = files("animat.simulation.view")
    read = own.joinpath("live.html").read_text(encoding="utf-8")
    script = own.joinpath("live.js").read_text(encoding="utf-8")
    parts = {"css": template("page.css"), "scripts": "\n".join((template("scene.js"), template("plots.js"), script))}
    for name, text in parts.items():
        read = read.replace(f"{{{{{name}}}}}", text)
    return read
