"""moxing, which loses, shortens and hangs: what it brings is right, or an error says so in time."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.disk.files import is_temporary
from pipeline.errors import (
    AccessDeniedError,
    DependencyError,
    IntegrityError,
    ObjectMissingError,
    StalledError,
    StorageError,
)
from pipeline.storage import RefusedError, Storage, open_storage
from pipeline.storage.moxing import movement
from pipeline.storage.moxing.movement import Watch
from pipeline.transfer import Limits, download, download_folder, upload
from tests.moxing_double import Double, installed

URL = "obs://bucket/data"
LIMITS = Limits(parallel=4, retries=2, stall_s=0.4)
CONTENT = os.urandom(300_000)

# Each starts real helper processes and waits for real watchdogs.
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow each other at once."""
    monkeypatch.setattr(sys.modules["pipeline.transfer.retry"], "FIRST_WAIT_S", 0.01)


def opened(stall_s: float = LIMITS.stall_s) -> Storage:
    """The storage that the tests use."""
    return open_storage(URL, stall_s=stall_s)


def filled(double: Double, count: int = 9) -> dict[str, bytes]:
    """Puts a folder in the bucket and tells what it holds."""
    files = {f"train/{n}.bin": os.urandom(1000 + n) for n in range(count - 1)}
    files["数 a.txt"] = b""
    for name, content in files.items():
        path = double.bucket / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return files


def holds(folder: Path) -> dict[str, bytes]:
    """What a folder holds."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def gone(pid: int) -> bool:
    """Whether a process has ended, within two seconds."""
    deadline_s = time.monotonic() + 2
    while time.monotonic() < deadline_s:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def children(pid: int) -> list[int]:
    """The processes below a process."""
    found = []
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (thread / "children").read_text().split()):
                found += [child, *children(child)]
    return found


def test_moxing_is_preferred(double: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Huawei's moxing is, it is used, also when variables for the SDK are set."""
    monkeypatch.setenv("OBS_ENDPOINT", "https://obs.example.com")
    double.fill(data__a=b"1")

    storage = open_storage("s3:///bucket/data/", stall_s=1)

    assert storage.url == URL
    assert [entry.key for entry in storage.list()] == ["a"]
    assert "moxing" not in sys.modules


def test_noise_is_no_answer(double: Double, caplog: pytest.LogCaptureFixture) -> None:
    """What moxing prints, even JSON, goes to the log and disturbs nothing."""
    caplog.set_level(logging.DEBUG)
    double.fail(chatter=1)
    double.fill(data__a=CONTENT)

    assert b"".join(opened().get("a")) == CONTENT
    assert opened().head("b") is None
    assert len(double.calls("copy")) == 1


FAULTS = [
    {"fail": 1},
    {"hang": 1},
    {"truncate": 1},
    {"swallow": 1},
    {"leave_out": 1},
    {"truncate": 3, "leave_out": 1, "chatter": 1},
    {"silent": 1, "leave_out": 1, "swallow": 2},
]


@pytest.mark.parametrize("faults", FAULTS, ids=str)
def test_folder_in_spite_of_faults(double: Double, tmp_path: Path, faults: dict[str, int]) -> None:
    """A folder comes whole whatever goes wrong once, and progress adds up to its bytes."""
    files = filled(double)
    double.fail(**faults)
    moved: list[int] = []

    receipts = download_folder(opened(), "", tmp_path / "out", limits=LIMITS, on_bytes=moved.append)

    assert holds(tmp_path / "out") == files
    assert sum(moved) == sum(map(len, files.values()))
    assert {receipt.key for receipt in receipts} == set(files)
    assert all(receipt.fits(tmp_path / "out" / receipt.key) for receipt in receipts)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "world"]


@pytest.mark.parametrize("faults", FAULTS[:4], ids=str)
def test_file_in_spite_of_faults(double: Double, tmp_path: Path, faults: dict[str, int]) -> None:
    """A file comes whole whatever goes wrong once."""
    double.fill(data__a=CONTENT)
    double.fail(**faults)
    moved: list[int] = []

    receipt = download(opened(), "a", tmp_path / "a", limits=LIMITS, on_bytes=moved.append)

    assert (tmp_path / "a").read_bytes() == CONTENT
    assert receipt.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert sum(moved) == len(CONTENT)


