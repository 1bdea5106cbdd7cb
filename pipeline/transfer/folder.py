"""Everything below a prefix becomes one folder."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from pipeline.errors import ObjectMissingError
from pipeline.files import append_json_line, sync
from pipeline.folders import building, inside, refuse_clashes
from pipeline.storage import BulkStorage, Entry, OnBytes, Storage, ignore_bytes
from pipeline.storage.disk import naming_cause
from pipeline.transfer.bulk import adopt, batches, copy_batch
from pipeline.transfer.download import Fetching
from pipeline.transfer.partial import Partial
from pipeline.transfer.receipt import Receipt
from pipeline.transfer.retry import Limits, retry
from pipeline.transfer.workers import Workers

log = logging.getLogger(__name__)

# Below this size, starting a file over is cheaper than the record that would spare it.
_RECORDED_BYTES = 8 << 20


def download_folder(
    storage: Storage,
    prefix: str,
    folder: Path,
    *,
    limits: Limits,
    on_bytes: OnBytes = ignore_bytes,
) -> list[Receipt]:
    """Every object below `prefix` (a folder's key, or "") lies below `folder`, or there is none.

    Until all is there it grows in `.<name>.part`; a later call goes on from what that
    holds. `on_bytes` is called by one thread at a time. Receipts are in the order of
    the listing, their keys those of the storage.

    Raises:
        ObjectMissingError: nothing lies below the prefix.
        IntegrityError: a key cannot be a file's name below the folder, or `folder` exists.
        StorageError: an object could not be fetched in several attempts.
    """
    prefix = f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""
    where = f"{storage.url}/{prefix}"
    workers = Workers(parallel=limits.parallel, on_bytes=on_bytes)
    entries = retry(lambda: list(storage.list(prefix)), limits=limits)
    if not entries:
        raise ObjectMissingError(f"{where}: nothing lies below; check the URL.")
    names = {entry.key: inside(entry.key[len(prefix) :], origin=where) for entry in entries}
    refuse_clashes(names.values(), origin=where)
    with naming_cause(folder), building(folder, keep=True) as workshop:
        fetching = _Fetching(storage, workshop, names, limits=limits, workers=workers)
        fetching.remove_strangers()
        if isinstance(storage, BulkStorage):
            fetching.fetch_together(storage, prefix, entries)
        receipts = workers.run(fetching.fetch, entries)
        # All at the end costs a fraction of syncing each when it arrives.
        for key in names:
            sync(fetching.path_of(key))
    return receipts


class _Fetching:
    """The objects of one folder, fetched into its workshop."""

    def __init__(
        self,
        storage: Storage,
        workshop: Path,
        names: Mapping[str, str],
        *,
        limits: Limits,
        workers: Workers,
    ) -> None:
        self._storage = storage
        self._workshop = workshop
        self._names = names
        self._limits = limits
        self._workers = workers
        self._journal = _Journal(workshop / "receipts.jsonl")
        self._brought: dict[str, Receipt] = {}

    def path_of(self, key: str) -> Path:
        """Where the object lies until the folder is whole."""
        return self._workshop / "files" / self._names[key]

    def remove_strangers(self) -> None:
        """Of an earlier attempt only those files are left that the listing still has."""
        wanted = {self.path_of(key) for key in self._names}
        for path in sorted((self._workshop / "files").rglob("*"), reverse=True):
            if path.is_dir():
                with contextlib.suppress(OSError):
                    path.rmdir()
            elif path not in wanted:
                path.unlink()

    def fetch_together(self, storage: BulkStorage, prefix: str, entries: Sequence[Entry]) -> None:
        """What the storage brings many at a time is there; the rest is left to `fetch`."""
        new = [e for e in entries if not self._journal.receipt(e, self.path_of(e.key))]
        for batch in batches(new):
            come = copy_batch(
                storage, prefix, batch, self._workshop / "batch",
                limits=self._limits, workers=self._workers,
            )  # fmt: skip
            for entry, path in come:
                receipt = adopt(entry, path, self.path_of(entry.key))
                self._journal.add(receipt)
                self._brought[entry.key] = receipt

    def fetch(self, entry: Entry) -> Receipt:
        """The object is there, now or since an earlier attempt."""
        if entry.key in self._brought:
            return self._brought[entry.key]
        path = self.path_of(entry.key)
        earlier = self._journal.receipt(entry, path)
        if earlier:
            self._workers.count(earlier.size_bytes)
            return earlier
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not beside the file: a key may end in ".part" itself.
        part_name = hashlib.sha256(entry.key.encode("utf-8", "surrogateescape")).hexdigest()
        partial = Partial(
            path,
            self._workshop / part_name,
            on_bytes=self._workers.count,
            is_recorded=entry.size_bytes >= _RECORDED_BYTES,
        )
        fetching = Fetching(self._storage, entry.key, partial, entry=entry, is_synced=False)
        receipt = retry(
            fetching.attempt,
            limits=self._limits,
            progress=partial.progress,
            sleep=self._workers.sleep,
        )
        self._journal.add(receipt)
        return receipt


class _Journal:
    """The receipts of what an unfinished folder already holds, one JSON line each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._receipts = _read(path)
        if self._receipts:
            log.info("resuming a folder of which %d files are there", len(self._receipts))

    def receipt(self, entry: Entry, path: Path) -> Receipt | None:
        """The receipt of this version of the object, if the file is still as it came."""
        found = self._receipts.get(entry.key)
        is_same = found and (found.etag, found.size_bytes) == (entry.etag, entry.size_bytes)
        return found if found and is_same and entry.etag and found.fits(path) else None

    def add(self, receipt: Receipt) -> None:
        """The file is whole under its name."""
        append_json_line(self._path, asdict(receipt))


def _read(path: Path) -> Mapping[str, Receipt]:
    """The receipts by key; a last line that a kill has torn counts for nothing."""
    receipts = {}
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    for line in lines:
        try:
            receipt = Receipt(**json.loads(line))
        except (ValueError, TypeError):
            continue
        receipts[receipt.key] = receipt
    return receipts
