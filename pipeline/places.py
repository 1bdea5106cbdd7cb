"""Which of the folders a job may use it does use: the first that can be written and has room."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import ConfigError, Mistake
from pipeline.files import human_bytes

log = logging.getLogger(__name__)

ROOM_BYTES = 100_000_000


def choose(key: str, candidates: Sequence[str]) -> Path:
    """The first folder that can be written and has room; without room anywhere, the first writable.

    Only looks; makes nothing.

    Raises:
        ConfigError: none can be written.
    """
    paths = [Path(candidate) for candidate in candidates]
    writable = [path for path in paths if _can_be_written(path)]
    if not writable:
        listed = ", ".join(str(path) for path in paths)
        problem = f"{listed} cannot be written"
        raise ConfigError([Mistake(key, problem, "", f"choose another folder: {key}=FOLDER")])
    roomy = [path for path in writable if _free_bytes(path) >= ROOM_BYTES]
    return (roomy or writable)[0]


def log_choice(key: str, candidates: Sequence[str], chosen: Path) -> None:
    """Says which of several folders it is."""
    if len(candidates) > 1:
        log.info("chose %s=%s, %s free", key, chosen, human_bytes(_free_bytes(chosen)))


def _nearest(path: Path) -> Path:
    return next(p for p in (path, *path.parents) if p.exists() or p == p.parent)


def _can_be_written(path: Path) -> bool:
    existing = _nearest(path)
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)


def _free_bytes(path: Path) -> int:
    return shutil.disk_usage(_nearest(path)).free