@pytest.mark.parametrize("old", [None, CONTENT[::-1]], ids=["new", "over an old one"])
@pytest.mark.parametrize("faults", FAULTS[:4], ids=str)
def test_upload_in_spite_of_faults(
    double: Double, tmp_path: Path, faults: dict[str, int], old: bytes | None
) -> None:
    """A file arrives whatever goes wrong once, also in place of an object of the same size."""
    if old:
        double.fill(data__run__a=old)
    (tmp_path / "a").write_bytes(CONTENT)
    double.fail(**faults)
    moved: list[int] = []

    upload(opened(), {"run/a": tmp_path / "a"}, limits=LIMITS, on_bytes=moved.append)

    assert holds(double.bucket) == {"data/run/a": CONTENT}
    assert sum(moved) == len(CONTENT)


@pytest.mark.parametrize("fault", ["fail", "hang", "truncate", "swallow"])
@pytest.mark.parametrize("action", ["folder", "file", "upload"])
def test_lasting_faults_end(double: Double, tmp_path: Path, fault: str, action: str) -> None:
    """What never succeeds ends in time, names the URL, and leaves nothing that looks done."""
    limits = Limits(parallel=2, retries=1, stall_s=0.2)
    double.fill(data__a=CONTENT)
    (tmp_path / "a").write_bytes(CONTENT)
    double.fail(**{fault: -1})
    storage = opened(stall_s=limits.stall_s)
    actions: dict[str, Callable[[], object]] = {
        "folder": lambda: download_folder(storage, "", tmp_path / "new", limits=limits),
        "file": lambda: download(storage, "a", tmp_path / "new", limits=limits),
        "upload": lambda: upload(storage, {"b": tmp_path / "a"}, limits=limits),
    }
    began_s = time.monotonic()

    with pytest.raises(StorageError, match=rf"{URL}/.*Gave up after 2 attempts"):
        actions[action]()

    assert time.monotonic() - began_s < 8
    assert not (tmp_path / "new").exists()
    assert all(is_temporary(p.name) for p in tmp_path.iterdir() if p.name not in {"a", "world"})
    assert list(holds(double.bucket)) == ["data/a"]


def test_many_batches(double: Double, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder interrupted half-way keeps the batches that had come."""
    monkeypatch.setattr("pipeline.transfer.bulk.BATCH_FILES", 4)
    files = filled(double, count=10)
    arrived: list[int] = []

    def end(count: int) -> None:
        arrived.append(count)
        if len(double.calls("copy_parallel")) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download_folder(opened(), "", tmp_path / "out", limits=LIMITS, on_bytes=end)
    assert not (tmp_path / "out").exists()
    download_folder(opened(), "", tmp_path / "out", limits=LIMITS)

    assert holds(tmp_path / "out") == files
    # Two before the interrupt; then the six files that were missing, in two batches.
    assert len(double.calls("copy_parallel")) == 4


def test_slow_is_not_stalled(double: Double, tmp_path: Path) -> None:
    """A copy that takes longer than the stall limit goes on as long as something moves."""
    double.fail(slow_s=0.12)
    (tmp_path / "a").write_bytes(CONTENT)
    limits = Limits(parallel=1, retries=0, stall_s=0.4)
    storage = opened(limits.stall_s)
    moved: list[int] = []

    upload(storage, {"a": tmp_path / "a"}, limits=limits)
    download(storage, "a", tmp_path / "b", limits=limits, on_bytes=moved.append)

    assert (tmp_path / "b").read_bytes() == CONTENT
    assert len([count for count in moved if count]) > 2
    assert [call[0] for call in double.calls("copy")] == ["copy", "copy"]


def test_hang_ends_with_all_that_moxing_started(double: Double) -> None:
    """The helper process is killed with moxing's own processes, and leaves no zombie."""
    double.fill(data__a=b"1")
    double.fail(hang=1, child=1)

    with pytest.raises(StalledError, match=rf"{URL}/a: moxing's copy was ended") as caught:
        list(opened(0.3).get("a"))

    assert caught.value.is_passing
    assert gone(int((double.root / ".child").read_text()))
    assert children(os.getpid()) == []


def test_watch_where_the_system_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without numbers about the process only the longest time counts."""
    monkeypatch.setattr(movement, "work_units", lambda _: None)
    watch = Watch(os.getpid(), stall_s=0.02, longest_s=0.1)

    time.sleep(0.05)
    before = watch.is_stalled()
    time.sleep(0.06)

    assert (before, watch.is_stalled()) == (False, True)


def test_watch_sees_work() -> None:
    """Reading, and computing, is moving; a process that sleeps is not."""
    units = movement.work_units(os.getpid())
    Path(__file__).read_bytes()
    sum(range(10_000_000))
    later = movement.work_units(os.getpid())

    assert units is not None
    assert later is not None
    assert later - units >= 1
    assert movement.work_units(2**30) is None


@pytest.mark.parametrize("call", ["list", "stat"])
def test_hanging_questions_end(double: Double, call: str) -> None:
    """Not only copies are watched."""
    double.fill(data__a=b"1")
    double.fail(**{f"hang_{call}": 1})

    with pytest.raises(StalledError, match=URL):
        list(opened(0.3).list())

    assert [entry.key for entry in opened(0.3).list()] == ["a"]


def test_helpers_die_with_us(double: Double, tmp_path: Path) -> None:
    """After a kill -9 neither the helper process nor what hangs in it is left."""
    double.fill(data__a=b"1")
    double.fail(hang=1, child=1)
    code = f"""
        from pipeline.storage import open_storage
        list(open_storage({URL!r}, stall_s=60).get("a"))
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    environment["TMPDIR"] = str(tmp_path)
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], env=environment)
    deadline_s = time.monotonic() + 10
    while not ((child := double.root / ".child").exists() and child.read_text()):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    below = children(parent.pid)

    parent.send_signal(signal.SIGKILL)
    parent.wait()

    assert len(below) == 2
    assert [pid for pid in below if not gone(pid)] == []


