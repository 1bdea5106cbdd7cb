"""The run folder: owned by one process at a time, put aside when a run starts anew."""

from __future__ import annotations

import glob
import json
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.disk.files import naming_full_disk, write_json
from pipeline.errors import RunBusyError

_OWNER_LOOKS = 5
_OWNER_WAIT_S = 0.05


@contextmanager
def owned(
    folder: Path,
    *,
    by_launcher: bool = False,
    what: str = "run",
    remedy: str = "wait for it, or give this one another name: run.id=NAME",
) -> Iterator[None]:
    """This process alone works on the run; a killed owner's claim ends with it.

    The lock lies beside the folder, because a run that starts anew renames the folder. A launcher
    has a claim of its own, so that the first of its ranks can have the other. `what` is owned, in
    words, and `remedy` what to do where it is not to be had.

    Raises:
        RunBusyError: another process works on it; its pid is named.
    """
    with naming_full_disk(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
    kind = "launcher." if by_launcher else ""
    lock = FileLock(_beside(folder, f"{kind}lock"))
    owner_path = _beside(folder, f"{kind}owner")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RunBusyError(
            f"{what} {folder.name} is being run by another process ({_owner(owner_path)}); {remedy}"
        ) from error
    try:
        write_json(owner_path, {"pid": os.getpid(), "host": socket.gethostname()})
        yield
    finally:
        owner_path.unlink(missing_ok=True)
        lock.release()


def is_owned(folder: Path) -> bool:
    """Whether a process works on the run now; nothing is written to find out.

    The owner's own word is looked at first: to try the lock for an instant could keep a job that
    starts in that instant from having it.
    """
    try:
        owner = json.loads(_beside(folder, "owner").read_text(encoding="utf-8"))
        is_here = owner["host"] == socket.gethostname()
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if is_here and not _is_alive(str(owner.get("pid"))):
        return False
    # A process of that number lives, but it may be another one by now.
    lock = FileLock(_beside(folder, "lock"))
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return True
    lock.release()
    return False


def owner_here(folder: Path) -> int | None:
    """The process of this machine that works on the run now; None where none does."""
    if not is_owned(folder):
        return None
    try:
        owner = json.loads(_beside(folder, "owner").read_text(encoding="utf-8"))
        return int(owner["pid"]) if owner["host"] == socket.gethostname() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def place_of_rank(folder: Path, rank: int) -> Path:
    """Where a rank after the first writes: beside the folder, which is the first rank's to move."""
    return _beside(folder, f"rank-{rank}-{socket.gethostname()}-{os.getpid()}")


def places_of_dead_ranks(folder: Path) -> list[Path]:
    """Where ranks of this machine have written that could not hand it over."""
    start, here = _beside(folder, "rank").name, socket.gethostname()
    found = folder.parent.glob(f"{glob.escape(start)}-*-{glob.escape(here)}-*")
    return sorted(place for place in found if not _is_alive(place.name.rpartition("-")[2]))


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


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def _owner(path: Path) -> str:
    # The owner writes its name just after it took the lock.
    for _ in range(_OWNER_LOOKS):
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            return f"pid {found['pid']} on {found['host']}"
        except (OSError, ValueError, KeyError, TypeError):
            time.sleep(_OWNER_WAIT_S)
    return "its pid is not known"
