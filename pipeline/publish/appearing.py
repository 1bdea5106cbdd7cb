"""Files that somebody else's program writes into a folder: which are whole, which are gone."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from pipeline import manifest

# Programs write checkpoints in pieces; what nobody touched for so long counts as whole.
QUIET_S = 3.0
# To look at more than so many files would take a while, for a hint only.
_MOST_LOOKED_AT = 20_000
# What MindSpore leaves in the current folder, for itself.
_MINDSPORES_OWN = ("kernel_meta", "rank_", "som_meta")
_State = tuple[int, int]


class Appearing:
    """What becomes of the files of one folder; temporary names are left out."""

    def __init__(self, folder: Path) -> None:
        """What lies there already has been told before."""
        self._folder = folder
        self._told: dict[Path, _State] = self._found()

    def settled(self) -> tuple[list[Path], list[Path]]:
        """The files that are new or changed and whole by now, and those that are gone."""
        found = self._found()
        now_ns = time.time_ns()
        whole = [
            path
            for path, state in found.items()
            if self._told.get(path) != state and now_ns - state[1] > QUIET_S * 1e9
        ]
        gone = [path for path in self._told if path not in found]
        self._told.update({path: found[path] for path in whole})
        for path in gone:
            del self._told[path]
        return whole, gone

    def _found(self) -> dict[Path, _State]:
        states = {}
        for name in manifest.files_in(self._folder):
            path = self._folder / name
            try:
                found = path.stat()
            except FileNotFoundError:
                continue
            states[path] = (found.st_size, found.st_mtime_ns)
        return states


def names_written(folder: Path, since_s: float, *, without: Collection[Path]) -> list[str]:
    """What lies in the folder and was written since, or holds such a file; no hidden names.

    As far as that can be told quickly; what is below `without` does not count.
    """
    found = set()
    for path in itertools.islice(_files_below(folder, without), _MOST_LOOKED_AT):
        first = path.relative_to(folder).parts[0]
        if first in found or first.startswith(_MINDSPORES_OWN):
            continue
        try:
            is_new = path.stat().st_mtime >= since_s
        except OSError:
            continue
        if is_new:
            found.add(first)
    return sorted(found)


def _files_below(folder: Path, without: Collection[Path]) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = [
            name for name in folders if name[0] not in "._" and (Path(place, name) not in without)
        ]
        yield from (Path(place, name) for name in names if name[0] not in "._")