def test_interrupt_ends_the_helper(double: Double, tmp_path: Path) -> None:
    """Progress that raises ends the copy at once, and its helper."""
    double.fill(data__a=CONTENT)
    double.fail(hang=1)

    def end(count: int) -> None:
        del count
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(opened(60), "a", tmp_path / "a", limits=LIMITS, on_bytes=end)

    assert children(os.getpid()) == []


def test_a_helper_that_died_is_replaced(double: Double, tmp_path: Path) -> None:
    """A helper that something has killed costs one attempt."""
    double.fill(data__a=CONTENT)
    storage = opened()
    assert storage.head("a")
    (helper,) = children(os.getpid())

    os.kill(helper, signal.SIGKILL)
    assert gone(helper)
    download(storage, "a", tmp_path / "a", limits=LIMITS)

    assert (tmp_path / "a").read_bytes() == CONTENT


@pytest.mark.parametrize("lost", [{"lose_remove": 1}, {"fail_remove": 1}])
def test_lost_removal(double: Double, lost: dict[str, int]) -> None:
    """An object that moxing did not remove is not said to be gone."""
    double.fill(data__a=b"1")
    double.fail(**lost)

    with pytest.raises(StorageError, match=f"{URL}/a") as caught:
        opened().delete("a")

    assert caught.value.is_passing
    opened().delete("a")
    assert opened().head("a") is None


def test_folders_are_no_objects(double: Double, tmp_path: Path) -> None:
    """A folder's name is no key: nothing lies there, nothing is removed, nothing sent."""
    double.fill(data__a__b=b"1")
    storage = opened()

    assert storage.head("a") is None
    storage.delete("a")
    storage.delete("a/")
    assert [entry.key for entry in storage.list()] == ["a/b"]
    with pytest.raises(RefusedError, match=f"{URL}/a/"):
        storage.put("a/", tmp_path)


def test_nothing_there(double: Double, tmp_path: Path) -> None:
    """A missing folder, object or bucket is an error that does not pass."""
    del double
    for url in (URL, "obs://no-such-bucket/data"):
        storage = open_storage(url, stall_s=1)
        with pytest.raises(ObjectMissingError, match=url):
            download_folder(storage, "", tmp_path / "out", limits=LIMITS)
        with pytest.raises(ObjectMissingError, match=url):
            download(storage, "a.zip", tmp_path / "a.zip", limits=LIMITS)

    assert sorted(p.name for p in tmp_path.iterdir()) == ["world"]


def test_another_sha256(double: Double, tmp_path: Path) -> None:
    """Bytes that are not those declared are refused and removed."""
    double.fill(data__a=CONTENT)

    with pytest.raises(IntegrityError, match=f"{URL}/a: sha256"):
        download(opened(), "a", tmp_path / "a", limits=LIMITS, sha256="0" * 64)

    assert [path.name for path in tmp_path.iterdir()] == ["world"]


