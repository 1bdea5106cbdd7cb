"""Servers on the loopback that behave, and misbehave, as those of the real world do."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote


@dataclass
class WebServer:
    """A web server's files, and what it does wrong, one fault per GET.

    A fault is a status to answer, ("cut", n) to hang up after n bytes of the body,
    ("stall", n) to fall silent there, or a callable on the server, run before the answer.
    `choose`, given the server, says what the next fault is where none is waiting; `etag`
    is one for all files, as servers give that only know a time.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    faults: deque = field(default_factory=deque)
    every_fault: object = None
    choose: Callable[[WebServer], object] | None = None
    knows_range: bool = True
    knows_head: bool = True
    head_status: int = 405
    head_length: str = ""
    has_etag: bool = True
    etag: str = ""
    redirect: str = ""
    requests: list = field(default_factory=list)
    url: str = ""
    ending: threading.Event = field(default_factory=threading.Event)

    def gets(self) -> list:
        """The headers of each GET so far."""
        return [headers for method, _, headers in self.requests if method == "GET"]


class _Handler(BaseHTTPRequestHandler):
    web: WebServer

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""

    def do_HEAD(self) -> None:
        self._note()
        if not self.web.knows_head or self.web.head_status != 405:
            self.send_error(self.web.head_status)
            return
        self._answer(fault=None)

    def do_GET(self) -> None:
        self._note()
        fault = self.web.faults.popleft() if self.web.faults else self.web.every_fault
        if fault is None and self.web.choose:
            fault = self.web.choose(self.web)
        if callable(fault):
            fault(self.web)
            fault = None
        self._answer(fault=fault)

    def _note(self) -> None:
        self.web.requests.append((self.command, self.path, dict(self.headers)))

    def _answer(self, fault: object) -> None:
        name = unquote(self.path.partition("?")[0]).lstrip("/")
        if self.web.redirect:
            self.send_response(302)
            self.send_header("Location", self.web.redirect)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if isinstance(fault, int) or name not in self.web.files:
            self.send_error(fault if isinstance(fault, int) else 404)
            return
        content = self.web.files[name]
        etag = self.web.etag or f'"{hashlib.md5(content).hexdigest()}"'
        start = self._start(etag)
        if start > 0 and start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start >= 0 else 200)
        if start >= 0:
            last = min(self._last(), len(content) - 1)
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(content)}")
            content = content[start : last + 1]
        if self.web.has_etag:
            self.send_header("ETag", etag)
        is_false = self.command == "HEAD" and self.web.head_length
        length = self.web.head_length if is_false else str(len(content))
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command == "GET":
            self._send(content, fault)

    def _start(self, etag: str) -> int:
        """The first byte asked for; -1 for the whole."""
        asked = self.headers.get("Range", "")
        is_same = self.headers.get("If-Range", etag) == etag
        if not (asked and self.web.knows_range and is_same):
            return -1
        return int(asked.partition("=")[2].partition("-")[0])

    def _last(self) -> int:
        """The last byte asked for."""
        return int(self.headers["Range"].rpartition("-")[2] or sys.maxsize)

    def _send(self, content: bytes, fault: object) -> None:
        kind, count = fault if isinstance(fault, tuple) else ("", len(content))
        self.wfile.write(content[:count])
        self.wfile.flush()
        if kind == "stall":
            self.web.ending.wait(20)
        if kind:
            self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is none of the server's mistakes."""


@contextlib.contextmanager
def serving(web: WebServer) -> Iterator[WebServer]:
    """The server answers at `web.url` while this lasts."""
    handler = type("Handler", (_Handler,), {"web": web})
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    web.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield web
    finally:
        web.ending.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def answering(raw: bytes | None) -> Iterator[str]:
    """A server that gives every request these bytes, or with None accepts and stays silent."""
    listener = socket.create_server(("127.0.0.1", 0))
    connections: list[socket.socket] = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connections.append(connection)
                if raw is not None:
                    connection.recv(65536)
                    connection.sendall(raw)
                    connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        # Closing alone does not wake a thread that waits in accept.
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(timeout=2)
        for connection in connections:
            connection.close()


def closed_port() -> int:
    """A port of the loopback on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def obs_error(status: int, code: str) -> bytes:
    """An answer as OBS gives it, with the request's details that no message may repeat."""
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>no</Message>'
        f"<AWSAccessKeyId>access-key-for-tests</AWSAccessKeyId></Error>"
    ).encode()
    head = (
        f"HTTP/1.1 {status} Answer\r\nContent-Type: application/xml\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
