"""What the server answers: moto's S3, parts of the big object without moto's detour, faults."""

from __future__ import annotations

import random
import re
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]

RECEIVED_PATH = "/received-bytes"

BUSY_SHARE, CUT_SHARE, STALL_SHARE = 0.10, 0.05, 0.005

_CHUNK_BYTES = 1 << 20
_SILENCE_S = 20.0
_BUSY = b"<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>"


def moto() -> Application:
    """Moto's S3, whoever signed the request and how."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    application = DomainDispatcherApplication(create_backend_app)

    def s3_alone(environ: dict[str, Any], start_response: Any) -> Any:
        # moto guesses the service from the signature's slashes, and a few signatures have four.
        if "HTTP_AUTHORIZATION" in environ:
            environ["HTTP_AUTHORIZATION"] = "AWS key:signature"
        return application(environ, start_response)

    return s3_alone


def with_parts(application: Application, path: str, content: bytes) -> Application:
    """The object at this path is answered from here: moto copies all of it for each part."""

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] != path or environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return application(environ, start_response)
        first, last = _range(environ.get("HTTP_RANGE", ""), len(content))
        headers = [
            ("Content-Length", str(last + 1 - first)),
            ("Content-Type", "application/octet-stream"),
            ("Accept-Ranges", "bytes"),
            ("ETag", '"0123456789abcdef0123456789abcdef"'),
            ("Last-Modified", "Wed, 01 Jan 2020 00:00:00 GMT"),
            ("x-amz-request-id", "1"),
        ]
        status = "200 OK"
        if environ.get("HTTP_RANGE"):
            status = "206 Partial Content"
            headers.append(("Content-Range", f"bytes {first}-{last}/{len(content)}"))
        start_response(status, headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else _chunks(content, first, last + 1)

    return answer


def counted(application: Application) -> Application:
    """Counts the bytes of the bodies that are put or posted, and tells them at RECEIVED_PATH."""
    lock, received_bytes = threading.Lock(), 0

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        nonlocal received_bytes
        if environ["PATH_INFO"] == RECEIVED_PATH:
            body = str(received_bytes).encode()
            start_response("200 OK", [("Content-Length", str(len(body)))])
            return [body]
        if environ["REQUEST_METHOD"] in ("PUT", "POST"):
            with lock:
                received_bytes += int(environ.get("CONTENT_LENGTH") or 0)
        return application(environ, start_response)

    return answer


def with_faults(application: Application, seed: int) -> Application:
    """Of all requests some are refused; of all bodies some end, or stop, in the middle."""
    made = random.Random(seed)
    lock = threading.Lock()

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with lock:
            is_busy = made.random() < BUSY_SHARE
            fate = made.random()
        if is_busy:
            headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(_BUSY)))]
            start_response("503 Slow Down", headers)
            return [] if environ["REQUEST_METHOD"] == "HEAD" else [_BUSY]
        body = application(environ, start_response)
        if environ["REQUEST_METHOD"] != "GET" or fate >= CUT_SHARE + STALL_SHARE:
            return body
        return _broken(b"".join(body), environ["werkzeug.socket"], is_cut=fate < CUT_SHARE)

    return answer


def _broken(content: bytes, connection: socket.socket, *, is_cut: bool) -> Iterator[bytes]:
    yield content[: len(content) // 2]
    if not is_cut:
        threading.Event().wait(_SILENCE_S)
    connection.shutdown(socket.SHUT_RDWR)


def _range(asked: str, size_bytes: int) -> tuple[int, int]:
    """The first and the last byte."""
    found = re.fullmatch(r"bytes=(\d+)-(\d*)", asked)
    if not found:
        return 0, size_bytes - 1
    last = int(found.group(2)) if found.group(2) else size_bytes - 1
    return int(found.group(1)), min(last, size_bytes - 1)


def _chunks(content: bytes, start: int, end: int) -> Iterator[bytes]:
    view = memoryview(content)
    for at in range(start, end, _CHUNK_BYTES):
        yield bytes(view[at : min(at + _CHUNK_BYTES, end)])