def test_upload_of_a_growing_file(double: Double, tmp_path: Path) -> None:
    """A log that is written while it is sent arrives as it was at some time."""
    path = tmp_path / "run.log"
    path.write_bytes(CONTENT)
    double.fail(slow_s=0.02)

    def grow(count: int) -> None:
        del count
        with path.open("ab") as file:
            file.write(b"more")

    (entry,) = upload(opened(), {"run.log": path}, limits=LIMITS, on_bytes=grow)

    sent = (double.bucket / "data/run.log").read_bytes()
    assert len(sent) == entry.size_bytes
    assert path.read_bytes().startswith(sent)
    assert sent.startswith(CONTENT)


def test_refused_access_is_not_retried(double: Double, tmp_path: Path) -> None:
    """An answer that says who may not is told from one that may pass."""
    double.fill(data__a=b"1")
    double.fail(fail=-1, text="[Status=403] AccessDenied")

    with pytest.raises(AccessDeniedError, match=rf"{URL}/a: access denied"):
        download(opened(), "a", tmp_path / "a", limits=LIMITS)

    assert len(double.calls("copy")) == 1


def test_credentials_are_not_shown(
    double: Double, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What moxing says, in errors and prints, is shown without what this process keeps secret."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("PLATFORM_SECRET_KEY", "secret-word-for-tests")
    double.fill(data__a=b"1")
    double.fail(
        fail=1, chatter=1, text="no secret-word-for-tests, no https://host/a?Signature=word-of-it"
    )

    with pytest.raises(StorageError, match=f"{URL}/a") as caught:
        list(opened().get("a"))

    shown = f"{caught.value} {caught.value.__cause__} {caplog.text}"
    assert "secret-word-for-tests" not in shown
    assert "word-of-it" not in shown


def test_full_disk(double: Double, tmp_path: Path) -> None:
    """A disk that is full is named as that, without more attempts."""
    double.fill(data__a=CONTENT)
    code = f"""
        import resource, signal
        from pathlib import Path
        from pipeline import errors
        from pipeline.storage import open_storage
        from pipeline.transfer import Limits, download
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
        try:
            download(open_storage({URL!r}, stall_s=5), "a", Path({str(tmp_path)!r}, "new"),
                     limits=Limits(1, 3, 5))
        except errors.DiskFullError as error:
            print(error)
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=environment, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip

    assert "no disk space left while writing" in done.stdout, done.stderr
    assert len(double.calls("copy")) == 1


def impostor(folder: Path, code: str) -> Path:
    """A folder that holds another package called moxing."""
    (folder / "moxing").mkdir(parents=True)
    (folder / "moxing/__init__.py").write_text(code)
    return folder


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("class Llama: pass", "no file.copy_parallel"),
        ("import no_such_library", "no_such_library"),
        ("print('{}'); file = None", "no file.copy_parallel"),
    ],
)
def test_impostor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, reason: str) -> None:
    """PyPI's moxing is refused by name, with the way out; it never runs in our process."""
    monkeypatch.delenv("OBS_ENDPOINT", raising=False)
    with installed(impostor(tmp_path, code), monkeypatch):
        with pytest.raises(DependencyError, match=reason) as caught:
            open_storage(URL, stall_s=1)

        assert "moxing" not in sys.modules
    message = str(caught.value)
    assert URL in message
    assert "pip uninstall moxing" in message
    assert "OBS_ENDPOINT" in message


def test_impostor_beside_the_sdk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Who has set the variables of the SDK gets the SDK, and is told once why not moxing."""
    pytest.importorskip("obs")
    from pipeline.storage.obs import ObsStorage

    monkeypatch.setenv("OBS_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OBS_ACCESS_KEY_ID", "access-key-for-tests")
    monkeypatch.setenv("OBS_SECRET_ACCESS_KEY", "secret-word-for-tests")

    with installed(impostor(tmp_path, ""), monkeypatch):
        storages = [open_storage(URL, stall_s=1) for _ in range(2)]

    assert all(isinstance(storage, ObsStorage) for storage in storages)
    (warning,) = [record.message for record in caplog.records if "moxing" in record.message]
    assert "pip uninstall moxing" in warning
