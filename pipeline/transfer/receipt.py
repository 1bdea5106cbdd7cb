"""What is known of a file that arrived."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Receipt(NamedTuple):
    """One fetched file; `mtime_ns` is that of the file on the disk.

    `sha256` is None for a file whose bytes did not pass through us.
    """

    key: str
    size_bytes: int
    sha256: str | None
    etag: str
    mtime_ns: int

    def fits(self, path: Path) -> bool:
        """Whether the file at `path` is, by size and time, the one that arrived."""
        try:
            status = path.stat()
        except OSError:
            return False
        return (status.st_size, status.st_mtime_ns) == (self.size_bytes, self.mtime_ns)
