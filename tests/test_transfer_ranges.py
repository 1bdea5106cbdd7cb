"""Big objects in ranges: whatever breaks, changes, lies or is damaged, the bytes are right."""

from __future__ import annotations

import hashlib
import itertools
import logging
import os
import random
import shutil
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import DiskFullError, IntegrityError, StorageError
from pipeline.storage import Entry, ignore_bytes, open_storage
from pipeline.storage.http import HttpStorage
from pipeline.transfer import Limits, arrived_bytes, download, download_folder, fetching
from pipeline.transfer.ranges import Range
from pipeline.transfer.shares import Shares
from pipeline.transfer.workers import Workers
from tests.servers import WebServer, serving

PART_BYTES = 32_768
CONTENT = random.Random(1).randbytes(10 * PART_BYTES + 77)
LIMITS = Limits(parallel=4, retries=3, stall_s=2.0)


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ranges of 32 kB instead of 32 MB, and short waits between attempts."""
    monkeypatch.setattr(fetching, "PART_BYTES", PART_BYTES)
    monkeypatch.setattr(sys.modules["pipeline.transfer.retry"], "FIRST_WAIT_S", 0.02)


@pytest.fixture
def web() -> Iterator[WebServer]:
    """A web server with one file of eleven ranges, `f.zip`."""
    with serving(WebServer({"f.zip": CONTENT})) as server:
        yield server


class Listed(HttpStorage):
    """A web server of which all files are known, so that it has folders too."""

    def __init__(self, web: WebServer, *, stall_s: float) -> None:
        """Takes the server itself."""
        super().__init__(web.url, stall_s=stall_s)
        self._web = web

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """As every storage."""
        for key, content in self._web.files.items():
            if key.startswith(prefix):
                yield Entry(key, len(content), f'"{hashlib.md5(content).hexdigest()}"')


class Named(Listed):
    """The same, of versions that tell nothing apart."""

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """As every storage."""
        self._web.etag = '"65534-2"'
        for entry in super().list(prefix):
            yield entry._replace(etag=self._web.etag)


def fetched(web: WebServer, path: Path, **more: object) -> bytes:
    """What lies at the path after a download of `f.zip`."""
    limits = Limits(4, 3, stall_s=0.3)
    download(open_storage(web.url, stall_s=0.3), "f.zip", path, limits=limits, **more)
    return path.read_bytes()


def requested_bytes(web: WebServer) -> int:
    """How many bytes the GETs so far have asked for."""
    total_bytes = 0
    for headers in web.gets():
        start, _, last = headers.get("Range", "bytes=0-").partition("=")[2].partition("-")
        total_bytes += min(int(last or len(CONTENT)), len(CONTENT) - 1) + 1 - int(start)
    return total_bytes


def faulty(seed: int) -> object:
    """Of the answers a tenth is a 503, a twentieth is cut, some stall."""
    chance = random.Random(seed)

    def choose(web: WebServer) -> object:
        del web
        drawn = chance.random()
        if drawn < 0.10:
            return 503
        if drawn < 0.15:
            return ("cut", chance.randrange(5000))
        return ("stall", chance.randrange(5000)) if drawn < 0.155 else None

    return choose


def test_ranges_make_the_whole(web: WebServer, tmp_path: Path) -> None:
    """Every byte is asked for once, in ranges, and hashed though they come in any order."""
    moved: list[int] = []
    path = tmp_path / "f"

    receipt = download(
        open_storage(web.url, stall_s=2), "f.zip", path, limits=LIMITS, on_bytes=moved.append
    )

    assert path.read_bytes() == CONTENT
    assert receipt.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert sum(moved) == len(CONTENT) == requested_bytes(web)
    assert len(web.gets()) == 11
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("fault", ["no range", "no etag"])
def test_servers_without_ranges_send_one_stream(web: WebServer, tmp_path: Path, fault: str) -> None:
    """Where ranges cannot be had, or not be trusted, the object comes as a whole."""
    web.knows_range = fault != "no range"
    web.has_etag = fault != "no etag"

    assert fetched(web, tmp_path / "f") == CONTENT


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_bad_server_costs_time_only(tmp_path: Path, seed: int) -> None:
    """With refusals, cuts and stalls all over, big files and small ones arrive identical."""
    chance = random.Random(seed)
    files = {f"{n}.bin": chance.randbytes(chance.randrange(20_000)) for n in range(150)}
    files["big"] = CONTENT * 20
    with serving(WebServer(files, choose=faulty(seed))) as web:
        storage = Listed(web, stall_s=1.0)
        limits = Limits(8, 3, stall_s=1.0)
        download_folder(storage, "", tmp_path / "folder", limits=limits)
        download(storage, "big", tmp_path / "big", limits=limits)

    found = {path.name: path.read_bytes() for path in (tmp_path / "folder").iterdir()}
    assert found == files
    assert (tmp_path / "big").read_bytes() == files["big"]


@pytest.mark.slow
@pytest.mark.parametrize("fault", [503, ("cut", 0), ("cut", 9), ("stall", 9)])
@pytest.mark.parametrize("kind", ["folder", "ranges"])
def test_a_hopeless_server_is_left(
    tmp_path: Path, fault: object, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that always fails is left within 45 s by the default limits, with one error.

    Run with a fortieth of the stall limit, of 8 s, and of the waits.
    """
    monkeypatch.setattr(sys.modules["pipeline.transfer.retry"], "FIRST_WAIT_S", 0.5 / 40)
    monkeypatch.setattr(sys.modules["pipeline.transfer.retry"], "LONGEST_WAIT_S", 8 / 40)
    limits = Limits(8, 3, stall_s=0.2)
    files = {f"{n}.bin": CONTENT[:9000] for n in range(50)} if kind == "folder" else {}
    with serving(WebServer({"f.zip": CONTENT, **files}, every_fault=fault)) as web:
        storage = Listed(web, stall_s=0.2)
        fetch = download_folder if kind == "folder" else download
        began_s = time.monotonic()
        with pytest.raises(StorageError, match=rf"^{web.url}/\S+: .*Gave up after") as caught:
            fetch(storage, "" if kind == "folder" else "f.zip", tmp_path / "f", limits=limits)
        seconds = time.monotonic() - began_s

    assert seconds < 45 / 40 + 3, "some seconds for starting and leaving, which do not scale"
    assert str(caught.value).count("Gave up") == 1
    assert not (tmp_path / "f").exists()


