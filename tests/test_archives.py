"""Unpacking: what is whole and safe becomes a folder, all else an error and nothing."""

from __future__ import annotations

import bz2
import lzma
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from pipeline.archives import ArchiveLimits, Contents, extract, is_archive, stem
from pipeline.errors import IntegrityError
from tests.archiving import FILES, KINDS, LIMITS, TARS, found, member, packed, refuse, tarred


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["MNIST 数据.{}", "named.wrongly"])
def test_extracts(tmp_path: Path, kind: str, name: str) -> None:
    """Every kind unpacks to the members and nothing else, whatever the archive is called."""
    path = packed(tmp_path / f"x.{kind}").rename(tmp_path / name.format(kind))
    moved: list[int] = []

    contents = extract(path, tmp_path / "out", limits=LIMITS, on_bytes=moved.append)

    assert found(tmp_path / "out") == FILES
    assert contents == Contents(members=3, size_bytes=sum(map(len, FILES.values())))
    assert sum(moved) == contents.size_bytes
    assert {child.name for child in tmp_path.iterdir()} == {path.name, "out"}


@pytest.mark.parametrize("kind", ["zip", *TARS])
def test_empty_folders_and_dots(tmp_path: Path, kind: str) -> None:
    """Folders are kept without files in them, and "./" before names means nothing."""
    path = tmp_path / f"a.{kind}"
    if kind == "zip":
        packed(path, {"./a/b.txt": b"b", "empty/": b""})
    else:
        folders = member(".", tarfile.DIRTYPE), member("./empty", tarfile.DIRTYPE)
        tarred(path, *folders, member("./a/b.txt", size=1))

    extract(path, tmp_path / "out", limits=LIMITS)

    assert found(tmp_path / "out") == {"a/b.txt": b"b" if kind == "zip" else bytes(1)}
    assert (tmp_path / "out/empty").is_dir()


@pytest.mark.parametrize(
    "name", ["../x", "/x", "a/../../x", "a/./x", "a//x", "..\\x", "C:/x", "C:x", "a/.."]
)
@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_refuses_names_that_leave(tmp_path: Path, name: str, kind: str) -> None:
    """A name that could lead out of the folder is refused, not repaired."""
    refuse(packed(tmp_path / f"a.{kind}", {"ok": b"", name: b"x"}), "the name")


@pytest.mark.parametrize(
    "target", ["../x", "/etc/passwd", "a/../../x", "d/../x", "", "..", "a\\..\\b"]
)
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_refuses_links_that_leave(tmp_path: Path, target: str, kind: bytes) -> None:
    """A link that may point out of the folder is refused, also by a way through other links."""
    refuse(tarred(tmp_path / "a.tar", member("d/x"), member("link", kind, target)), "link")


def test_refuses_writing_through_links(tmp_path: Path) -> None:
    """A member below a link is refused, whichever comes first."""
    members = member("d", tarfile.SYMTYPE, "e"), member("d/x", size=5)
    refuse(tarred(tmp_path / "a.tar", *members), "no folder|is a file")
    refuse(tarred(tmp_path / "b.tar", *reversed(members)), "no folder|is a file")


def test_keeps_links_inside(tmp_path: Path) -> None:
    """Links that stay inside are made, as packers of programs and versions mean them."""
    path = tarred(
        tmp_path / "a.tar",
        member("v1/weights", size=3),
        member("latest", tarfile.SYMTYPE, "v1"),
        member("v2/same", tarfile.SYMTYPE, "../v1/weights"),
        member("v2/hard", tarfile.LNKTYPE, "v1/weights"),
    )

    extract(path, tmp_path / "out", limits=LIMITS)

    assert (tmp_path / "out/latest/weights").read_bytes() == bytes(3)
    assert (tmp_path / "out/v2/same").resolve() == tmp_path / "out/v1/weights"
    assert (tmp_path / "out/v2/hard").samefile(tmp_path / "out/v1/weights")


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_refuses_devices(tmp_path: Path, kind: bytes) -> None:
    """Devices and pipes are refused, in zips too."""
    refuse(tarred(tmp_path / "a.tar", member("x", kind)), "device or pipe")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("x")
        info.external_attr = (stat.S_IFIFO | 0o644) << 16
        archive.writestr(info, "")
    refuse(tmp_path / "a.zip", "device or pipe")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_refuses_duplicates(tmp_path: Path, kind: str) -> None:
    """Two members of one name are refused, and a name that is file and folder."""
    path = tmp_path / f"a.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a", "1")
            archive.writestr("a", "2")
    else:
        tarred(path, member("a"), member("a"))
    refuse(path, "'a' comes twice")
    refuse(packed(tmp_path / f"b.{kind}", {"a": b"", "a/b": b""}), "'a'")


def test_small_and_capital_letters(tmp_path: Path) -> None:
    """Names that differ only in case are two files where the disk can hold two, else refused."""
    path = packed(tmp_path / "a.zip", {"A": b"1", "a": b"2"})
    (tmp_path / "Case").touch()
    if (tmp_path / "case").exists():
        refuse(path, "takes for the same")
        return

    extract(path, tmp_path / "out", limits=LIMITS)

    assert found(tmp_path / "out") == {"A": b"1", "a": b"2"}


