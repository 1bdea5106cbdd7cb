"""Unpacking on disks that fill up, ended half-way: complete or absent, and one clear error."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.archives import ArchiveLimits, extract
from pipeline.archives.destination import Destination
from pipeline.archives.member import Kind, Member
from pipeline.disk.files import is_temporary
from pipeline.errors import ArchiveError, DiskFullError
from pipeline.storage import ignore_bytes
from tests.archiving import FILES, KINDS, LIMITS, found, packed

ROOMY = ArchiveLimits(bytes=1 << 30, members=10_000, ratio=10_000)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB with entries for 40 files, for whoever may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    options = ["-t", "tmpfs", "-o", "size=1m,nr_inodes=40", "tmpfs", str(disk)]
    mounted = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def refuse_for_space(path: Path, disk: Path, match: str = "disk") -> None:
    """Unpacking onto the disk ends in the one error, and the disk is as it was."""
    with pytest.raises(DiskFullError, match=match):
        extract(path, disk / "out", limits=ROOMY)

    assert list(disk.iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_disk_that_is_too_small(tmp_path: Path, small_disk: Path, kind: str) -> None:
    """What announces more than there is room for is refused, in each kind."""
    path = packed(tmp_path / f"a.{kind}", {"a": os.urandom(600_000), "b": os.urandom(600_000)})

    refuse_for_space(path, small_disk)


@pytest.mark.parametrize("kind", KINDS)
def test_a_disk_that_fills_up(tmp_path: Path, small_disk: Path, kind: str) -> None:
    """Files that take more than their bytes fill the disk on the way; nothing is left on it."""
    # 35 files of 32,000 bytes in blocks of 4,096 are too much for 1 MiB, and in bytes too.
    files = {f"{n:02}": os.urandom(28_700) for n in range(36)}
    assert sum(map(len, files.values())) < 1 << 20

    refuse_for_space(packed(tmp_path / f"a.{kind}", files), small_disk)


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_disk_without_entries_for_more_files(tmp_path: Path, small_disk: Path, kind: str) -> None:
    """Empty files need room as well."""
    path = packed(tmp_path / f"a.{kind}", {str(n): b"" for n in range(50)})

    refuse_for_space(path, small_disk, "inodes" if kind == "zip" else "space")


def run(call: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Runs one call in a Python of its own, with files limited to 4.2 kB."""
    code = f"""
        import os, resource, signal
        from pathlib import Path
        from pipeline.archives import ArchiveLimits, extract
        from pipeline.errors import DiskFullError
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        path, folder = Path({str(path)!r}), Path({str(path.parent / "out")!r})
        limits = ArchiveLimits(1 << 20, 50, 1000)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4200, 4200))
        try:
            {call}
        except DiskFullError as error:
            print(error)
    """
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
    }
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=environment, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_limit_on_files(tmp_path: Path, kind: str) -> None:
    """A quota or a limit that ends a write is a full disk, too."""
    path = packed(tmp_path / f"a.{kind}", {"a": bytes(9000)})

    child = run("extract(path, folder, limits=limits)", path)

    assert "no disk space left while writing" in child.stdout, child.stderr
    assert [child.name for child in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("kind", KINDS)
def test_killed(tmp_path: Path, kind: str) -> None:
    """Killed outright there is no folder, only what is called temporary; the next call makes it."""
    path = packed(tmp_path / f"a.{kind}")

    child = run("extract(path, folder, limits=limits, on_bytes=lambda n: os._exit(9))", path)

    assert child.returncode == 9, child.stderr
    left = {child.name for child in tmp_path.iterdir()} - {path.name}
    assert left
    assert all(map(is_temporary, left))
    extract(path, tmp_path / "out", limits=LIMITS)
    assert found(tmp_path / "out") == FILES
    assert {child.name for child in tmp_path.iterdir()} == {path.name, "out"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_error_while_telling(tmp_path: Path, kind: str, error: type[BaseException]) -> None:
    """Whoever listens to the progress may end it; nothing is left, and the next call makes it."""
    path = packed(tmp_path / f"a.{kind}", {"a": os.urandom(600_000), "b": os.urandom(600_000)})

    def end(count: int) -> None:
        raise error(count)

    with pytest.raises(error):
        extract(path, tmp_path / "out", limits=ROOMY, on_bytes=end, workers=2)

    assert [child.name for child in tmp_path.iterdir()] == [path.name]
    extract(path, tmp_path / "out", limits=ROOMY)


def test_one_failing_thread_ends_all(tmp_path: Path) -> None:
    """The first error is raised at once; members that follow are neither read nor written."""
    files = {"first": os.urandom(3000), **{f"{n:03}": bytes(1 << 20) for n in range(100)}}
    path = packed(tmp_path / "a.zip", files)
    content = bytearray(path.read_bytes())
    content[2000] ^= 1
    path.write_bytes(content)
    told: list[int] = []

    with pytest.raises(ArchiveError, match=r"a\.zip: damaged"):
        extract(path, tmp_path / "out", limits=ROOMY, on_bytes=told.append, workers=2)

    assert sum(told) < 50 << 20
    assert [child.name for child in tmp_path.iterdir()] == ["a.zip"]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("unpack")]


def test_an_interrupt_ends_the_threads(tmp_path: Path) -> None:
    """Ctrl-C ends the main thread when the others have ended, promptly and without a trace."""
    path = packed(tmp_path / "a.zip", {f"{n:03}": bytes(1 << 20) for n in range(100)})
    began: list[float] = []

    def interrupt(count: int) -> None:
        del count
        if not began:
            began.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        extract(path, tmp_path / "out", limits=ROOMY, on_bytes=interrupt, workers=2)

    assert time.monotonic() - began[0] < 30
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("unpack")]
    assert [child.name for child in tmp_path.iterdir()] == ["a.zip"]


def test_names_that_the_disk_takes_for_the_same(tmp_path: Path) -> None:
    """Where two names are one file or one folder, as on a Mac, the second is refused."""
    destination = Destination(tmp_path, archive="a.zip", on_bytes=ignore_bytes)
    # What a disk that folds letters answers for the second name of one entry.
    (tmp_path / "taken").mkdir()

    with pytest.raises(ArchiveError, match="takes for the same"):
        destination.make_folder("taken/inner")
    with pytest.raises(ArchiveError, match="takes for the same"):
        destination.create(Member("taken", Kind.FILE))
    with pytest.raises(ArchiveError, match="takes for the same"):
        destination.make_links([Member("taken", Kind.SYMLINK, target="x")])
