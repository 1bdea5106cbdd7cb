"""The receipts of what an unfinished folder already holds, a line each, in one file."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from pipeline.disk.files import naming_full_disk
from pipeline.storage import Entry
from pipeline.transfer.receipt import Receipt

log = logging.getLogger(__name__)

# What a kill costs at most: so many small files, or what came in so many seconds.
_MOST_LINES = 256
_LONGEST_S = 0.5


class Journal:
    """Receipts of an earlier attempt, and those of this one as they come; many threads may add."""

    def __init__(self, path: Path) -> None:
        """Reads what an earlier attempt wrote; a line that a kill has torn counts for nothing."""
        self._path = path
        self._earlier = {receipt.key: receipt for receipt in read(path)}
        self._lines: list[str] = []
        self._written_s = time.monotonic()
        self._adding = threading.Lock()
        if self._earlier:
            log.info("resuming a folder of which %d files are there", len(self._earlier))

    def __enter__(self) -> Journal:
        """Itself; what was added is in the file at the end, whatever the end is."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Writes what is not yet written."""
        with self._adding:
            self._write()

    def earlier(self, entry: Entry, path: Path) -> Receipt | None:
        """The receipt of this version of the object, if the file is still as it came."""
        found = self._earlier.get(entry.key)
        is_same = found and (found.etag, found.size_bytes) == (entry.etag, entry.size_bytes)
        return found if found and is_same and entry.etag and found.fits(path) else None

    def add(self, receipt: Receipt) -> None:
        """The file is whole under its name."""
        line = json.dumps(receipt)
        with self._adding:
            self._lines.append(line)
            is_late = time.monotonic() - self._written_s > _LONGEST_S
            if is_late or len(self._lines) >= _MOST_LINES:
                self._write()

    def _write(self) -> None:
        lines, self._lines = self._lines, []
        if lines:
            # The first newline ends what a kill may have left of a line.
            with naming_full_disk(self._path), self._path.open("a", encoding="utf-8") as file:
                file.write("\n" + "\n".join(lines))
        self._written_s = time.monotonic()


def read(path: Path) -> Iterator[Receipt]:
    """The receipts in the order in which they came; none if there is no such file."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                key, size_bytes, sha256, etag, mtime_ns = json.loads(line)
            except (ValueError, TypeError):
                continue
            yield Receipt(key, size_bytes, sha256, etag, mtime_ns)