def interrupted(web: WebServer, path: Path, at_bytes: int = 150_000) -> int:
    """Leaves what a download leaves that was ended after so many bytes; how many are there."""
    seen: list[int] = []

    def end(count: int) -> None:
        seen.append(count)
        if sum(seen) >= at_bytes:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetched(web, path, on_bytes=end)
    web.requests.clear()
    return arrived_bytes(path)


def test_interrupted_ranges_are_gone_on_from(
    web: WebServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Only what had not arrived is asked for, and the log says where it goes on."""
    caplog.set_level(logging.INFO)
    path = tmp_path / "f"
    there_bytes = interrupted(web, path)
    moved: list[int] = []

    assert fetched(web, path, on_bytes=moved.append) == CONTENT

    assert there_bytes >= 150_000
    assert requested_bytes(web) == len(CONTENT) - there_bytes
    assert sum(moved) == len(CONTENT)
    assert f"resuming at byte {there_bytes} of {len(CONTENT)}: f" in caplog.text
    assert arrived_bytes(path) == 0


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_ranges_of_two_versions_are_never_mixed(web: WebServer, tmp_path: Path, when: str) -> None:
    """An object that changes before the next attempt or during one is begun anew."""
    path = tmp_path / "f"
    interrupted(web, path)
    other = random.Random(2).randbytes(len(CONTENT))
    if when == "before":
        web.files["f.zip"] = other
    else:
        web.faults.extend([None, None, lambda server: server.files.update({"f.zip": other})])

    assert fetched(web, path) == other


def test_ranges_of_two_objects_are_never_mixed(web: WebServer, tmp_path: Path) -> None:
    """What lies there of another object counts for nothing, though size and etag are the same."""
    web.etag = '"65534-5"'
    web.files["g.zip"] = random.Random(3).randbytes(len(CONTENT))
    path = tmp_path / "f"
    there_bytes = interrupted(web, path)
    storage = open_storage(f"{web.url}?signature=s", stall_s=2)

    assert arrived_bytes(path, f"{web.url}/f.zip?signature=t") == there_bytes > 0
    assert arrived_bytes(path, f"{web.url}/g.zip") == 0
    download(storage, "g.zip", path, limits=LIMITS)
    assert path.read_bytes() == web.files["g.zip"]


def test_files_of_two_folders_are_never_mixed(web: WebServer, tmp_path: Path) -> None:
    """What lies there of another folder counts for nothing, though all else is the same."""
    web.files = {"a/1": b"a1", "a/2": b"a2", "b/1": b"b1", "b/2": b"b2"}
    storage = Named(web, stall_s=2)
    web.faults.extend([None, 403])
    with pytest.raises(StorageError):
        download_folder(storage, "a", tmp_path / "f", limits=Limits(1, 0, 2.0))

    assert arrived_bytes(tmp_path / "f", f"{web.url}/a/") == 2
    assert arrived_bytes(tmp_path / "f", f"{web.url}/b/") == 0
    download_folder(storage, "b", tmp_path / "f", limits=LIMITS)
    assert {p.name: p.read_bytes() for p in (tmp_path / "f").iterdir()} == {"1": b"b1", "2": b"b2"}


@pytest.mark.slow
def test_killed_anywhere(web: WebServer, tmp_path: Path) -> None:
    """Killed again and again at random moments, a download loses next to nothing each time."""
    chance = random.Random(7)
    web.choose = lambda _: time.sleep(0.01)
    path = tmp_path / "f"
    code = f"""
        from pathlib import Path
        from pipeline.storage import open_storage
        from pipeline.transfer import Limits, download, fetching
        fetching.PART_BYTES = {PART_BYTES}
        print("on the way", flush=True)
        download(open_storage({web.url!r}, stall_s=9), "f.zip", Path({str(path)!r}),
                 limits=Limits(2, 3, 9.0))
    """
    kills = 0
    while not path.exists() and kills < 20:
        child = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert child.stdout
        child.stdout.readline()
        time.sleep(chance.uniform(0.005, 0.06))
        child.kill()
        child.communicate()
        kills += 1

    assert fetched(web, path) == CONTENT
    assert requested_bytes(web) <= 2 * len(CONTENT) + kills * 2 * PART_BYTES


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    interrupted_at=st.integers(1, len(CONTENT)),
    damaged_at=st.floats(0, 0.999),
    bits=st.integers(1, 255),
    damaged=st.sampled_from(["f.part", "f.part.ranges"]),
    damage=st.sampled_from(["flip", "cut", "zero", "remove", "add"]),
)
def test_damage_never_passes_for_what_arrived(
    web: WebServer, interrupted_at: int, damaged_at: float, bits: int, damaged: str, damage: str
) -> None:
    """Whatever a power cut or a disk does to the part or its record, the end is right."""
    with tempfile.TemporaryDirectory() as name:
        interrupted(web, Path(name, "f"), interrupted_at)
        path = Path(name, damaged)
        content = bytearray(path.read_bytes())
        at = int(damaged_at * len(content))
        if damage == "flip":
            content[at] ^= bits
        elif damage == "cut":
            del content[at:]
        elif damage == "zero":
            content[at:] = bytes(len(content) - at)
        elif damage == "add":
            content += bytes([bits]) * bits
        path.unlink() if damage == "remove" else path.write_bytes(content)

        assert fetched(web, Path(name, "f")) == CONTENT


def test_arrived_bytes_of_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies of an unfinished folder is known without asking anybody, big files' parts too."""
    monkeypatch.setattr(sys.modules["pipeline.transfer.folder"], "_RECORDED_BYTES", PART_BYTES)
    files = {"a": b"1" * 10, "b": b"2" * 20, "c.zip": CONTENT}
    folder = tmp_path / "out"
    with serving(WebServer(files)) as web:
        web.faults.extend([None, None, None, ("cut", 1000), 403])
        with pytest.raises(StorageError, match=r"c\.zip"):
            download_folder(Listed(web, stall_s=2), "", folder, limits=Limits(1, 0, 2.0))
        there_bytes = arrived_bytes(folder)
        web.requests.clear()
        web.faults.clear()
        download_folder(Listed(web, stall_s=2), "", folder, limits=LIMITS)

    assert there_bytes == 30 + PART_BYTES + 1000
    assert requested_bytes(web) == len(CONTENT) - PART_BYTES - 1000
    assert arrived_bytes(folder) == 0


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_space_is_looked_at_before(
    web: WebServer, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not fit is refused before the first byte, with what it needs and what is free."""
    usage = shutil.disk_usage(tmp_path)._replace(free=100_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)

    fetch, key = (download, "f.zip") if kind == "file" else (download_folder, "")

    with pytest.raises(DiskFullError, match=r"needs 327\.8 kB.* 100\.0 kB of disk space are free"):
        fetch(Listed(web, stall_s=2), key, tmp_path / "f", limits=LIMITS)

    assert web.gets() == []
    assert not (tmp_path / "f").exists()


def test_what_is_there_needs_no_space(
    web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupted download needs room for its rest only."""
    there_bytes = interrupted(web, tmp_path / "f")
    usage = shutil.disk_usage(tmp_path)._replace(free=len(CONTENT) - there_bytes)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)

    assert fetched(web, tmp_path / "f") == CONTENT


class Made:
    """A storage of so many objects that takes no memory for them."""

    url = "memory://made"

    def __init__(self, count: int) -> None:
        """Takes how many there are."""
        self._count = count

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """As every storage."""
        del prefix
        for n in range(self._count):
            name = f"train/class_{n // 500:05d}/image_{n:012d}.jpg"
            yield Entry(name, 1, hashlib.md5(name.encode()).hexdigest(), 1.7e9 + n)

    def get(self, key: str, *, start_byte: int = 0, etag: str = "") -> Iterator[bytes]:
        """As every storage."""
        del key, start_byte, etag
        yield b"x"


@pytest.mark.slow
def test_memory_of_many_files(tmp_path: Path) -> None:
    """A file of a folder takes less than 1 kB of memory: 100,000 stay below 100 MB."""

    def peak_bytes(count: int) -> int:
        code = f"""
            import resource
            from pathlib import Path
            from pipeline.transfer import Limits, download_folder
            from tests.test_transfer_ranges import Made
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            folder = Path({str(tmp_path)!r}, "{count}")
            download_folder(Made({count}), "", folder, limits=Limits(8, 3, 8.0))
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
        """
        found = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        return int(found.stdout) * (1 if sys.platform == "darwin" else 1024)

    assert (peak_bytes(9_000) - peak_bytes(1_000)) / 8_000 < 1000


def test_bytes_behind_the_end_are_not_kept(web: WebServer, tmp_path: Path) -> None:
    """A part that is longer than the object becomes a file of the object's length."""
    path = tmp_path / "f"
    interrupted(web, path)
    with (tmp_path / "f.part").open("r+b") as file:
        file.seek(len(CONTENT))
        file.write(b"behind")

    assert fetched(web, path) == CONTENT


def test_a_file_of_another_size_is_refused(web: WebServer, tmp_path: Path) -> None:
    """What another process appends meanwhile is noticed before the file gets its name."""
    path = tmp_path / "f"

    def append(count: int) -> None:
        if count > 0 and (tmp_path / "f.part").stat().st_size <= len(CONTENT):
            with (tmp_path / "f.part").open("r+b") as file:
                file.seek(len(CONTENT))
                file.write(b"behind")

    with pytest.raises(IntegrityError, match=r"has 327763 bytes though 327757 came"):
        fetched(web, path, on_bytes=append)

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("status", [429, 503])
def test_one_connection_is_enough(web: WebServer, tmp_path: Path, status: int) -> None:
    """A server that serves one range at a time, and refuses the others, delivers the whole."""
    serving_one = threading.Lock()

    def one_at_a_time(_: WebServer) -> object:
        if not serving_one.acquire(blocking=False):
            return status
        threading.Timer(0.03, serving_one.release).start()
        return lambda _: time.sleep(0.02)

    web.choose = one_at_a_time

    assert fetched(web, tmp_path / "f") == CONTENT


def test_failing_ranges_make_nobody_patient(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ranges that fail one after the other, each in its way, end the whole in time."""
    monkeypatch.setattr(sys.modules["pipeline.transfer.retry"], "FIRST_WAIT_S", 0.5 / 40)
    monkeypatch.setattr(sys.modules["pipeline.transfer.retry"], "LONGEST_WAIT_S", 8 / 40)
    ways = itertools.cycle([500, ("stall", 0), ("cut", 0), 503])
    with serving(WebServer({"f.zip": CONTENT}, choose=lambda _: next(ways))) as web:
        began_s = time.monotonic()
        with pytest.raises(StorageError, match="Gave up after 4 attempts"):
            download(
                open_storage(web.url, stall_s=0.2), "f.zip", tmp_path / "f",
                limits=Limits(4, 3, stall_s=0.2),
            )  # fmt: skip
        seconds = time.monotonic() - began_s

    assert seconds < 45 / 40 + 3, "some seconds for starting and leaving, which do not scale"


def test_one_range_that_fails_ends_all(web: WebServer, tmp_path: Path) -> None:
    """The first range that is given up ends the download though others stand in a read."""
    web.choose = lambda server: 500 if len(server.gets()) > 3 else ("stall", 10)
    began_s = time.monotonic()

    with pytest.raises(StorageError, match="answered 500"):
        download(
            open_storage(web.url, stall_s=9), "f.zip", tmp_path / "f", limits=Limits(4, 1, 9.0)
        )

    assert time.monotonic() - began_s < 8


def test_a_failed_share_counts_for_nothing() -> None:
    """Who waits for others to come through does not take their failures for it."""
    workers = Workers(parallel=2, on_bytes=ignore_bytes)
    ranges = [Range(n, n, n + 1) for n in range(4)]

    def fail(missing: object) -> None:
        raise StorageError(f"{missing} is away")

    with pytest.raises(StorageError, match="is away"):
        workers.run(lambda ranges: Shares(ranges, fail, workers).fetch_all(), [ranges])

    assert workers.finished == 0
