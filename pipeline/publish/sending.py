"""The export at the end of a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline import transfer
from pipeline.disk.files import write_atomically
from pipeline.errors import IntegrityError
from pipeline.manifest import FILE_NAME, Artifact, Manifest, growing_in
from pipeline.publish.ledger import Ledger
from pipeline.publish.place import Place
from pipeline.storage import OnBytes

# What is lost of the record, not of the work, where sending is broken off.
_BATCH_FILES = 256
_BATCH_BYTES = 256 << 20


@dataclass(frozen=True)
class Sent:
    """What a sending did: the files there now, and the bytes that had to move."""

    files: int
    sent_bytes: int


def send(
    place: Place, folder: Path, artifacts: Sequence[Artifact], *, attempt: int, on_bytes: OnBytes
) -> Sent:
    """Every artifact lies at the place with the right bytes; what was there already stays.

    A manifest that lies there is taken away first if it says complete or is of another attempt:
    until the new one comes, nothing claims that the export is whole.

    Raises:
        StorageError: the place refuses, cannot be reached, or holds something else afterwards.
    """
    ledger, found = Ledger.read(folder, place.url), place.listing()
    ledger.compare(found)
    if FILE_NAME in found:
        older = place.manifest()
        ledger.note_older(older)
        ledger.write()
        if not is_interim(place, older, attempt):
            place.delete(FILE_NAME)
    ledger.stale -= {artifact.path for artifact in artifacts}
    new = [artifact for artifact in artifacts if ledger.lacks(artifact)]
    new_bytes = sum(a.size_bytes for a in new)
    on_bytes(sum(a.size_bytes for a in artifacts) - new_bytes)
    for batch in _batches(new):
        files = {a.path: folder / a.path for a in batch}
        ledger.forget(files)
        transfer.upload(place.storage, files, limits=place.limits, on_bytes=on_bytes)
        ledger.note(batch)
    growing = {name: folder / name for name in growing_in(folder)}
    transfer.upload(place.storage, growing, limits=place.limits, on_bytes=on_bytes)
    ledger.write()
    return Sent(len(artifacts), new_bytes)


def send_manifest(place: Place, folder: Path, final: Manifest, *, removes: bool = True) -> None:
    """The final manifest lies at the place, read back and compared; older leftovers are gone.

    Without `removes` they stay until the next export.

    Raises:
        StorageError: the manifest could not be sent.
        IntegrityError: something else came back.
    """
    put_manifest(place, folder, final)
    if place.read(FILE_NAME) != final.as_json().encode():
        raise IntegrityError(
            f"{place.url}/{FILE_NAME}: what came back is not what was sent; "
            f"start the same command again, and if it stays look at the export place."
        )
    if removes:
        _remove_stale(place, folder, final)


def _remove_stale(place: Place, folder: Path, final: Manifest) -> None:
    ledger = Ledger.read(folder, place.url)
    for key in sorted(ledger.stale - {artifact.path for artifact in final.artifacts}):
        place.delete(key)
        ledger.forget([key])
    ledger.stale.clear()
    ledger.write()


def put_manifest(place: Place, folder: Path, manifest: Manifest) -> None:
    """The manifest was sent; the run folder's own is left as it is."""
    waiting = folder / f".{FILE_NAME}.tmp"
    write_atomically(waiting, manifest.as_json())
    try:
        transfer.upload(place.storage, {FILE_NAME: waiting}, limits=place.limits)
    finally:
        waiting.unlink(missing_ok=True)


def is_interim(place: Place, manifest: Manifest | None, attempt: int) -> bool:
    """Whether it may stand there while files move: of this attempt, and claiming nothing whole."""
    if manifest is None or not place.url.endswith(f"/{manifest.run_id}"):
        return False
    return manifest.attempt == attempt and manifest.status != "complete"


def note_sent(place: Place, folder: Path, artifacts: Iterable[Artifact]) -> None:
    """These files came from the place, so that they need not be sent there again."""
    Ledger.read(folder, place.url).note(artifacts)


def _batches(artifacts: Sequence[Artifact]) -> Iterator[list[Artifact]]:
    batch: list[Artifact] = []
    for artifact in artifacts:
        batch.append(artifact)
        if len(batch) == _BATCH_FILES or sum(a.size_bytes for a in batch) >= _BATCH_BYTES:
            yield batch
            batch = []
    if batch:
        yield batch
