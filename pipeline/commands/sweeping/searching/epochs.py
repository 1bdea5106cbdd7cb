"""metrics.jsonl of a run at work, read as it grows: each epoch once, no half line."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator
from pathlib import Path

FILE_NAME = "metrics.jsonl"


class Epochs:
    """One column of a run's table, epoch by epoch."""

    def __init__(self, folder: Path, column: str, known: Collection[int] = ()) -> None:
        """Epochs that are `known` already are told no second time."""
        self._path, self._column = folder / FILE_NAME, column
        self._known = {*known}
        self._file, self._offset = 0, 0
        self.columns: set[str] = set()

    def fresh(self) -> Iterator[tuple[int, float]]:
        """Epoch and value of every line that was written whole since the last look."""
        for line in self._lines():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if not isinstance(row, dict):
                continue
            self.columns.update(row)
            epoch, value = row.get("epoch"), row.get(self._column, "")
            # A loss that is no number stands there as null.
            value = math.nan if value is None else value
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if isinstance(epoch, int) and is_number and epoch not in self._known:
                self._known.add(epoch)
                yield epoch, float(value)

    def _lines(self) -> list[bytes]:
        try:
            found = self._path.stat()
            if found.st_ino != self._file or found.st_size < self._offset:
                # A run that goes on, or begins anew, writes another file.
                self._file, self._offset = found.st_ino, 0
            if found.st_size == self._offset:
                return []
            with self._path.open("rb") as file:
                file.seek(self._offset)
                content = file.read()
        except OSError:
            return []
        whole = content.rfind(b"\n") + 1
        self._offset += whole
        return content[:whole].splitlines()
