"""Transfers: what arrives is whole, what breaks is gone on from, what fails says why in time."""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import logging
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.disk.files import is_temporary
from pipeline.errors import (
    AccessDeniedError,
    DiskFullError,
    IntegrityError,
    ObjectMissingError,
    StalledError,
    StorageError,
)
from pipeline.storage import Entry, ObjectChangedError, OnBytes, Storage, ignore_bytes, open_storage
from pipeline.transfer import Limits, Receipt, download, download_folder, retry, upload
from pipeline.transfer.retry import PROGRESS_BYTES, Progress
from tests.servers import WebServer, answering, closed_port, serving

LIMITS = Limits(parallel=4, retries=3, stall_s=2.0)
CONTENT = os.urandom(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def no_wait(seconds: float) -> None:
    """A sleep for tests."""
    del seconds


@pytest.fixture
def web() -> Iterator[WebServer]:
    """A web server with one file, `f.zip`."""
    with serving(WebServer({"f.zip": CONTENT})) as server:
        yield server


class Memory:
    """A storage in memory that can be told to fail, and counts what is asked of it."""

    url = "memory://place"

    def __init__(self, objects: dict[str, bytes] | None = None) -> None:
        """Takes the objects that are there from the start."""
        self.objects = dict(objects or {})
        self.fetched: list[str] = []
        self.fail: Callable[[str], object] = str
        self.lies = 0

    def head(self, key: str) -> Entry | None:
        """As every storage."""
        content = self.objects.get(key)
        return None if content is None else self._entry(key, content)

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """As every storage."""
        for key, content in self.objects.items():
            if key.startswith(prefix):
                yield self._entry(key, content)

    def get(
        self, key: str, *, start_byte: int = 0, end_byte: int | None = None, etag: str = ""
    ) -> Iterator[bytes]:
        """As every storage."""
        if etag and etag != self._entry(key, self.objects[key]).etag:
            raise ObjectChangedError(f"{key} has changed")
        self.fetched.append(key)
        yield self.objects[key][start_byte : start_byte + 1]
        self.fail(key)
        yield self.objects[key][start_byte + 1 : end_byte]

    def put(self, key: str, path: Path, *, on_bytes: OnBytes = ignore_bytes) -> Entry:
        """As every storage."""
        content = path.read_bytes()
        on_bytes(len(content))
        self.fail(key)
        self.objects[key] = content
        return self._entry(key, content)

    def delete(self, key: str) -> None:
        """As every storage."""
        self.objects.pop(key, None)

    def _entry(self, key: str, content: bytes) -> Entry:
        return Entry(key, len(content) + self.lies, hashlib.md5(content).hexdigest())


class Failing:
    """Fails so many times, then not any more."""

    def __init__(self, times: int, error: type[StorageError] = StorageError) -> None:
        """Takes how often, and with what."""
        self.left = times
        self.error = error
        self.calls = 0

    def __call__(self, key: str = "") -> str:
        """Returns "done" when it does not fail."""
        self.calls += 1
        if self.left > 0:
            self.left -= 1
            raise self.error(f"{key} is away.")
        return "done"


def test_retry_waits_longer_each_time() -> None:
    """Waits double up to the cap, with at most a quarter taken off at random."""
    waits: list[float] = []

    done = retry(Failing(7), limits=Limits(1, 7, 60), sleep=waits.append)

    assert done == "done"
    for wait_s, longest_s in zip(waits, [0.5, 1, 2, 4, 8, 8, 8]):
        assert 0.75 * longest_s <= wait_s <= longest_s


def test_retry_gives_up() -> None:
    """After the last attempt the error has its type, its cause and the number of attempts."""
    action = Failing(99, StalledError)

    with pytest.raises(StalledError, match=r"is away\. Gave up after 4 attempts") as caught:
        retry(action, limits=LIMITS, sleep=no_wait)

    assert action.calls == 4
    assert isinstance(caught.value.__cause__, StalledError)


def test_retry_leaves_lasting_errors() -> None:
    """What trying again cannot mend is raised at once, as it is."""
    action = Failing(99, AccessDeniedError)

    with pytest.raises(AccessDeniedError, match=r"is away\.$"):
        retry(action, limits=LIMITS, sleep=no_wait)

    assert action.calls == 1


def test_retry_counts_anew_after_progress() -> None:
    """A long download may break many times, if each attempt brings a good piece."""
    progress = Progress()
    failing = Failing(9)

    def action() -> str:
        progress.moved_bytes += PROGRESS_BYTES
        progress.safe_bytes += PROGRESS_BYTES
        return failing()

    assert retry(action, limits=LIMITS, progress=progress, sleep=no_wait) == "done"


def test_retry_is_patient_while_others_succeed() -> None:
    """Among many, one that meets every fault of a bad server in a row is tried more often."""
    others = iter(range(99))
    lonely, among_many = Failing(99), Failing(99)

    with pytest.raises(StorageError):
        retry(lonely, limits=LIMITS, progress=Progress(), sleep=no_wait)
    progress = Progress(others=lambda: next(others))
    with pytest.raises(StorageError):
        retry(among_many, limits=LIMITS, progress=progress, sleep=no_wait)

    assert (lonely.calls, among_many.calls) == (4, 13)


def test_download(web: WebServer, tmp_path: Path) -> None:
    """A download lies under its name with its receipt, and nothing else is left."""
    moved: list[int] = []
    path = tmp_path / "new/数据 f.zip"

    receipt = download(
        open_storage(web.url, stall_s=2), "f.zip", path,
        limits=LIMITS, sha256=SHA256.upper(), on_bytes=moved.append,
    )  # fmt: skip

    assert path.read_bytes() == CONTENT
    assert sum(moved) == len(CONTENT)
    assert (receipt.key, receipt.size_bytes, receipt.sha256) == ("f.zip", len(CONTENT), SHA256)
    assert receipt.etag
    assert receipt.fits(path)
    assert [child.name for child in path.parent.iterdir()] == [path.name]


def test_download_of_a_local_file(tmp_path: Path) -> None:
    """The local disk is a storage like any other, and an empty file a file."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source/empty").touch()

    receipt = download(
        open_storage(str(tmp_path / "source"), stall_s=2), "empty", tmp_path / "f", limits=LIMITS
    )

    assert (tmp_path / "f").read_bytes() == b""
    assert receipt.sha256 == hashlib.sha256(b"").hexdigest()


@pytest.mark.parametrize("fault", [503, 429, ("cut", 100_000), ("stall", 100_000)])
def test_download_survives_faults(
    web: WebServer, tmp_path: Path, fault: object, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault that passes costs one more attempt, which goes on where the first one ended."""
    caplog.set_level(logging.INFO)
    web.faults.append(fault)
    limits = Limits(1, 3, stall_s=0.3)
    moved: list[int] = []

    download(
        open_storage(web.url, stall_s=0.3), "f.zip", tmp_path / "f",
        limits=limits, on_bytes=moved.append, sleep=no_wait,
    )  # fmt: skip

    assert (tmp_path / "f").read_bytes() == CONTENT
    assert sum(moved) == len(CONTENT)
    if isinstance(fault, tuple):
        assert f"resuming at byte 100000 of {len(CONTENT)}" in caplog.text
        assert web.gets()[-1]["Range"] == "bytes=100000-"


def interrupted(web: WebServer, path: Path) -> None:
    """Leaves what a download leaves that was ended after 100,000 bytes."""
    seen: list[int] = []

    def end(count: int) -> None:
        seen.append(count)
        if sum(seen) >= 100_000:
            raise KeyboardInterrupt

    web.faults.append(("cut", 100_000))
    with pytest.raises(KeyboardInterrupt):
        download(open_storage(web.url, stall_s=2), "f.zip", path, limits=LIMITS, on_bytes=end)
    assert not path.exists()


def test_download_resumes(web: WebServer, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The same call after an interruption fetches only what is missing and says so."""
    caplog.set_level(logging.INFO)
    path = tmp_path / "f.zip"
    interrupted(web, path)
    assert all(is_temporary(child.name) for child in tmp_path.iterdir())
    moved: list[int] = []

    receipt = download(
        open_storage(web.url, stall_s=2), "f.zip", path, limits=LIMITS, on_bytes=moved.append
    )

    assert path.read_bytes() == CONTENT
    assert receipt.sha256 == SHA256
    assert sum(moved) == len(CONTENT)
    assert web.gets()[-1]["Range"] == "bytes=100000-"
    assert f"resuming at byte 100000 of {len(CONTENT)}" in caplog.text
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("change", ["before", "meanwhile", "no etag"])
def test_download_of_a_changed_object(web: WebServer, tmp_path: Path, change: str) -> None:
    """A part of another version, or of one that cannot be told apart, is not gone on from."""
    path = tmp_path / "f.zip"
    other = os.urandom(len(CONTENT))
    interrupted(web, path)
    if change == "before":
        web.files["f.zip"] = other
    elif change == "meanwhile":
        web.faults.append(lambda server: server.files.update({"f.zip": other}))
    else:
        web.has_etag = False
        web.files["f.zip"] = other

    download(open_storage(web.url, stall_s=2), "f.zip", path, limits=LIMITS, sleep=no_wait)

    assert path.read_bytes() == other


def test_download_that_resumes_on_damage_starts_over(web: WebServer, tmp_path: Path) -> None:
    """An earlier part with the right record and wrong bytes, as after a power cut, is replaced."""
    path = tmp_path / "f.zip"
    interrupted(web, path)
    (tmp_path / "f.zip.part").write_bytes(bytes(100_000))

    download(
        open_storage(web.url, stall_s=2), "f.zip", path,
        limits=LIMITS, sha256=SHA256, sleep=no_wait,
    )  # fmt: skip

    assert path.read_bytes() == CONTENT


def test_download_with_another_sha256(web: WebServer, tmp_path: Path) -> None:
    """Bytes that are not those declared are refused, removed, and what was there before stays."""
    (tmp_path / "f.zip").write_text("old")

    with pytest.raises(IntegrityError, match=rf"f\.zip: sha256 {SHA256[:12]}… but {'0' * 12}…"):
        download(
            open_storage(f"{web.url}?signature=s", stall_s=2), "f.zip", tmp_path / "f.zip",
            limits=LIMITS, sha256="0" * 64,
        )  # fmt: skip

    assert [child.name for child in tmp_path.iterdir()] == ["f.zip"]
    assert (tmp_path / "f.zip").read_text() == "old"


def test_download_of_nothing(web: WebServer, tmp_path: Path) -> None:
    """A missing object is named by its URL, without the signature, after one question."""
    with pytest.raises(ObjectMissingError, match=rf"{web.url}/g\.zip") as caught:
        download(
            open_storage(f"{web.url}?signature=s", stall_s=2), "g.zip", tmp_path / "g",
            limits=LIMITS,
        )  # fmt: skip

    assert "signature" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("server", ["silent", "closed", "stalling", "failing", "cutting"])
def test_hopeless_download_ends(server: str, tmp_path: Path) -> None:
    """No server can hold a transfer for longer than 45 s, by the default limits.

    Run with a sixteenth of the stall limit; the waits between attempts are only added up.
    """
    stall_s, slept_s, began_s = 0.5, [0.0], time.monotonic()
    with answering(None) as silent, serving(WebServer({"f": CONTENT})) as web:
        web.every_fault = {"stalling": ("stall", 10), "cutting": ("cut", 0)}.get(server, 503)
        url = {"silent": silent, "closed": f"http://127.0.0.1:{closed_port()}"}.get(server, web.url)
        with pytest.raises(StorageError, match=r"/f: .*Gave up after [34] attempts"):
            download(
                open_storage(url, stall_s=stall_s), "f", tmp_path / "f",
                limits=Limits(1, 3, stall_s), sleep=slept_s.append,
            )  # fmt: skip

    assert (time.monotonic() - began_s) / stall_s * 8 + sum(slept_s) < 45


def run_limited(code: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Runs Python with files limited to 64 kB, as on a disk that is full there."""
    limited = f"""
        import resource, signal
        from pathlib import Path
        from pipeline import errors
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
        folder = Path({str(tmp_path)!r})
        try:
            {code}
        except errors.DiskFullError as error:
            print(error)
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(limited)],
        env=environment, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip


def test_full_disk(tmp_path: Path) -> None:
    """A disk that is full is named as that, with the file, by downloads and uploads."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source/f").write_bytes(CONTENT)
    code = (
        "from pipeline.storage import open_storage; from pipeline import transfer;"
        "source = open_storage(str(folder / 'source'), stall_s=1);"
        "target = open_storage(str(folder / 'target'), stall_s=1);"
        "limits = transfer.Limits(1, 3, 1);"
    )
    down = run_limited(
        f"{code} transfer.download(source,'f',folder/'new', limits=limits)", tmp_path
    )
    up = run_limited(
        f"{code} transfer.upload(target, {{'k': folder/'source/f'}}, limits=limits)", tmp_path
    )

    assert "no disk space left while writing" in down.stdout, down.stderr
    assert str(tmp_path / "new") in down.stdout
    assert "no disk space left while writing" in up.stdout, up.stderr
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "target/k").exists()


