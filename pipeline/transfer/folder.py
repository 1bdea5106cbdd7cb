"""Everything below a prefix becomes one folder."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

from pipeline.disk.files import require_space, sync_all
from pipeline.disk.folders import building, inside, refuse_clashes, workshop_of
from pipeline.errors import ObjectMissingError
from pipeline.storage import BulkStorage, Entry, OnBytes, Storage, ignore_bytes
from pipeline.storage.disk import naming_cause
from pipeline.transfer.bulk import adopt, batches, copy_batch
from pipeline.transfer.fetching import Fetching
from pipeline.transfer.journal import Journal, read
from pipeline.transfer.ranges import RECORD_SUFFIX, recorded_bytes, source_of
from pipeline.transfer.receipt import Receipt
from pipeline.transfer.retry import Limits, retry
from pipeline.transfer.workers import Workers

# Below this size, starting a file over is cheaper than the record that would spare it.
_RECORDED_BYTES = 8 << 20

# Below this size, more work is done for a file than for its bytes.
_SMALL_BYTES = 256 << 10

_FILES, _JOURNAL, _SOURCE = "files", "receipts.jsonl", "source"


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
        DiskFullError: the disk has no room for what is missing.
    """
    prefix = f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""
    where = f"{storage.url}/{prefix}"
    workers = Workers(parallel=limits.parallel, on_bytes=on_bytes)
    entries = retry(lambda: list(storage.list(prefix)), limits=limits)
    if not entries:
        raise ObjectMissingError(f"{where}: nothing lies below; check the URL.")
    names = (inside(entry.key[len(prefix) :], origin=where) for entry in entries)
    refuse_clashes(names, origin=where)
    with naming_cause(folder), building(folder, keep=True) as workshop:
        _keep_only(workshop, source_of(where.rstrip("/")))
        with _Fetching(storage, prefix, workshop, limits=limits, workers=workers) as fetching:
            fetching.remove_strangers(entries)
            fetching.require_space(entries)
            fetching.fetch_together(entries)
            receipts = workers.run(fetching.fetch, entries, is_python=_are_small(entries))
        # All at the end costs a fraction of syncing each when it arrives.
        sync_all(workshop, (fetching.path_of(entry.key) for entry in entries))
    return receipts


def arrived_folder_bytes(folder: Path, *, source: str | None = None) -> int:
    """How many bytes of an unfinished download of this folder are there, by its records."""
    workshop = workshop_of(folder)
    return _arrived_bytes(workshop) if source in (None, _source_in(workshop)) else 0


def _keep_only(workshop: Path, source: str) -> None:
    """What an earlier attempt left is gone if it came from elsewhere."""
    if _source_in(workshop) != source:
        for path in list(workshop.iterdir()):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        (workshop / _FILES).mkdir()
        (workshop / _SOURCE).write_text(source, encoding="utf-8")


def _source_in(workshop: Path) -> str:
    path = workshop / _SOURCE
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _arrived_bytes(workshop: Path) -> int:
    whole_bytes = {receipt.key: receipt.size_bytes for receipt in read(workshop / _JOURNAL)}
    parts = [path.with_suffix("") for path in workshop.glob(f"*{RECORD_SUFFIX}")]
    return sum(whole_bytes.values()) + sum(recorded_bytes(path) for path in parts)


def _are_small(entries: Collection[Entry]) -> bool:
    return sum(entry.size_bytes for entry in entries) < _SMALL_BYTES * len(entries)


class _Fetching(contextlib.AbstractContextManager["_Fetching"]):
    """The objects of one folder, fetched into its workshop."""

    def __init__(
        self, storage: Storage, prefix: str, workshop: Path, *, limits: Limits, workers: Workers
    ) -> None:
        self._storage = storage
        self._bulk = storage if isinstance(storage, BulkStorage) else None
        self._prefix = prefix
        self._workshop = workshop
        self._files = str(workshop / _FILES)
        self._limits = limits
        self._workers = workers
        self._journal = Journal(workshop / _JOURNAL)
        self._brought: dict[str, Receipt] = {}
        self._made: set[str] = set()

    def __exit__(self, *error: object) -> None:
        self._journal.__exit__(None, None, None)

    def path_of(self, key: str) -> Path:
        """Where the object lies until the folder is whole."""
        return Path(f"{self._files}/{key[len(self._prefix) :]}")

    def remove_strangers(self, entries: Collection[Entry]) -> None:
        """Of an earlier attempt only those files are left that the listing still has."""
        earlier = sorted((self._workshop / _FILES).rglob("*"), reverse=True)
        wanted = {self.path_of(entry.key) for entry in entries} if earlier else set()
        for path in earlier:
            if path.is_dir() and not path.is_symlink():
                with contextlib.suppress(OSError):
                    path.rmdir()
            elif path not in wanted:
                path.unlink()

    def require_space(self, entries: Collection[Entry]) -> None:
        """The disk has room for what no earlier attempt has brought."""
        sizes_bytes = sum(max(0, entry.size_bytes) for entry in entries)
        require_space(self._workshop, sizes_bytes - _arrived_bytes(self._workshop))

    def fetch_together(self, entries: Sequence[Entry]) -> None:
        """What the storage brings many at a time is there; the rest is left to `fetch`."""
        if self._bulk is None:
            return
        new = [e for e in entries if not self._journal.earlier(e, self.path_of(e.key))]
        for batch in batches(new):
            come = copy_batch(
                self._bulk, self._prefix, batch, self._workshop / "batch",
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
        earlier = self._journal.earlier(entry, path)
        if earlier:
            self._workers.count(earlier.size_bytes)
            return earlier
        parent = entry.key.rpartition("/")[0]
        if parent not in self._made:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._made.add(parent)
        receipt = self._fetching(entry, path).run()
        self._journal.add(receipt)
        return receipt

    def _fetching(self, entry: Entry, path: Path) -> Fetching:
        is_recorded = entry.size_bytes >= _RECORDED_BYTES
        return Fetching(
            storage=self._storage,
            key=entry.key,
            path=path,
            limits=self._limits,
            workers=self._workers,
            bulk=self._bulk,
            sleep=self._workers.sleep,
            part_path=self._part_path(entry.key) if is_recorded else None,
            entry=entry,
            is_synced=False,
        )

    def _part_path(self, key: str) -> Path:
        # Not beside the file: a key may end in ".part" itself.
        return self._workshop / hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
