"""A bucket on the loopback that whole jobs export to: counted, and made slow or unwilling."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

REFUSAL = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>no</Message></Error>"
_NUMBERS = itertools.count(1)
_CHUNK_BYTES = 16384


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        """Says nothing."""


@dataclass
class Bucket:
    """One bucket, and how it behaves from now on; `puts` are keys with the bytes that came."""

    url: str
    endpoint: str = ""
    refuses_puts: bool = False
    bytes_per_s: float = 0.0
    puts: list[tuple[str, int]] = field(default_factory=list)
    begun: threading.Event = field(default_factory=threading.Event)

    @property
    def variables(self) -> dict[str, str]:
        """What a job needs in its environment."""
        return {
            "OBS_ENDPOINT": self.endpoint,
            "OBS_ACCESS_KEY_ID": "access-key-for-tests",
            "OBS_SECRET_ACCESS_KEY": "secret-word-for-tests",
        }

    def put_bytes(self, part: str = "") -> int:
        """How many bytes came under keys that hold this text."""
        return sum(count for key, count in self.puts if part in key)


class _Slow:
    """A request's body at a limited speed."""

    def __init__(self, body: Any, bytes_per_s: float) -> None:
        self._body, self._bytes_per_s = body, bytes_per_s

    def read(self, size: int = -1) -> bytes:
        """At most a chunk, after the time that it takes."""
        chunk = bytes(self._body.read(min(size, _CHUNK_BYTES) if size >= 0 else size))
        time.sleep(len(chunk) / self._bytes_per_s)
        return chunk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)


@contextlib.contextmanager
def serving_bucket() -> Iterator[Bucket]:
    """A bucket of its own, while this lasts."""
    werkzeug_app = pytest.importorskip("moto.moto_server.werkzeug_app")
    obs = pytest.importorskip("obs")
    moto = werkzeug_app.DomainDispatcherApplication(werkzeug_app.create_backend_app)
    name = f"live{next(_NUMBERS)}"
    bucket = Bucket(f"obs://{name}/results")

    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        # moto guesses the service from the signature's slashes, and a few signatures have four.
        if "HTTP_AUTHORIZATION" in environ:
            environ["HTTP_AUTHORIZATION"] = "AWS key:signature"
        is_object = environ["PATH_INFO"].count("/") > 1
        if environ["REQUEST_METHOD"] in ("PUT", "POST") and is_object:
            size_bytes = int(environ.get("CONTENT_LENGTH") or 0)
            bucket.begun.set()
            if bucket.refuses_puts:
                environ["wsgi.input"].read(size_bytes)
                start_response("403 Forbidden", [("Content-Type", "application/xml")])
                return [REFUSAL]
            bucket.puts.append((environ["PATH_INFO"], size_bytes))
            if bucket.bytes_per_s:
                environ["wsgi.input"] = _Slow(environ["wsgi.input"], bucket.bytes_per_s)
        return moto(environ, start_response)

    server = make_server("127.0.0.1", 0, answer, threaded=True, request_handler=_Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    bucket.endpoint = f"http://127.0.0.1:{server.server_port}"
    client = obs.ObsClient("a", "b", server=bucket.endpoint, signature="v2", path_style=True)
    assert client.createBucket(name).status < 300
    try:
        yield bucket
    finally:
        server.shutdown()
        server.server_close()