def test_download_folder(tmp_path: Path) -> None:
    """All objects below the prefix become a folder, with receipts in the listing's order."""
    storage = Memory({"d/a": b"1", "d/sub/数 b": b"22", "d/a.part": b"333", "dx": b"", "d/e": b""})
    moved: list[int] = []

    receipts = download_folder(storage, "d", tmp_path / "out", limits=LIMITS, on_bytes=moved.append)

    files = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert files == {"out/a", "out/sub/数 b", "out/a.part", "out/e"}
    assert (tmp_path / "out/sub/数 b").read_bytes() == b"22"
    assert [receipt.key for receipt in receipts] == ["d/a", "d/sub/数 b", "d/a.part", "d/e"]
    assert sum(moved) == 6
    assert receipts[1] == Receipt(
        "d/sub/数 b",
        2,
        hashlib.sha256(b"22").hexdigest(),
        hashlib.md5(b"22").hexdigest(),
        (tmp_path / "out/sub/数 b").stat().st_mtime_ns,
    )


def test_download_folder_resumes(tmp_path: Path) -> None:
    """An unfinished folder is not there under its name; the next call fetches what is missing."""
    storage = Memory({f"{n}": os.urandom(10) for n in range(20)})
    storage.fail = lambda key: Failing(int(key == "19"), AccessDeniedError)(key) and None
    limits = Limits(parallel=1, retries=0, stall_s=1)
    with pytest.raises(AccessDeniedError):
        download_folder(storage, "", tmp_path / "out", limits=limits)
    assert all(is_temporary(child.name) for child in tmp_path.iterdir())
    storage.fail = str
    storage.fetched.clear()
    storage.objects["3"] = b"another"
    del storage.objects["4"]
    moved: list[int] = []

    receipts = download_folder(storage, "", tmp_path / "out", limits=limits, on_bytes=moved.append)

    found = {child.name: child.read_bytes() for child in (tmp_path / "out").iterdir()}
    assert found == storage.objects
    assert set(storage.fetched) == {"3", "19"}
    assert len(receipts) == 19
    assert sum(moved) == sum(map(len, storage.objects.values()))
    assert [child.name for child in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("key", ["d/../../x", "d//x", "d/./x", "d/a\\..\\x", "d/"])
def test_download_folder_refuses_escapes(tmp_path: Path, key: str) -> None:
    """A key that could lead out of the folder stops all before anything is written."""
    storage = Memory({"d/a": b"1", key: b"2"})

    with pytest.raises(IntegrityError, match="memory://place/d/"):
        download_folder(storage, "d/", tmp_path / "out", limits=LIMITS)

    assert not list(tmp_path.iterdir())


def test_download_folder_refuses_a_file_as_folder(tmp_path: Path) -> None:
    """Keys that cannot both be files on a disk are named."""
    with pytest.raises(IntegrityError, match="'a' is a file"):
        download_folder(Memory({"a": b"", "a/b": b""}), "", tmp_path / "out", limits=LIMITS)


def test_download_folder_of_nothing(tmp_path: Path) -> None:
    """An empty listing is an error, not an empty folder; a folder that is there is left alone."""
    with pytest.raises(ObjectMissingError, match="memory://place/d/"):
        download_folder(Memory({"dx": b""}), "d", tmp_path / "out", limits=LIMITS)

    with pytest.raises(IntegrityError, match="exists already"):
        download_folder(Memory({"x": b""}), "", tmp_path, limits=LIMITS)


def test_upload(tmp_path: Path) -> None:
    """Files are retried, then lie under their keys, and their entries come in order."""
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(name * 9)
    storage = Memory()
    failing = Failing(1)
    storage.fail = lambda key: failing(key) and None
    moved: list[int] = []

    entries = upload(
        storage, {f"run/{name}": tmp_path / name for name in "cab"},
        limits=LIMITS, on_bytes=moved.append,
    )  # fmt: skip

    assert [entry.key for entry in entries] == ["run/c", "run/a", "run/b"]
    assert storage.objects["run/b"] == b"b" * 9
    assert sum(moved) == 27


def test_upload_is_verified(tmp_path: Path) -> None:
    """An object that the listing shows with another size is an error, however put ended."""
    (tmp_path / "a").write_text("a")
    storage = Memory()
    put = storage.put

    def lose(key: str, path: Path, *, on_bytes: OnBytes = ignore_bytes) -> Entry:
        entry = put(key, path, on_bytes=on_bytes)
        storage.objects[key] = b""
        return entry

    storage.put = lose  # type: ignore[method-assign]

    with pytest.raises(IntegrityError, match=r"memory://place/k: 1 bytes were sent"):
        upload(storage, {"k": tmp_path / "a"}, limits=LIMITS)


@pytest.mark.parametrize("root", ["local", "memory"])
def test_upload_of_a_missing_file(tmp_path: Path, root: str) -> None:
    """A file that is not there is named."""
    local: Storage = open_storage(str(tmp_path / "out"), stall_s=1)
    storage = local if root == "local" else Memory()

    with pytest.raises(FileNotFoundError, match="nothing"):
        upload(storage, {"k": tmp_path / "nothing"}, limits=LIMITS)


def test_upload_of_a_growing_file(tmp_path: Path) -> None:
    """A log that somebody still writes is sent as it was when its turn came."""
    path = tmp_path / "run.log"
    path.write_bytes(b"x" * 100)
    storage = open_storage(str(tmp_path / "out"), stall_s=1)

    def grow(count: int) -> None:
        del count
        with path.open("ab") as file:
            file.write(b"more")

    entries = upload(storage, {"run.log": path}, limits=LIMITS, on_bytes=grow)

    assert [entry.size_bytes for entry in entries] == [100]


def test_interrupt_ends_at_once(tmp_path: Path) -> None:
    """Ctrl-C ends a folder's download at once, though its threads stand in silent reads."""
    code = f"""
        from pathlib import Path
        import sys
        sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
        from tests.test_transfer import Memory
        from pipeline.transfer import Limits, download_folder
        import threading
        storage = Memory({{str(n): b"xy" for n in range(9)}})
        def stand(key):
            print("standing", flush=True)
            threading.Event().wait(30)
        storage.fail = stand
        download_folder(storage, "", Path({str(tmp_path)!r}) / "out", limits=Limits(4, 3, 8))
    """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout
    assert child.stdout.readline().startswith("standing")
    began_s = time.monotonic()

    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=25)

    assert time.monotonic() - began_s < 20
    assert "KeyboardInterrupt" in errors


