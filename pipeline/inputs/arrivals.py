"""How an input comes here and, once it was unpacked and nobody wants to keep it, goes."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline import transfer
from pipeline.disk import locks
from pipeline.errors import ObjectMissingError, StorageError
from pipeline.inputs import inputs, receipts, sources
from pipeline.inputs.inputs import Fetched
from pipeline.inputs.sources import Version
from pipeline.job.job import Archive
from pipeline.messages.masking import mask_url
from pipeline.storage import OnBytes, ignore_bytes, is_url, normalise, open_storage, split
from pipeline.transfer import Limits, Receipt

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Way:
    """How inputs come: by which limits, and what is known beside their receipts.

    `now` are the versions that storages told of, by URL; `datasets` is where folders stand for
    dropped archives, None where the archives themselves are needed; `silence_s` bounds the wait
    for another process that fetches the same.
    """

    limits: Limits
    now: Mapping[str, Version]
    datasets: Path | None
    silence_s: float

    def is_here(self, archive: Archive, path: Path) -> bool:
        """Whether nothing has to come."""
        now = self.now.get(archive.url)
        return inputs.state_of(archive, path, now=now, datasets=self.datasets)[0] == "done"


def fetch(archive: Archive, path: Path, way: Way, *, on_bytes: OnBytes) -> Fetched:
    """The input is here under its final name and verified, with a receipt.

    Processes that need it at once share one transfer.

    Raises:
        StorageError: it cannot be fetched; a folder to use in place is not there.
        StalledError: another process is at it, and does not move.
    """
    if way.is_here(archive, path):
        return inputs.known(archive, path)
    if inputs.kind_of(archive) == "mount":
        raise ObjectMissingError(
            f"{path}: there is no such folder, and it was to be used in place; mount it, or "
            f"name another in dataset.archives."
        )
    what = f"fetching {archive.name}"
    with locks.alone_at(path, what=what, silence_s=way.silence_s, on_bytes=on_bytes) as count:
        if way.is_here(archive, path):
            log.info("%s is here now; another process has fetched it", archive.name)
            return inputs.known(archive, path)
        _transfer(archive, path, way.limits, count)
        inputs.end(path)
    return replace(inputs.known(archive, path), is_new=True)


def ask(archives: Sequence[tuple[Archive, Path]], limits: Limits) -> dict[str, Version]:
    """What storages tell now, by URL, of inputs that are here; who does not answer is named."""
    found: dict[str, Version] = {}
    silent: set[str] = set()
    for archive, path in archives:
        if not inputs.is_worth_asking(archive, path) or sources.host_of(archive.url) in silent:
            continue
        is_folder = inputs.kind_of(archive) == "folder"
        try:
            version = sources.now(archive.url, is_folder=is_folder, stall_s=limits.stall_s)
        except StorageError as error:
            silent.add(sources.host_of(archive.url))
            log.warning("%s; going on with %s as it came", error, archive.name)
            continue
        if version is None:
            log.warning(
                "nothing lies at %s any more; going on with %s as it came",
                mask_url(archive.url),
                archive.name,
            )
        elif sources.local_path(archive.url) is None:
            found[archive.url] = version
    return found


def announced(archive: Archive, limits: Limits) -> tuple[Archive, int | None]:
    """The input as its storage knows it, and its size in bytes where that tells it.

    A URL without a final slash may name a folder in a bucket. The name does not tell: platforms
    call unpacked folders `MNISTData.zip` too.

    Raises:
        StorageError: the bucket cannot be asked.
    """
    if inputs.kind_of(archive) != "archive" or not is_url(normalise(archive.url)):
        return archive, inputs.size_of(archive)
    root, key = split(archive.url)
    if not root.startswith("obs://"):
        return archive, _size_or_none(root, key, limits)
    storage = open_storage(root, stall_s=limits.stall_s)

    def look() -> tuple[bool, int | None]:
        entry = storage.head(key)
        if entry is not None:
            return False, entry.size_bytes
        return next(storage.list(f"{key}/"), None) is not None, None

    is_folder, size_bytes = transfer.retry(look, limits=limits)
    folder = archive.model_copy(update={"url": f"{archive.url}/"})
    return folder if is_folder else archive, size_bytes


def needed_bytes(archive: Archive, path: Path, size_bytes: int | None, way: Way) -> int:
    """What the disk must have room for, as far as it is known, until the input can be used."""
    coming_bytes = max(0, (size_bytes or 0) - inputs.arrived_bytes(path))
    is_unpacked = way.datasets is not None and inputs.kind_of(archive) == "archive"
    # Nobody packs what becomes longer by it.
    least_bytes = (size_bytes or 0) if is_unpacked and archive.name.lower().endswith(".zip") else 0
    return coming_bytes + max(int(receipts.last(path).get("unpacked_bytes", 0)), least_bytes)


def drop(fetched: Fetched, *, unpacked_bytes: int, silence_s: float) -> None:
    """The archive is gone; its receipt still tells what it was.

    The receipt goes first: killed after it, the archive is here and vouched for.
    """
    path, what = fetched.path, f"dropping {fetched.name}"
    with locks.alone_at(path, what=what, silence_s=silence_s, on_bytes=ignore_bytes):
        receipt = receipts.last(path)
        if path.exists() and receipt.get("sha256") == fetched.sha256:
            facts = {**receipt, "dropped": True, "unpacked_bytes": unpacked_bytes}
            receipts.add(path, **facts)
            path.unlink()


def remove(folder: Path, *, successor: Path | None = None) -> None:
    """The folder is gone, its name at once; the successor, if there is one, bears it now."""
    aside = folder.with_name(f".{folder.name}.tmp-old")
    if aside.exists():
        shutil.rmtree(aside)
    if folder.exists():
        folder.rename(aside)
    if successor is not None:
        successor.rename(folder)
    if aside.exists():
        shutil.rmtree(aside)


def _size_or_none(root: str, key: str, limits: Limits) -> int | None:
    """A web server's word, if it comes soon; what fails here fails again when it is fetched."""
    try:
        entry = open_storage(root, stall_s=limits.stall_s / 4).head(key)
    except StorageError:
        return None
    return entry.size_bytes if entry and entry.size_bytes >= 0 else None


