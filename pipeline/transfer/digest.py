"""A sha256 that is taken on the way, though the bytes arrive out of order."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path

from pipeline.disk.files import CHUNK_BYTES
from pipeline.transfer.ranges import Range


class Front:
    """Follows the stretch without gaps at the file's beginning.

    What arrives right there goes in at once; what came early is read back when the gap
    before it has closed, mostly from the page cache. Hashing lets other threads run.
    """

    def __init__(self, path: Path, ranges: Sequence[Range]) -> None:
        """Takes the file that grows, and its ranges in order."""
        self._path = path
        self._ranges = ranges
        self._digest = hashlib.sha256()
        self._reached_byte = 0
        self._following = threading.Lock()

    def arrived(self, start_byte: int, chunk: bytes) -> None:
        """Takes the chunk in, if it is the next."""
        if start_byte != self._reached_byte or not self._following.acquire(blocking=False):
            return
        try:
            if start_byte == self._reached_byte:
                self._digest.update(chunk)
                self._reached_byte += len(chunk)
        finally:
            self._following.release()

    def catch_up(self) -> None:
        """Takes in what has arrived; does nothing while another thread does so."""
        if self._following.acquire(blocking=False):
            try:
                self._read_back()
            finally:
                self._following.release()

    def hexdigest(self) -> str:
        """The digest of all that has arrived without a gap, as 64 hex digits."""
        with self._following:
            self._read_back()
        return self._digest.hexdigest()

    def _read_back(self) -> None:
        if self._reached_byte >= self._known_byte():
            return
        with self._path.open("rb", buffering=0) as file:
            file.seek(self._reached_byte)
            while (left_bytes := self._known_byte() - self._reached_byte) > 0:
                chunk = file.read(min(CHUNK_BYTES, left_bytes))
                if not chunk:
                    return
                self._digest.update(chunk)
                self._reached_byte += len(chunk)

    def _known_byte(self) -> int:
        """Where the first gap begins."""
        known_byte = 0
        for found in self._ranges:
            known_byte = found.reached_byte
            if not found.is_done:
                break
        return known_byte
