"""Where and how a benchmark runs."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

CORES = 2
SCRATCH_BYTES = 4 << 30


@dataclass(frozen=True)
class Setting:
    """`data` holds what is made once, `scratch` what each round leaves.

    `server_cores` are those that servers run on, apart from what is measured where there are
    enough of them; empty: the same.
    """

    rounds: int
    data: Path
    scratch: Path
    server_cores: tuple[int, ...] = ()


def prepare(folder: Path, rounds: int, data: Path | None, others: tuple[int, ...]) -> Setting:
    """A setting in a new folder; `data`, where given, is kept when that goes."""
    kept = (data or folder / "data").resolve()
    kept.mkdir(parents=True, exist_ok=True)
    (folder / "scratch").mkdir()
    return Setting(rounds, kept, folder / "scratch", others)


def scratch_root() -> str | None:
    """Where temporary folders are made: TMPDIR, else memory where there is enough, else as usual.

    A disk that still remembers the files of the last round makes those of the next one more
    slowly (ext4 without a journal ten times), whoever's turn it is.
    """
    memory = Path("/dev/shm")
    is_fit = memory.is_dir() and os.access(memory, os.W_OK)
    if os.environ.get("TMPDIR") or not is_fit or shutil.disk_usage(memory).free < SCRATCH_BYTES:
        return None
    return str(memory)


def pin() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """This process and its children run on CORES cores from now on; these, and the others.

    Both are empty where the system cannot do it.
    """
    if not hasattr(os, "sched_setaffinity"):
        return (), ()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:CORES])
    return tuple(cores[:CORES]), tuple(cores[CORES:])
