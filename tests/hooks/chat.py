"""A server on the loopback that answers as chats do, and as they do not."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# In the place of an answer: says nothing until the server ends, or hangs up.
SILENCE, HANG_UP = "silence", "hang up"


@dataclass
class Chat:
    """What was posted, by path and body; `answers` come one after another, the last for ever."""

    answers: deque[Any] = field(default_factory=deque)
    posts: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    url: str = ""
    ending: threading.Event = field(default_factory=threading.Event)

    def next_answer(self) -> Any:
        """A (status, text), or what stands in its place."""
        return self.answers.popleft() if len(self.answers) > 1 else self.answers[0]


class _Handler(BaseHTTPRequestHandler):
    chat: Chat

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.chat.posts.append((self.path, json.loads(content)))
        answer = self.chat.next_answer()
        if answer == SILENCE:
            self.chat.ending.wait(60)
        if answer in (SILENCE, HANG_UP):
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        status, text = answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


@contextlib.contextmanager
def chatting(*answers: Any) -> Iterator[Chat]:
    """The server at work."""
    chat = Chat(deque(answers))
    handler = type("Handler", (_Handler,), {"chat": chat})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    chat.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield chat
    finally:
        chat.ending.set()
        server.shutdown()
        server.server_close()
        thread.join()
