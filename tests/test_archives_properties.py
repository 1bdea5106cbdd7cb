"""Whatever an archive holds: nothing outside its folder, nothing changed, nothing lost."""

from __future__ import annotations

import contextlib
import re
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.archives import extract
from pipeline.errors import ArchiveError
from tests.archiving import KINDS, LIMITS, found, member, packed, tarred, zipped_as

NAMES = st.text(st.sampled_from("ab./\\:数\0"), min_size=1, max_size=8)
TARGETS = st.lists(st.sampled_from(["..", "a", "b", "", "."]), max_size=4).map("/".join)
TYPES = st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE])


# Letters that file systems fold, Chinese, blanks, and what shells and Windows are particular about.
BENIGN = st.text(st.sampled_from("abXé数据 .-_'$%~"), min_size=1, max_size=6).filter(
    lambda part: part.strip(".") and not part.startswith("~")
)
PATHS = st.lists(BENIGN, min_size=1, max_size=3).map("/".join)

settings.register_profile("archives", max_examples=150)
ARCHIVES = settings(settings.get_profile("archives"))


@ARCHIVES
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
    assume(path.exists())
    before = found(top)

    with contextlib.suppress(ArchiveError):
        extract(path, top / "in/out", limits=LIMITS, workers=2)

    out = top / "in/out"
    assert {k: v for k, v in found(top).items() if not k.startswith("in/out/")} == before
    assert {entry.name for entry in (top / "in").iterdir()} <= {"a", "out"}
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
            mode = stat.S_IFLNK if kind == tarfile.SYMTYPE else stat.S_IFREG
            archive.writestr(zipped_as(name, mode), target)


@ARCHIVES
@given(st.sampled_from(KINDS), st.dictionaries(PATHS, st.binary(max_size=300), min_size=1))
def test_what_may_be_unpacked_is_unpacked(
    tmp_path_factory: pytest.TempPathFactory, kind: str, files: dict[str, bytes]
) -> None:
    """Every archive of harmless names comes out as it went in, byte for byte."""
    assume(not any(name.startswith(f"{other}/") for name in files for other in files))
    folder = tmp_path_factory.mktemp("benign")
    path = packed(folder / f"a.{kind}", files)

    extract(path, folder / "out", limits=LIMITS, workers=2)

    assert found(folder / "out") == files


@ARCHIVES
@given(st.sampled_from(KINDS), st.data())
def test_damage_never_passes(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    """Changed bytes end in an ArchiveError or change nothing, but for those no checksum covers.

    That is a bare tar, and in a zip the rights of a member, which make it a link or a file.
    """
    folder = tmp_path_factory.mktemp("damage")
    files = {"a": b"some text" * 20, "b/c": b"x"}
    path = packed(folder / f"a.{kind}", files)
    content = bytearray(path.read_bytes())
    heads = [match.start() for match in re.finditer(b"PK\x01\x02", content)]
    rights = {head + 38 + n for head in heads for n in range(4)} if kind == "zip" else set()
    for _ in range(data.draw(st.integers(1, 3))):
        # Packers write the time, so that not even the length is always the same.
        place = data.draw(st.integers(0, 3999)) % len(content)
        assume(place not in rights)
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content)

    with contextlib.suppress(ArchiveError):
        extract(path, folder / "out", limits=LIMITS)
        if kind != "tar":
            assert found(folder / "out") == files