def test_killed_download_resumes(web: WebServer, tmp_path: Path) -> None:
    """A download that is killed outright is gone on from by the same call."""
    web.every_fault = ("stall", 200_000)
    code = f"""
        from pathlib import Path
        from pipeline.storage import open_storage
        from pipeline.transfer import Limits, download
        download(open_storage({web.url!r}, stall_s=20), "f.zip", Path({str(tmp_path)!r}) / "f.zip",
                 limits=Limits(1, 3, 20))
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], env=environment)
    part_path = tmp_path / "f.zip.part"
    deadline_s = time.monotonic() + 10
    while not (part_path.exists() and part_path.stat().st_size == 200_000):
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    child.kill()
    child.wait()
    web.every_fault = None

    download(open_storage(web.url, stall_s=2), "f.zip", tmp_path / "f.zip", limits=LIMITS)

    assert (tmp_path / "f.zip").read_bytes() == CONTENT
    assert web.gets()[-1]["Range"] == "bytes=200000-"


def test_disk_full_is_not_retried(tmp_path: Path) -> None:
    """A full disk ends a folder's download at once; the threads are gone."""
    storage = Memory({str(n): b"xy" for n in range(50)})

    def fill(key: str) -> None:
        del key
        raise OSError(errno.ENOSPC, "No space left on device")

    storage.fail = fill
    before = set(threading.enumerate())

    with pytest.raises(DiskFullError, match="no disk space left"):
        download_folder(storage, "", tmp_path / "out", limits=LIMITS)

    assert set(threading.enumerate()) <= before
    assert len(storage.fetched) <= 2 * LIMITS.parallel


