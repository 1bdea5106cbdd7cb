"""Zips: their directory is believed only as far as the members bear it out."""

from __future__ import annotations

import io
import os
import stat
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pipeline.archives import ArchiveLimits, Contents, extract
from tests.archiving import LIMITS, found, packed, refuse, zipped_as

ROOMY = ArchiveLimits(bytes=1 << 30, members=200_000, ratio=10_000)


@pytest.mark.parametrize("target", ["../../x", "/etc", "d"])
def test_links_in_zips(tmp_path: Path, target: str) -> None:
    """Zips hold links as well; the same rules count."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, target)
        archive.writestr("d/x", "x")
    if target != "d":
        refuse(path, "link")
        return

    extract(path, tmp_path / "out", limits=LIMITS)

    assert (tmp_path / "out/link").is_symlink()
    assert (tmp_path / "out/link/x").read_text() == "x"


def test_refuses_encrypted(tmp_path: Path) -> None:
    """A locked archive is told from a damaged one."""
    path = packed(tmp_path / "a.zip")
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    path.write_bytes(data)

    refuse(path, "encrypted with a password")


def test_limits_count_what_is_written(tmp_path: Path) -> None:
    """A header that announces less than comes out does not deceive."""
    path = packed(tmp_path / "a.zip", {"a": bytes(500_000)})
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = data.index(signature) + offset
        data[start : start + 4] = (10).to_bytes(4, "little")
    path.write_bytes(data)

    refuse(path, "a.zip")


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
@pytest.mark.parametrize("workers", [1, 2, 5])
def test_methods(tmp_path: Path, method: int, workers: int) -> None:
    """Members large and small come out as they were, however packed, in any number of threads."""
    sizes = [0, 1, 3000, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3_300_000]
    files = {
        f"{n % 3}/{n}": os.urandom(size // 2) + bytes(size - size // 2)
        for n, size in enumerate(sizes)
    }
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method, compresslevel=1) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    moved: list[int] = []

    contents = extract(
        tmp_path / "a.zip", tmp_path / "out", limits=ROOMY, on_bytes=moved.append, workers=workers
    )

    assert found(tmp_path / "out") == files
    assert contents == Contents(len(sizes), sum(sizes))
    assert sum(moved) == sum(sizes)


def test_zip64_and_descriptors(tmp_path: Path) -> None:
    """Sizes may stand in the fields for very large files, and behind the content."""

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("a", "w", force_zip64=True) as file:
            file.write(b"a" * 5000)
        archive.writestr("b", b"b")
    (tmp_path / "a.zip").write_bytes(pipe.getvalue())

    extract(tmp_path / "a.zip", tmp_path / "out", limits=LIMITS)

    assert found(tmp_path / "out") == {"a": b"a" * 5000, "b": b"b"}


@pytest.mark.slow
def test_more_members_than_old_zips_count(tmp_path: Path) -> None:
    """Beyond 65,535 members the directory is in its newer form."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for n in range(66_000):
            archive.writestr(f"../{n}" if n == 65_999 else f"{n}", b"")

    refuse(tmp_path / "a.zip", "'../65999'", ROOMY)


def changed(path: Path, signature: bytes, offset: int, value: bytes, *, last: bool = False) -> None:
    """Writes the value into the first, or last, header of this signature."""
    data = bytearray(path.read_bytes())
    start = (data.rindex if last else data.index)(signature) + offset
    data[start : start + len(value)] = value
    path.write_bytes(data)


@pytest.mark.parametrize("target", [0, 5])
def test_refuses_members_that_overlap(tmp_path: Path, target: int) -> None:
    """Two members in one place make a bomb, or hide one from those who look into the archive."""
    path = packed(tmp_path / "a.zip", {"a": bytes(100_000), "b": bytes(100_000)})
    changed(path, b"PK\x01\x02", 42, struct.pack("<L", target), last=True)

    refuse(path, "overlap")


@pytest.mark.parametrize(
    ("offset", "value"),
    [(8, b"\0"), (14, b"1234"), (18, b"\1"), (22, b"\1"), (28, b"\xff\xff"), (30, b"x")],
    ids=["method", "checksum", "packed size", "size", "extra", "name"],
)
def test_refuses_headers_that_differ(tmp_path: Path, offset: int, value: bytes) -> None:
    """A member whose own header contradicts the directory is not guessed at."""
    path = packed(tmp_path / "a.zip", {"a": b"some text " * 20, "b": b"x"})
    changed(path, b"PK\x03\x04", offset, value)

    refuse(path, "damaged")


def test_refuses_a_list_that_swallows_members(tmp_path: Path) -> None:
    """A comment that is said to be longer than it is hides the members that follow."""
    path = packed(tmp_path / "a.zip", {"a": b"1", "b": b"2"})
    changed(path, b"PK\x01\x02", 32, struct.pack("<H", 256))

    refuse(path, "incomplete")


def test_a_bomb_stops_at_what_it_announced(tmp_path: Path) -> None:
    """A member that inflates to more than its header says is left at once."""
    path = packed(tmp_path / "a.zip", {"a": bytes(50 << 20)})
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        changed(path, signature, offset, struct.pack("<L", 10))

    refuse(path, "its header says 10")


def test_other_methods_are_named(tmp_path: Path) -> None:
    """Deflate64 and newer ones are refused with a way out."""
    path = packed(tmp_path / "a.zip", {"a": b"text"})
    for signature, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        changed(path, signature, offset, struct.pack("<H", 9))

    refuse(path, "use zip with deflate")


def test_refuses_the_newer_encryption(tmp_path: Path) -> None:
    """AES is told from damage too."""
    path = packed(tmp_path / "a.zip", {"a": b"text"})
    for signature, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        changed(path, signature, offset, struct.pack("<H", 99))

    refuse(path, "encrypted with a password")


def test_refuses_a_folder_with_content(tmp_path: Path) -> None:
    """What would be lost is not passed over."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(zipped_as("folder/"), b"content")

    refuse(tmp_path / "a.zip", "has content")


def test_a_link_with_a_long_target(tmp_path: Path) -> None:
    """A book is no path."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(zipped_as("link", stat.S_IFLNK), "a/" * 5000)

    refuse(tmp_path / "a.zip", "target")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
def test_memory_stays_flat(tmp_path: Path) -> None:
    """100,000 members, and one of 1 GB, need less than 150 MB altogether."""
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for n in range(100_000):
            archive.writestr(f"folder/{n % 100}/{n:06}.jpg", b"x")
    with (
        zipfile.ZipFile(tmp_path / "big.zip", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a", "w") as file,
    ):
        for _ in range(1000):
            file.write(bytes(1 << 20))
    for name in ("many", "big"):
        code = (
            "from pathlib import Path; from pipeline.archives import ArchiveLimits, extract; "
            "limits = ArchiveLimits(1 << 40, 1 << 20, 1 << 20); "
            f"path = Path({str(tmp_path / name)!r}); "
            "extract(path.with_suffix('.zip'), path, limits=limits, workers=4); "
            "print(*(line.split()[1] for line in open('/proc/self/status') if 'VmHWM' in line))"
        )

        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )

        assert int(done.stdout) < 150_000
