"""Files that somebody else's program writes into a folder: which are whole, which are gone."""

from __future__ import annotations

import time
from pathlib import Path

from pipeline import manifest

# Programs write checkpoints in pieces; what nobody touched for so long counts as whole.
QUIET_S = 3.0
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
