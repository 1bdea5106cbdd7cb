"""Folders that are complete or absent, and names from outside that must stay inside them."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.disk.files import naming_full_disk
from pipeline.errors import IntegrityError


def inside(name: str, *, origin: str) -> str:
    r"""The name, if it is a relative path that cannot leave the folder it is put in.

    Refused: absolute names, drive letters, backslashes, `.`, `..` and empty parts.

    >>> inside("train/a.png", origin="a.zip")
    'train/a.png'

    Raises:
        IntegrityError: the name is refused; `origin` says whose name it is.
    """
    parts = name.split("/")
    has_drive = len(parts[0]) > 1 and parts[0][1] == ":" and parts[0][0].isascii()
    if {"", ".", ".."} & set(parts) or "\\" in name or "\0" in name or has_drive:
        raise IntegrityError(
            f"{origin}: the name {name!r} is absolute, leaves the folder or is spelled so that it "
            f"might; expected names such as 'train/a.png'. Nothing of it was written."
        )
    return name


def refuse_clashes(names: Iterable[str], *, origin: str) -> None:
    """No name comes twice, and none is the folder of another.

    Raises:
        IntegrityError: two of them cannot both be files; the message shows which.
    """
    files: set[str] = set()
    for name in names:
        if name in files:
            raise IntegrityError(f"{origin}: {name!r} comes twice; nothing says which counts.")
        files.add(name)
    clashes = files & folders_of(files)
    if clashes:
        raise IntegrityError(f"{origin}: {min(clashes)!r} is a file, and the folder of others too.")


def folders_of(names: Iterable[str]) -> set[str]:
    """Every folder that these names lie in, at any depth.

    >>> sorted(folders_of(["a/b/c", "d"]))
    ['a', 'a/b']
    """
    folders: set[str] = set()
    for name in names:
        folder = name.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return folders


def workshop_of(folder: Path) -> Path:
    """Where this folder is built."""
    return folder.with_name(f".{folder.name}.part")


@contextlib.contextmanager
def building(folder: Path, *, keep: bool = False) -> Iterator[Path]:
    """Yields a workshop beside `folder`; its subfolder `files` becomes `folder` at the end.

    The workshop is called `.<name>.part`, may hold other things, and then goes. With
    `keep` an earlier attempt's is taken over and a failing one's stays; else it is
    cleared before and after.

    Raises:
        IntegrityError: `folder` exists already, and is left as it is.
        DiskFullError: the disk has no space for it.
    """
    if folder.exists() or folder.is_symlink():
        raise IntegrityError(f"{folder} exists already; remove it, or choose another name.")
    workshop = workshop_of(folder)
    if not keep:
        _clear(workshop)
    with naming_full_disk(folder), contextlib.ExitStack() as on_failure:
        if not keep:
            on_failure.callback(_clear, workshop)
        (workshop / "files").mkdir(parents=True, exist_ok=True)
        yield workshop
        (workshop / "files").rename(folder)
        on_failure.pop_all()
    _clear(workshop)


def _clear(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
