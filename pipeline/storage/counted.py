"""Reading a file for an upload."""

from __future__ import annotations

from typing import IO

from pipeline.storage.protocol import OnBytes, RefusedError


class Counted:
    """A file that tells what is read of it, a stretch at a time."""

    def __init__(self, file: IO[bytes], on_bytes: OnBytes) -> None:
        """Takes an open file, at its beginning."""
        self._file = file
        self._on_bytes = on_bytes
        self._left_bytes = 0

    def first(self, count_bytes: int) -> Counted:
        """Itself, ready to give the next so many bytes."""
        self._left_bytes = count_bytes
        return self

    def read(self, count_bytes: int) -> bytes:
        """The next bytes of the stretch."""
        chunk = self._file.read(min(count_bytes, self._left_bytes))
        if not chunk and self._left_bytes:
            raise RefusedError(
                f"{self._file.name} became shorter while it was uploaded; "
                f"upload it when nobody writes it any more."
            )
        self._left_bytes -= len(chunk)
        self._on_bytes(len(chunk))
        return chunk
