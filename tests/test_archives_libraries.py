"""7z and Zstandard: unpacked by the same rules where their libraries are, else refused by name."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from pipeline.archives import ArchiveLimits, extract
from pipeline.errors import DependencyError
from tests.archiving import HAS_7Z, HAS_ZSTANDARD, LIMITS, found, packed, refuse

with_7z = pytest.mark.skipif(not HAS_7Z, reason="needs py7zr")
with_zstandard = pytest.mark.skipif(not HAS_ZSTANDARD, reason="needs zstandard")


@pytest.mark.parametrize(
    ("head", "library"),
    [(b"7z\xbc\xaf\x27\x1c rest", "py7zr"), (b"\x28\xb5\x2f\xfd1234", "zstandard")],
    ids=["7z", "zst"],
)
def test_a_missing_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: bytes, library: str
) -> None:
    """Without its library an archive is refused with the command that installs it."""
    monkeypatch.setitem(sys.modules, library, None)
    (tmp_path / "a.bin").write_bytes(head)

    with pytest.raises(DependencyError, match=rf"a\.bin: .*pip install '?{library}"):
        extract(tmp_path / "a.bin", tmp_path / "out", limits=LIMITS)

    assert [child.name for child in tmp_path.iterdir()] == ["a.bin"]


@with_zstandard
def test_frames_one_after_the_other(tmp_path: Path) -> None:
    """Packers that use many cores write many frames; a missing last half is noticed."""
    import zstandard

    tar = packed(tmp_path / "a.tar", {"a": os.urandom(5000), "b": b"b"}).read_bytes()
    pack = zstandard.ZstdCompressor().compress
    skippable = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"
    whole = pack(tar[:3000]) + skippable + pack(tar[3000:9000]) + pack(tar[9000:])
    (tmp_path / "a.tar").write_bytes(whole)

    extract(tmp_path / "a.tar", tmp_path / "out", limits=LIMITS)

    assert sorted(found(tmp_path / "out")) == ["a", "b"]
    (tmp_path / "b.tar").write_bytes(whole[:-3])
    with pytest.raises(ValueError, match=r"b\.tar: damaged"):
        extract(tmp_path / "b.tar", tmp_path / "out2", limits=LIMITS)


@with_7z
@pytest.mark.parametrize("names", [True, False])
def test_refuses_locked_7z(tmp_path: Path, names: bool) -> None:
    """A password is asked for by name, whether it hides the names too or the contents alone."""
    import py7zr

    path = tmp_path / "a.7z"
    with py7zr.SevenZipFile(path, "w", password="open", header_encryption=names) as archive:
        archive.writestr(b"content", "a")

    refuse(path, "encrypted with a password")


@with_7z
@pytest.mark.parametrize("target", ["../../x", "/etc", "d/../x", "d"])
def test_links_in_7z(tmp_path: Path, target: str) -> None:
    """Links in 7z are made last, and by the same rules."""
    import py7zr

    with py7zr.SevenZipFile(tmp_path / "a.7z", "w") as archive:
        archive.writestr(target.encode(), "link")
        archive.writestr(b"x", "d/x")
        is_from_unix = 0x8000
        mode = (stat.S_IFLNK | 0o777) << 16 | is_from_unix
        archive.header.files_info.files[0]["attributes"] = mode
    if target != "d":
        refuse(tmp_path / "a.7z", "link")
        return

    extract(tmp_path / "a.7z", tmp_path / "out", limits=LIMITS)

    assert (tmp_path / "out/link/x").read_text() == "x"


@with_7z
@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "C:x", "..\\x"])
def test_refuses_names_that_leave(tmp_path: Path, name: str) -> None:
    """A name that could lead out of the folder is refused, not repaired."""
    import py7zr

    with py7zr.SevenZipFile(tmp_path / "a.7z", "w") as archive:
        archive.writestr(b"content", "n" * len(name))
        archive.header.files_info.files[0]["filename"] = name

    refuse(tmp_path / "a.7z", "the name")


@with_7z
def test_many_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files appended one by one lie in blocks of their own, and come out the same, anywhere."""
    import py7zr

    files = {f"{n % 2}/{n}": os.urandom(3000 * n) for n in range(5)}
    for n, (name, content) in enumerate(files.items()):
        with py7zr.SevenZipFile(tmp_path / "a.7z", "a" if n else "w") as archive:
            archive.writestr(content, name)
    monkeypatch.chdir(tmp_path)

    extract(Path("a.7z"), Path("out"), limits=LIMITS)

    assert found(tmp_path / "out") == files


@with_7z
@pytest.mark.parametrize("key", ["bytes", "members"])
def test_limits_of_7z(tmp_path: Path, key: str) -> None:
    """The list of contents is held against the limits before any is read."""
    path = packed(tmp_path / "a.7z", {str(n): bytes(100_000) for n in range(20)})
    limits = {"bytes": 1 << 30, "members": 50, key: 15}

    refuse(path, f"dataset.limits.{key}", ArchiveLimits(ratio=1e6, **limits))


@with_7z
def test_methods_that_the_library_lacks(tmp_path: Path) -> None:
    """What is whole but packed in an unknown way is not called damaged."""
    import py7zr

    path = packed(tmp_path / "a.7z", {"a": b"content"})
    with py7zr.SevenZipFile(path, "a") as archive:
        archive.writestr(b"more", "b")
        archive.header.main_streams.unpackinfo.folders[0].coders[0]["method"] = b"\x7f\x01"

    refuse(path, "use zip with deflate")
