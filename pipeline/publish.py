"""What leaves the run folder: incrementally, verified, manifest last."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline import transfer
from pipeline.errors import IntegrityError, ObjectMissingError
from pipeline.files import write_atomically, write_json
from pipeline.manifest import FILE_NAME, Artifact, Manifest, growing_in, is_growing
from pipeline.masking import mask
from pipeline.storage import Entry, OnBytes, Storage, open_storage
from pipeline.transfer import Limits

log = logging.getLogger(__name__)

# What this run sent and still has to remove there; private to the run folder.
_LEDGER = ".exported.json"


@dataclass(frozen=True)
class Place:
    """Where one run's results go, as a storage whose root is the run's own prefix."""

    storage: Storage
    limits: Limits
    url: str


@dataclass(frozen=True)
class Sent:
    """What a sending did: the files there now, and the bytes that had to move."""

    files: int
    sent_bytes: int


def url_of(export_url: str, run_id: str) -> str:
    """The URL below which a run's files lie."""
    return f"{export_url.rstrip('/')}/{run_id}"


def open_place(export_url: str, run_id: str, limits: Limits) -> Place:
    """The run's export place; nothing is asked of it yet."""
    url = url_of(export_url, run_id)
    return Place(open_storage(url, stall_s=limits.stall_s), limits, mask(url))


def send(place: Place, folder: Path, artifacts: Sequence[Artifact], *, on_bytes: OnBytes) -> Sent:
    """Every artifact lies at the place with the right bytes; what was there already stays.

    A manifest that lies there is taken away first: until the new one comes, nothing claims
    that the export is whole.

    Raises:
        StorageError: the place refuses, cannot be reached, or holds something else afterwards.
    """
    remote = {entry.key: entry.size_bytes for entry in _list(place)}
    ledger = _read_ledger(folder, place)
    new = [a for a in artifacts if not _is_there(a, remote, ledger["sent"])]
    if FILE_NAME in remote:
        ledger["stale"] = _stale(place, artifacts, ledger["stale"])
        write_json(folder / _LEDGER, ledger)
        transfer.retry(lambda: place.storage.delete(FILE_NAME), limits=place.limits)
    on_bytes(sum(a.size_bytes for a in artifacts) - sum(a.size_bytes for a in new))
    files = {a.path: folder / a.path for a in new}
    files.update({name: folder / name for name in growing_in(folder)})
    transfer.upload(place.storage, files, limits=place.limits, on_bytes=on_bytes)
    ledger["sent"] = {a.path: a.sha256 for a in artifacts}
    write_json(folder / _LEDGER, ledger)
    return Sent(len(artifacts), sum(a.size_bytes for a in new))


def send_manifest(place: Place, folder: Path, final: Manifest) -> None:
    """The final manifest lies at the place, read back and compared; older leftovers are gone.

    Raises:
        StorageError: the manifest could not be sent.
        IntegrityError: something else came back.
    """
    text = final.as_json()
    waiting = folder / f".{FILE_NAME}.tmp"
    write_atomically(waiting, text)
    try:
        transfer.upload(place.storage, {FILE_NAME: waiting}, limits=place.limits)
    finally:
        waiting.unlink(missing_ok=True)
    if _read(place, FILE_NAME) != text.encode():
        raise IntegrityError(
            f"{place.url}/{FILE_NAME}: what came back is not what was sent; "
            f"start the same command again, and if it stays look at the export place."
        )
    ledger = _read_ledger(folder, place)
    for key in ledger["stale"]:
        transfer.retry(partial(place.storage.delete, key), limits=place.limits)
    write_json(folder / _LEDGER, {**ledger, "stale": []})


def record_at(place: Place) -> Manifest | None:
    """The manifest that lies at the place; None where there is none that can be read."""
    try:
        return _remote_manifest(place)
    except ObjectMissingError:
        return None


def growing_at(place: Place) -> list[str]:
    """The files there that no manifest vouches for, such as logs."""
    return [entry.key for entry in _list(place) if is_growing(entry.key)]


def note_sent(place: Place, folder: Path, artifacts: Sequence[Artifact]) -> None:
    """These files came from the place, so that they need not be sent there again."""
    ledger = _read_ledger(folder, place)
    ledger["sent"].update({a.path: a.sha256 for a in artifacts})
    write_json(folder / _LEDGER, ledger)


def missing(place: Place, manifest: Manifest) -> list[str]:
    """What the place lacks of a complete run; empty when everything is there."""
    remote = {entry.key: entry.size_bytes for entry in _list(place)}
    if FILE_NAME not in remote or _remote_manifest(place) != manifest:
        return [FILE_NAME]
    return [a.path for a in manifest.artifacts if remote.get(a.path) != a.size_bytes]


def _is_there(artifact: Artifact, remote: dict[str, int], sent: dict[str, str]) -> bool:
    has_size = remote.get(artifact.path) == artifact.size_bytes
    return has_size and sent.get(artifact.path) == artifact.sha256


def _stale(place: Place, artifacts: Sequence[Artifact], known: list[str]) -> list[str]:
    """What an older manifest names there and this run will not: to be removed at the end."""
    older = _remote_manifest(place)
    is_ours = older is not None and place.url.endswith(f"/{older.run_id}")
    names = {artifact.path for artifact in older.artifacts} if older and is_ours else set()
    return sorted((names | set(known)) - {artifact.path for artifact in artifacts})


def _remote_manifest(place: Place) -> Manifest | None:
    try:
        return Manifest.model_validate_json(_read(place, FILE_NAME))
    except ValidationError:
        return None


def _read_ledger(folder: Path, place: Place) -> dict[str, Any]:
    try:
        found = json.loads((folder / _LEDGER).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        found = {}
    if found.get("url") != place.url:
        return {"url": place.url, "sent": {}, "stale": []}
    return dict(found)


def _list(place: Place) -> list[Entry]:
    return transfer.retry(lambda: list(place.storage.list()), limits=place.limits)


def _read(place: Place, key: str) -> bytes:
    return transfer.retry(lambda: b"".join(place.storage.get(key)), limits=place.limits)
