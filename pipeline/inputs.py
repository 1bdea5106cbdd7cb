"""One input of a job: where it lies, where it lands, whether it is here already."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock

from pipeline import receipts, transfer
from pipeline.errors import ObjectMissingError
from pipeline.job import Archive
from pipeline.masking import mask
from pipeline.stage import State
from pipeline.storage import OnBytes, is_url, open_storage, split
from pipeline.transfer import Limits, Receipt

Kind = Literal["archive", "folder", "mount"]


@dataclass(frozen=True)
class Fetched:
    """An input that is here and verified. A folder or mount has no digest of its own."""

    name: str
    kind: Kind
    path: Path
    size_bytes: int | None = None
    sha256: str | None = None
    etag: str = ""

    def facts(self, url: str) -> dict[str, Any]:
        """What the manifest says of it."""
        found = {"name": self.name, "kind": self.kind, "url": mask(url)}
        known = {"size_bytes": self.size_bytes, "sha256": self.sha256, "etag": self.etag}
        return {**found, **{key: value for key, value in known.items() if value}}


def kind_of(archive: Archive) -> Kind:
    """Whether it is an archive to unpack, a folder to copy or a folder to use in place."""
    if archive.mount:
        return "mount"
    if archive.url.endswith("/"):
        return "folder"
    is_local_folder = not is_url(archive.url) and Path(archive.url).is_dir()
    return "folder" if is_local_folder else "archive"


def landing_place(archive: Archive, downloads: Path, datasets: Path) -> Path:
    """Where the input is, or will be, under its final name."""
    kind = kind_of(archive)
    if kind == "mount":
        return Path(archive.url)
    if kind == "archive":
        return downloads / archive.name
    # The same name may come from two places; the place's digest keeps their folders apart.
    digest = hashlib.sha256(mask(archive.url).encode()).hexdigest()[:8]
    return datasets / f"{archive.name}-{digest}"


def state_of(archive: Archive, path: Path) -> tuple[State, str]:
    """Whether the input is here, as far as receipts tell, and why not if not."""
    if kind_of(archive) == "mount":
        return ("done", "used in place") if path.is_dir() else ("todo", f"no folder at {path}")
    receipt = receipts.last(path)
    if not receipt or not path.exists():
        return "todo", f"would fetch it from {mask(archive.url)}"
    if not receipts.vouches(path):
        return "changed", f"{path} was changed since it was fetched; would fetch it anew"
    if receipt.get("url") != mask(archive.url):
        return "changed", f"{path} came from {receipt.get('url')}; would fetch it anew"
    if archive.sha256 and receipt.get("sha256") != archive.sha256:
        return "changed", "its sha256 is not the one asked for; would fetch it anew"
    if receipt.get("source") != _source_fingerprint(archive):
        return "changed", f"{mask(archive.url)} was changed since; would fetch it anew"
    return "done", "already here and verified"


def known(archive: Archive, path: Path) -> Fetched:
    """The input that is here, from its receipt."""
    receipt = receipts.last(path)
    return Fetched(
        archive.name,
        kind_of(archive),
        path,
        receipt.get("size_bytes") if receipt.get("sha256") else receipt.get("total_bytes"),
        receipt.get("sha256"),
        str(receipt.get("etag", "")),
    )


def is_really_folder(archive: Archive, limits: Limits) -> bool:
    """Whether a storage has a folder where the URL, without a final slash, could name an archive.

    The name does not tell: platforms call unpacked folders `MNISTData.zip` too.
    """
    if kind_of(archive) != "archive" or not archive.url.startswith(("obs://", "s3://")):
        return False
    root, key = split(archive.url)
    storage = open_storage(root, stall_s=limits.stall_s)

    def look() -> bool:
        return storage.head(key) is None and next(storage.list(f"{key}/"), None) is not None

    return transfer.retry(look, limits=limits)


def fetch(archive: Archive, path: Path, *, limits: Limits, on_bytes: OnBytes) -> Fetched:
    """The input is here under its final name and verified, with a receipt.

    Two processes that need it at once share one transfer.

    Raises:
        StorageError: it cannot be fetched; a folder to use in place is not there.
    """
    if kind_of(archive) == "mount":
        # Beside it nothing can be written, not even a lock.
        if not path.is_dir():
            raise ObjectMissingError(
                f"{path}: there is no such folder, and it was to be used in place; mount it, or "
                f"name another in dataset.archives."
            )
        return known(archive, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")):
        if state_of(archive, path)[0] != "done":
            _transfer(archive, path, limits, on_bytes)
    return known(archive, path)


def size_of(archive: Archive) -> int | None:
    """The input's size in bytes where that is known without asking a storage."""
    source = Path(archive.url)
    return source.stat().st_size if not is_url(archive.url) and source.is_file() else None


def _transfer(archive: Archive, path: Path, limits: Limits, on_bytes: OnBytes) -> None:
    source = _source_fingerprint(archive)
    facts = {"url": mask(archive.url), "source": source}
    if kind_of(archive) == "folder":
        storage = open_storage(archive.url, stall_s=limits.stall_s)
        landed = transfer.download_folder(storage, "", path, limits=limits, on_bytes=on_bytes)
        total_bytes = sum(receipt.size_bytes for receipt in landed)
        etag = _listing_digest(landed)
        receipts.add(path, files=len(landed), total_bytes=total_bytes, etag=etag, **facts)
        return
    root, key = split(archive.url)
    storage = open_storage(root, stall_s=limits.stall_s)
    receipt = transfer.download(
        storage, key, path, limits=limits, sha256=archive.sha256, on_bytes=on_bytes
    )
    receipts.add(path, sha256=receipt.sha256, etag=receipt.etag, **facts)


def _listing_digest(landed: Sequence[Receipt]) -> str:
    """Tells two folders apart whose files have the same names and sizes."""
    listed = sorted((r.key, r.size_bytes, r.etag or r.sha256 or "") for r in landed)
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()[:16]


def _source_fingerprint(archive: Archive) -> dict[str, int] | None:
    """Size and time of a local source; None for what only a storage could tell."""
    source = Path(archive.url)
    if is_url(archive.url) or not source.is_file():
        return None
    return receipts.fingerprint(source)
