"""An S3-compatible server (moto's) in a process of its own, with the objects to fetch.

Run as python -m benchmarks.server it prints its address as soon as it answers, and ends when
its standard input does: also when whoever started it was killed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from urllib.request import Request, urlopen

from benchmarks import answers, data
from benchmarks.measure import ROOT
from benchmarks.tools import BUCKET, MissingError

# Its parts are answered without moto.
PARTS_KEY = "parts/big.bin"

# moto looks at no signature, but clients sign only with something.
_KEY, _SECRET = "key-for-benchmarks", "word-for-benchmarks"
_HEADERS = {
    "Authorization": f"AWS {_KEY}:signature",
    "Content-Type": "application/octet-stream",  # else it counts as a form, and is gone
}


def variables(endpoint: str) -> dict[str, str]:
    """What clients need in their environment to reach the server."""
    return {
        "OBS_ENDPOINT": endpoint,
        "OBS_ACCESS_KEY_ID": _KEY,
        "OBS_SECRET_ACCESS_KEY": _SECRET,
        "AWS_ACCESS_KEY_ID": _KEY,
        "AWS_SECRET_ACCESS_KEY": _SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def received_bytes(endpoint: str) -> int:
    """How many bytes the server has been sent since it began, its own objects included."""
    with urlopen(f"{endpoint}{answers.RECEIVED_PATH}") as answer:
        return int(answer.read())


@contextlib.contextmanager
def serving(cores: Sequence[int] = (), *, is_faulty: bool = False) -> Iterator[str]:
    """The address of a server, pinned to these cores, that runs while this lasts.

    Raises:
        MissingError: it did not start.
    """
    command = [sys.executable, "-m", "benchmarks.server", *map(str, cores)]
    process = subprocess.Popen(
        [*command, "--faulty"] if is_faulty else command,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        address = process.stdout.readline().strip() if process.stdout else ""
        if not address:
            raise MissingError("moto's server did not start; run: pip install 'mindrun[dev]'")
        yield address
    finally:
        process.kill()
        process.communicate()


def serve(cores: Sequence[int], *, is_faulty: bool) -> None:
    """Serves until nobody listens at the other end of the standard input."""
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log(self, type: str, message: str, *args: object) -> None:
            """Says nothing."""

    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    big = data.big_object()
    stored = answers.with_parts(answers.moto(), f"/{BUCKET}/{PARTS_KEY}", big)
    application = answers.counted(stored)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    _fill(address, big)
    if is_faulty:
        server.app = answers.with_faults(application, data.SEED)
    sys.stdout.write(f"{address}\n")
    sys.stdout.flush()
    sys.stdin.read()


def _fill(address: str, big: bytes) -> None:
    _put(f"{address}/{BUCKET}", b"")
    for key, content in data.objects():
        _put(f"{address}/{BUCKET}/{key}", content)
    _put(f"{address}/{BUCKET}/big.bin", big)


def _put(url: str, content: bytes) -> None:
    request = Request(url, content, _HEADERS, method="PUT")
    with urlopen(request) as answer:
        answer.read()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.server")
    parser.add_argument("cores", type=int, nargs="*")
    parser.add_argument("--faulty", action="store_true")
    options = parser.parse_args()
    serve(options.cores, is_faulty=options.faulty)
