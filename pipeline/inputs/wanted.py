"""A checkpoint that a job starts from: where it lies, and, once it is here, which it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pipeline.disk.files import sha256_of
from pipeline.errors import CheckpointError
from pipeline.messages.spelling import first_of


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint file at hand, and who it comes from."""

    path: Path
    sha256: str
    source: str


@dataclass(frozen=True)
class Wanted:
    """Where the checkpoint lies: a file here, a URL to fetch from, or inside what is brought.

    A URL is that of the file, or, with `is_run`, of an exported run. With `is_state` training goes
    on from the whole of it, not from its weights alone.
    """

    source: str
    path: Path | None = None
    url: str = ""
    is_inside: bool = False
    is_state: bool = False
    is_run: bool = False


def at_hand(wanted: Wanted, path: Path) -> Checkpoint:
    """The checkpoint at this path, with its digest."""
    status = path.stat()
    sha256 = _sha256(path, status.st_size, status.st_mtime_ns)
    return Checkpoint(path, sha256, wanted.source)


def files_in(folders: Sequence[Path], key: str) -> list[Path]:
    """The checkpoint files in the folders, by folder and then by path.

    Raises:
        CheckpointError: there is none; the message lists what was found.
    """
    files = [path for folder in folders for path in _files_below(folder)]
    found = [path for path in files if path.suffix == ".ckpt"]
    if not found:
        listed = [path.name for path in files]
        raise CheckpointError(
            f"no .ckpt file lies in {', '.join(str(f) for f in folders)}; there is: "
            f"{first_of(listed, 10) or 'nothing'}. Add a model or a dataset with a "
            f"checkpoint, or write {key}=FILE."
        )
    return found


def _files_below(folder: Path) -> list[Path]:
    """In order of names, without what is hidden: archives made on a Mac hold `__MACOSX/._name`."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(p[0] in "._" for p in path.relative_to(folder).parts)
    ]


@lru_cache(maxsize=8)
def _sha256(path: Path, size_bytes: int, mtime_ns: int) -> str:
    """Read once while the file stays the same: it is asked for once per stage."""
    del size_bytes, mtime_ns
    return sha256_of(path)
