"""Unpacking: what is whole and safe becomes a folder, all else an error and nothing."""

from __future__ import annotations

import bz2
import contextlib
import io
import lzma
import os
import stat
import subprocess
import sys
import tarfile
import textwrap
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.archives import ArchiveLimits, Contents, extract, is_archive, stem
from pipeline.errors import ArchiveError, IntegrityError
from pipeline.files import is_temporary

LIMITS = ArchiveLimits(bytes=1 << 20, members=50, ratio=1000)
FILES = {"train/0.png": b"\x89PNG" * 1000, "train/空 1.txt": b"", "labels.csv": b"a,b\n1,2\n"}
KINDS = ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"]


def packed(path: Path, files: dict[str, bytes] = FILES) -> Path:
    """An archive of these files, of the kind that its name says."""
    if path.name.endswith(".zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return path
    kind = path.name.rpartition(".")[2]
    with tarfile.open(path, f"w:{'' if kind == 'tar' else kind}") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def tarred(path: Path, *members: tarfile.TarInfo) -> Path:
    """A tar of members without content."""
    with tarfile.open(path, "w") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(bytes(member.size)))
    return path


def member(
    name: str, kind: bytes = tarfile.REGTYPE, target: str = "", size: int = 0
) -> tarfile.TarInfo:
    """A tar's member of any kind."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, size
    return info


def found(folder: Path) -> dict[str, bytes]:
    """The files below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def refuse(path: Path, match: str, limits: ArchiveLimits = LIMITS) -> None:
    """The archive is refused by name, and nothing is left of the attempt."""
    before = found(path.parent)

    with pytest.raises(ArchiveError, match=match) as caught:
        extract(path, path.parent / "out", limits=limits)

    assert path.name in str(caught.value)
    assert found(path.parent) == before
    assert not (path.parent / "out").exists()


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


@pytest.mark.parametrize("kind", KINDS)
def test_empty_folders_and_dots(tmp_path: Path, kind: str) -> None:
    """Folders are kept without files in them, and "./" before names means nothing."""
    path = tmp_path / f"a.{kind}"
    if kind == "zip":
        packed(path, {"./a/b.txt": b"b", "empty/": b""})
    else:
        with tarfile.open(path, f"w:{kind[4:]}") as archive:
            for info in (member(".", tarfile.DIRTYPE), member("./empty", tarfile.DIRTYPE)):
                archive.addfile(info)
            archive.addfile(member("./a/b.txt", size=1), io.BytesIO(b"b"))

    extract(path, tmp_path / "out", limits=LIMITS)

    assert found(tmp_path / "out") == {"a/b.txt": b"b"}
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


def test_refuses_encrypted(tmp_path: Path) -> None:
    """A locked archive is told from a damaged one."""
    path = packed(tmp_path / "a.zip")
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    path.write_bytes(data)

    refuse(path, "encrypted with a password")


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


def test_limits_count_what_is_written(tmp_path: Path) -> None:
    """A header that announces less than comes out does not deceive."""
    path = packed(tmp_path / "a.zip", {"a": bytes(500_000)})
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = data.index(signature) + offset
        data[start : start + 4] = (10).to_bytes(4, "little")
    path.write_bytes(data)

    refuse(path, "a.zip")


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


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.bz2", "tar.xz"])
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
        (b"7z\xbc\xaf\x27\x1c rest", "7z is not unpacked here"),
        (b"Rar!\x1a\x07\x00", "RAR is not"),
        (b"\x28\xb5\x2f\xfd1234", "Zstandard is not"),
        (bz2.compress(b"one file"), "one compressed file"),
        (lzma.compress(b"one file"), "one compressed file"),
        (b"PK\x05\x06" + bytes(18), "empty"),
    ],
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


