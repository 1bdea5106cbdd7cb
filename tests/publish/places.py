"""A local export place that can be watched, slowed down and closed."""

from __future__ import annotations

import threading
from pathlib import Path

from pipeline.errors import StorageError
from pipeline.manifest import Manifest
from pipeline.publish import Place
from pipeline.storage import Entry, OnBytes, ignore_bytes
from pipeline.storage.local import LocalStorage
from pipeline.transfer import Limits

LIMITS = Limits(parallel=2, retries=0, stall_s=1.0)
RUN_ID = "a"


class WatchedStorage(LocalStorage):
    """The local disk; `calls` are the writing ones that succeeded, `open` lets them through."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self.calls: list[tuple[str, str]] = []
        self.put_bytes = 0
        self.is_refusing = False
        self.asked = 0
        self.arrived = threading.Event()
        self.open = threading.Event()
        self.open.set()

    def list(self, prefix: str = "") -> list[Entry]:
        """As it is, unless the place refuses."""
        self._admit()
        return list(super().list(prefix))

    def put(self, key: str, path: Path, *, on_bytes: OnBytes = ignore_bytes) -> Entry:
        """Waits until the place is open; what it then does is noted."""
        self._admit()
        self.arrived.set()
        while not self.open.wait(0.02):
            on_bytes(0)
        found = super().put(key, path, on_bytes=on_bytes)
        self.put_bytes += found.size_bytes
        self.calls.append(("put", key))
        return found

    def delete(self, key: str) -> None:
        """Noted too."""
        self._admit()
        super().delete(key)
        self.calls.append(("delete", key))

    def _admit(self) -> None:
        self.asked += 1
        if self.is_refusing:
            raise StorageError("the place cannot be reached.")


def make_place(folder: Path) -> tuple[Place, WatchedStorage]:
    """The place of run `a`, and the storage behind it."""
    storage = WatchedStorage(folder / "exports" / RUN_ID)
    return Place(storage, LIMITS, storage.url), storage


def begun(attempt: int = 1) -> Manifest:
    """The manifest of a run at work."""
    return Manifest(run_id=RUN_ID, digest="d", started="2026-01-01T00:00:00.000Z", attempt=attempt)
