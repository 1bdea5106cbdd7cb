"""The run folder: owned by one process at a time, put aside when a run starts anew."""

from __future__ import annotations

import json
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.errors import RunBusyError
from pipeline.files import naming_full_disk, write_json

_OWNER_LOOKS = 5
_OWNER_WAIT_S = 0.05


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """This process alone works on the run; a killed owner's claim ends with it.

    The lock lies beside the folder, because a run that starts anew renames the folder.

    Raises:
        RunBusyError: another process works on it; its pid is named.
    """
    with naming_full_disk(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(_beside(folder, "lock"))
    owner_path = _beside(folder, "owner")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RunBusyError(
            f"run {folder.name} is being run by another process ({_owner(owner_path)}); "
            f"wait for it, or give this one another name: run.id=NAME"
        ) from error
    try:
        write_json(owner_path, {"pid": os.getpid(), "host": socket.gethostname()})
        yield
    finally:
        owner_path.unlink(missing_ok=True)
        lock.release()


def require_free(folder: Path) -> None:
    """Nobody works on the run at this moment; writes nothing where there is no run yet.

    Raises:
        RunBusyError: another process works on it; its pid is named.
    """
    if folder.parent.is_dir():
        with owned(folder):
            pass


def place_of_rank(folder: Path, rank: int) -> Path:
    """Where a rank after the first writes: beside the folder, which is the first rank's to move."""
    return _beside(folder, f"rank-{rank}")


def has_results(folder: Path) -> bool:
    """Whether anything lies there but what ranks after the first have left."""
    return folder.is_dir() and any(p.name not in ("errors", "logs") for p in folder.iterdir())


def set_aside(folder: Path) -> Path:
    """The folder bears the name `<id>.old-N` now, with the lowest N that is free."""
    number = 1
    while (aside := folder.with_name(f"{folder.name}.old-{number}")).exists():
        number += 1
    folder.rename(aside)
    return aside


def put_aside(folder: Path) -> list[Path]:
    """The folders of this run's earlier attempts, in no order."""
    name = re.compile(re.escape(folder.name) + r"\.old-\d+")
    if not folder.parent.is_dir():
        return []
    return [path for path in folder.parent.iterdir() if name.fullmatch(path.name)]


def _beside(folder: Path, kind: str) -> Path:
    return folder.parent / f".{folder.name}.{kind}"


def _owner(path: Path) -> str:
    # The owner writes its name just after it took the lock.
    for _ in range(_OWNER_LOOKS):
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            return f"pid {found['pid']} on {found['host']}"
        except (OSError, ValueError, KeyError, TypeError):
            time.sleep(_OWNER_WAIT_S)
    return "its pid is not known"