def test_receipts_survive_as_json(tmp_path: Path) -> None:
    """What the journal of an unfinished folder holds can be read back, a torn line left out."""
    storage = Memory({"a": b"1", "b": b"2"})
    storage.fail = lambda key: Failing(int(key == "b"), AccessDeniedError)(key) and None
    with pytest.raises(AccessDeniedError):
        download_folder(storage, "", tmp_path / "out", limits=Limits(1, 0, 1))
    journal = tmp_path / ".out.part/receipts.jsonl"
    assert json.loads(journal.read_text())[0] == "a"
    journal.write_text(journal.read_text() + '\n["b", 1')
    storage.fail = str
    storage.fetched.clear()

    download_folder(storage, "", tmp_path / "out", limits=LIMITS)

    assert storage.fetched == ["b"]


@pytest.mark.parametrize("place", ["a folder", "below a file", "of nobody's"])
def test_places_that_cannot_be_written(tmp_path: Path, place: str) -> None:
    """A target that cannot be a file is named, whatever the system calls it."""
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    path = {
        "a folder": tmp_path / "folder",
        "below a file": tmp_path / "file/f",
        "of nobody's": Path("/proc/nobody/f"),
    }[place]

    with pytest.raises(StorageError, match=rf"{path.parent if place != 'a folder' else path}"):
        download(Memory({"k": b"x"}), "k", path, limits=LIMITS)