def _transfer(archive: Archive, path: Path, limits: Limits, on_bytes: OnBytes) -> None:
    source = sources.here(archive.url)
    facts: dict[str, object] = {**inputs.origin(archive)}
    inputs.begin(archive, path)
    if inputs.kind_of(archive) == "folder":
        storage = open_storage(archive.url, stall_s=limits.stall_s)
        successor = inputs.successor_of(path)
        # It may be left from where this was killed before.
        remove(successor)
        growing = successor if path.exists() else path
        landed = transfer.download_folder(storage, "", growing, limits=limits, on_bytes=on_bytes)
        listed = sources.of_listing((r.key, r.size_bytes, r.etag) for r in landed)
        total_bytes = sum(receipt.size_bytes for receipt in landed)
        facts |= {"files": len(landed), "total_bytes": total_bytes, "etag": _digest(landed)}
        if growing == successor:
            receipts.withdraw(path, "it was being replaced when that was interrupted")
            remove(path, successor=successor)
        receipts.add(path, source=source or listed, **facts)
        return
    root, key = split(archive.url)
    storage = open_storage(root, stall_s=limits.stall_s)
    receipt = transfer.download(
        storage, key, path, limits=limits, sha256=archive.sha256, on_bytes=on_bytes
    )
    source = source or sources.of_object(receipt.size_bytes, receipt.etag)
    receipts.add(path, source=source, sha256=receipt.sha256, etag=receipt.etag, **facts)


def _digest(landed: Sequence[Receipt]) -> str:
    """Tells two folders apart whose files have the same names and sizes."""
    listed = sorted((r.key, r.size_bytes, r.etag or r.sha256 or "") for r in landed)
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()[:16]
