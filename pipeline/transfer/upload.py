"""Files become objects, and are looked at afterwards."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import IntegrityError, StorageError
from pipeline.storage import Entry, OnBytes, Storage, ignore_bytes
from pipeline.transfer.retry import Limits, Progress, retry
from pipeline.transfer.workers import Workers


def upload(
    storage: Storage,
    files: Mapping[str, Path],
    *,
    limits: Limits,
    on_bytes: OnBytes = ignore_bytes,
) -> list[Entry]:
    """Each file lies under its key, as a listing made afterwards shows.

    A file that grows meanwhile is sent as it was when its turn came. A local disk also
    compares sha256, in its put. `on_bytes` is called by one thread at a time. Entries
    are in the order of `files`.

    Raises:
        StorageError: a file could not be sent in several attempts.
        IntegrityError: the listing lacks a file or shows it with another size.
    """
    workers = Workers(parallel=limits.parallel, on_bytes=on_bytes)

    def send(item: tuple[str, Path]) -> Entry:
        key, path = item
        progress = Progress(others=lambda: workers.finished)

        def count(moved_bytes: int) -> None:
            progress.moved_bytes += max(0, moved_bytes)
            workers.count(moved_bytes)

        return retry(
            lambda: _send(storage, key, path, count),
            limits=limits,
            progress=progress,
            sleep=workers.sleep,
        )

    sent = workers.run(send, list(files.items()))
    if sent:
        _verify(storage, sent, limits=limits)
    return sent


def _send(storage: Storage, key: str, path: Path, on_bytes: OnBytes) -> Entry:
    """One attempt; what a failing one had counted is taken back."""
    count_bytes = 0

    def count(moved_bytes: int) -> None:
        nonlocal count_bytes
        count_bytes += moved_bytes
        on_bytes(moved_bytes)

    try:
        return storage.put(key, path, on_bytes=count)
    except StorageError:
        on_bytes(-count_bytes)
        raise


def _verify(storage: Storage, sent: list[Entry], *, limits: Limits) -> None:
    """One listing shows all that was sent, with its size."""
    keys = [entry.key for entry in sent]
    # A listing's prefix is a matter of characters, not of folders.
    prefix = os.path.commonprefix(keys)  # noqa: RUF071
    found = retry(
        lambda: {entry.key: entry.size_bytes for entry in storage.list(prefix)}, limits=limits
    )
    for entry in sent:
        if found.get(entry.key) != entry.size_bytes:
            raise IntegrityError(
                f"{storage.url}/{entry.key}: {entry.size_bytes} bytes were sent but the listing "
                f"shows {found.get(entry.key, 'none')}; run the same command to send it again."
            )