@pytest.mark.parametrize("ending", ["error", "kill"])
def test_interrupted(tmp_path: Path, ending: str) -> None:
    """Ended half-way, by an error or outright, no folder is there; the next call makes it."""
    path = packed(tmp_path / "a.zip")

    def end(count: int) -> None:
        del count
        raise KeyboardInterrupt

    if ending == "error":
        with pytest.raises(KeyboardInterrupt):
            extract(path, tmp_path / "out", limits=LIMITS, on_bytes=end)
        assert [child.name for child in tmp_path.iterdir()] == ["a.zip"]
    else:
        child = run("extract(path, folder, limits=limits, on_bytes=lambda n: os._exit(9))", path)
        assert child.returncode == 9
        left = {child.name for child in tmp_path.iterdir()} - {"a.zip"}
        assert left
        assert all(map(is_temporary, left))

    extract(path, tmp_path / "out", limits=LIMITS)

    assert found(tmp_path / "out") == FILES
    assert {child.name for child in tmp_path.iterdir()} == {"a.zip", "out"}


def run(call: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Runs one call in a Python of its own, with files limited to 2 kB."""
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


def test_full_disk(tmp_path: Path) -> None:
    """A disk that fills up while unpacking is named, and nothing is left on it."""
    path = packed(tmp_path / "a.zip", {"a": bytes(9000)})

    child = run("extract(path, folder, limits=limits)", path)

    assert "no disk space left while writing" in child.stdout, child.stderr
    assert [child.name for child in tmp_path.iterdir()] == ["a.zip"]


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


NAMES = st.text(st.sampled_from("ab./\\:数\0"), min_size=1, max_size=8)
TARGETS = st.lists(st.sampled_from(["..", "a", "b", "", "."]), max_size=4).map("/".join)
TYPES = st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE])


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.one_of(NAMES, TARGETS), TYPES, TARGETS), max_size=5), st.booleans())
def test_never_writes_outside(
    tmp_path_factory: pytest.TempPathFactory, members: list[tuple[str, bytes, str]], is_zip: bool
) -> None:
    """Whatever an archive holds, nothing changes outside its folder and no link leads out of it."""
    top = tmp_path_factory.mktemp("top")
    (top / "in").mkdir()
    (top / "in/a").write_text("precious")
    path = top / ("a.zip" if is_zip else "a.tar")
    with contextlib.suppress(ValueError, UnicodeError):
        write(path, members)
    before = found(top)

    with contextlib.suppress(ArchiveError):
        extract(path, top / "in/out", limits=LIMITS)

    out = top / "in/out"
    assert {k: v for k, v in found(top).items() if not k.startswith("in/out/")} == before
    for inner in out.rglob("*"):
        with contextlib.suppress(RuntimeError, OSError):  # links in a circle
            assert inner.resolve().is_relative_to(out)


def write(path: Path, members: list[tuple[str, bytes, str]]) -> None:
    """An archive of members as they are, however odd."""
    if path.suffix == ".tar":
        tarred(path, *(member(name, kind, target) for name, kind, target in members))
        return
    with zipfile.ZipFile(path, "w") as archive:
        for name, kind, target in {name: (name, *rest) for name, *rest in members}.values():
            info = zipfile.ZipInfo("x")
            info.filename = name
            mode = stat.S_IFLNK if kind == tarfile.SYMTYPE else stat.S_IFREG
            info.external_attr = mode << 16
            archive.writestr(info, target)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(KINDS), st.data())
def test_damage_never_passes(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    """Changed bytes end in an ArchiveError or change nothing, but for contents of a bare tar."""
    folder = tmp_path_factory.mktemp("damage")
    path = packed(folder / f"a.{kind}", {"a": b"some text" * 20, "b/c": b"x"})
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, min(len(content), 4000) - 1))] = data.draw(
            st.integers(0, 255)
        )
    path.write_bytes(content)

    with contextlib.suppress(ArchiveError):
        extract(path, folder / "out", limits=LIMITS)
        if kind.startswith("tar."):
            assert found(folder / "out") == {"a": b"some text" * 20, "b/c": b"x"}
