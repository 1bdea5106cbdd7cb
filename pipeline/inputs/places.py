"""Which of the folders a job may use it does use: the first that can be written and has room."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pipeline.disk.files import free_bytes_at, free_space, human_bytes
from pipeline.errors import ConfigError, DiskFullError, Mistake

log = logging.getLogger(__name__)

ROOM_BYTES = 100_000_000


def some_room(folder: Path) -> int:
    """What a folder needs of which nothing better is known, in bytes."""
    del folder
    return ROOM_BYTES


def choose(
    key: str, candidates: Sequence[str], *, needed_bytes: Callable[[Path], int] = some_room
) -> Path:
    """The first folder that can be written and has room; without room anywhere, the first writable.

    `needed_bytes` says how much would have to land there. Only looks; makes nothing.

    Raises:
        ConfigError: none can be written.
    """
    paths = [Path(candidate) for candidate in candidates]
    writable = [path for path in paths if _can_be_written(path)]
    if not writable:
        listed = ", ".join(str(path) for path in paths)
        problem = f"{listed} cannot be written"
        raise ConfigError([Mistake(key, problem, "", f"choose another folder: {key}=FOLDER")])
    roomy = [path for path in writable if _free_bytes(path) >= needed_bytes(path)]
    return (roomy or writable)[0]


def require_room(key: str, folder: Path, needed: Mapping[str, int]) -> None:
    """The disk of this folder has room for all that is needed, in bytes by name.

    Raises:
        DiskFullError: it has not; `key` is named as what to set.
    """
    total_bytes, free_bytes = sum(needed.values()), free_bytes_at(folder)
    if free_bytes is not None and total_bytes > free_bytes:
        listed = ", ".join(f"{name} {human_bytes(size)}" for name, size in needed.items() if size)
        raise DiskFullError(
            f"{key}: {human_bytes(total_bytes)} have to land ({listed}), but the disk has no more "
            f"than {human_bytes(free_bytes)} free for {folder}; free some of its space, or set "
            f"another {key}."
        )


def log_choice(key: str, candidates: Sequence[str], chosen: Path) -> None:
    """Says which of several folders it is."""
    if len(candidates) > 1:
        log.info("chose %s=%s, %s free", key, chosen, free_space(chosen))


def _nearest(path: Path) -> Path:
    return next(p for p in (path, *path.parents) if p.exists() or p == p.parent)


def _can_be_written(path: Path) -> bool:
    existing = _nearest(path)
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)


def _free_bytes(path: Path) -> int:
    # Of several folders, one that does not tell is the last to take.
    return free_bytes_at(path) or 0