@pytest.mark.parametrize("versions", [2, 999])
def test_download_from_replicas(
    web: WebServer, tmp_path: Path, versions: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Servers that answer in turn, each with an etag of its own, send the object at last."""
    numbers = itertools.count()

    def answer_as_another(server: WebServer) -> None:
        server.etag = f'"{next(numbers) % versions}"'

    web.etag = '"first"'
    web.choose = lambda _: answer_as_another
    slept_s: list[float] = []

    download(
        open_storage(web.url, stall_s=2), "f.zip", tmp_path / "f",
        limits=Limits(1, 3, 2.0), sleep=slept_s.append,
    )  # fmt: skip

    assert (tmp_path / "f").read_bytes() == CONTENT
    if versions == 999:
        assert "several servers may answer" in caplog.text
        assert len(slept_s) == 3
        assert sum(slept_s) > 2


def test_download_of_unknown_size(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be verified is said, once."""
    caplog.set_level(logging.INFO)
    with answering(b"HTTP/1.0 200 OK\r\n\r\ncontent") as url:
        download(open_storage(url, stall_s=2), "f", tmp_path / "f", limits=LIMITS)

    assert (tmp_path / "f").read_bytes() == b"content"
    assert caplog.text.count("its size is not announced") == 1


def test_nothing_is_left_that_cannot_be_used(web: WebServer, tmp_path: Path) -> None:
    """A part of what has no version is gone after the last failure; other parts stay."""
    web.every_fault = ("cut", 1000)
    for has_etag in (True, False):
        web.has_etag = has_etag
        with pytest.raises(StorageError, match="Gave up after"):
            download(
                open_storage(web.url, stall_s=2), "f.zip", tmp_path / f"{has_etag}",
                limits=LIMITS, sleep=no_wait,
            )  # fmt: skip

    assert {p.name for p in tmp_path.iterdir()} == {"True.part", "True.part.ranges"}


def test_trying_again_is_told_once(
    web: WebServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One line for each object says what is wrong; what to do is said at the end, if at all."""
    web.faults.extend([503, 503, ("cut", 1000)])

    download(
        open_storage(web.url, stall_s=2), "f.zip", tmp_path / "f", limits=LIMITS, sleep=no_wait
    )

    (line,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert re.fullmatch(
        rf"{web.url}/f\.zip: answered 503, which may pass\. Trying again in 0\.\d s\.", line
    )