@pytest.mark.parametrize(
    ("limits", "key"),
    [
        (ArchiveLimits(bytes=4000, members=50, ratio=1000), "bytes"),
        (ArchiveLimits(bytes=1 << 20, members=2, ratio=1000), "members"),
        (ArchiveLimits(bytes=1 << 20, members=50, ratio=0.5), "ratio"),
    ],
)
@pytest.mark.parametrize("kind", ["zip", "tar.xz"])
def test_limits(tmp_path: Path, limits: ArchiveLimits, key: str, kind: str) -> None:
    """An archive that unpacks to more than the limits allow is refused; the key is named."""
    refuse(packed(tmp_path / f"a.{kind}"), f"dataset.limits.{key}", limits)


@pytest.mark.parametrize("kind", KINDS)
def test_refuses_what_is_cut_short(tmp_path: Path, kind: str) -> None:
    """An archive that lost its end is damaged, wherever the cut lies; so is an empty one."""
    files = {str(n): os.urandom(700) for n in range(3)}
    whole = packed(tmp_path / f"a.{kind}", files).read_bytes()
    # A tar's end is two empty blocks, then padding that nobody misses.
    ends = [10, 512, 1536, 3072] if kind == "tar" else [len(whole) // 3, len(whole) - 9]
    for end in [0, *ends]:
        (tmp_path / f"a.{kind}").write_bytes(whole[:end])
        refuse(tmp_path / f"a.{kind}", "damaged|no archive|one compressed")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "tar"])
def test_refuses_changed_bytes(tmp_path: Path, kind: str) -> None:
    """One changed byte in the content is found by the checksum."""
    path = packed(tmp_path / f"a.{kind}", {"a": os.urandom(5000)})
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)

    refuse(path, "damaged")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"<!DOCTYPE html>", "is no archive"),
        (b"", "is no archive"),
        (bytes(5000), "empty"),
        (b"Rar!\x1a\x07\x00", "RAR is not"),
        (bz2.compress(b"one file"), "one compressed file"),
        (lzma.compress(b"one file"), "one compressed file"),
        (b"PK\x05\x06" + bytes(18), "empty"),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else "content",
)
def test_refuses_what_is_no_archive(tmp_path: Path, content: bytes, match: str) -> None:
    """What the content shows counts, and the message says what was found."""
    path = tmp_path / "a.zip"
    path.write_bytes(content)

    refuse(path, match)


def test_chinese_names_of_windows(tmp_path: Path) -> None:
    """Names in GBK without a mark, as Chinese Windows packs them, are readable."""
    path = packed(tmp_path / "a.zip", {"????/??.txt": b"x"})
    gbk = "数据/图.txt".encode("gbk")
    assert len(gbk) == len("????/??.txt")
    path.write_bytes(path.read_bytes().replace(b"????/??.txt", gbk))

    extract(path, tmp_path / "out", limits=LIMITS)

    assert found(tmp_path / "out") == {"数据/图.txt": b"x"}
    with tarfile.open(
        tmp_path / "b.tar", "w", encoding="gbk", format=tarfile.GNU_FORMAT
    ) as archive:
        archive.addfile(member("数据/图.txt"))
    extract(tmp_path / "b.tar", tmp_path / "out2", limits=LIMITS)
    assert found(tmp_path / "out2") == {"数据/图.txt": b""}


def test_modes(tmp_path: Path) -> None:
    """Programs stay executable; set-user-id, missing rights and the like are not kept."""
    modes = {"program": 0o4755, "plain": 0o600, "locked": 0o000}
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name, mode in modes.items():
            info = member(name)
            info.mode, info.uid = mode, 12345
            archive.addfile(info)

    extract(tmp_path / "a.tar", tmp_path / "out", limits=LIMITS)

    usual = (tmp_path / "out/plain").stat().st_mode
    assert (tmp_path / "out/locked").stat().st_mode == usual
    assert (tmp_path / "out/program").stat().st_mode == usual | (usual & 0o444) >> 2
    assert (tmp_path / "out/program").stat().st_uid == os.getuid()


def test_names_too_long(tmp_path: Path) -> None:
    """A name that the disk cannot hold is refused."""
    refuse(packed(tmp_path / "a.zip", {"n" * 300: b""}), "cannot hold the name")


def test_an_existing_folder_stays(tmp_path: Path) -> None:
    """What lies under the final name is not touched."""
    (tmp_path / "out").mkdir()

    with pytest.raises(IntegrityError, match="exists already"):
        extract(packed(tmp_path / "a.zip"), tmp_path / "out", limits=LIMITS)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("MNISTData.tar.gz", "MNISTData"),
        ("Data.ZIP", "Data"),
        ("v1.0.tgz", "v1.0"),
        ("a.7z", "a"),
        ("images-idx3-ubyte.gz", "images-idx3-ubyte.gz"),
        ("notes.txt", "notes.txt"),
        (".zip", ".zip"),
    ],
)
def test_stem(name: str, expected: str) -> None:
    """A name loses an archive's suffix and no other."""
    assert stem(name) == expected
    assert is_archive(name) is (name != expected)
