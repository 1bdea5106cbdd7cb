"""A run's export place: where it is, and what lies there."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from pipeline import transfer
from pipeline.errors import ObjectMissingError
from pipeline.manifest import FILE_NAME, Manifest, is_growing
from pipeline.messages.masking import mask
from pipeline.storage import Entry, Storage, open_storage
from pipeline.transfer import Limits


@dataclass(frozen=True)
class Place:
    """Where one run's results go, as a storage whose root is the run's own prefix."""

    storage: Storage
    limits: Limits
    url: str

    def listing(self) -> dict[str, Entry]:
        """What lies there now, by key."""
        found = transfer.retry(lambda: list(self.storage.list()), limits=self.limits)
        return {entry.key: entry for entry in found}

    def read(self, key: str) -> bytes:
        """The whole object."""
        return transfer.retry(lambda: b"".join(self.storage.get(key)), limits=self.limits)

    def delete(self, key: str) -> None:
        """Nothing lies under the key."""
        transfer.retry(lambda: self.storage.delete(key), limits=self.limits)

    def manifest(self) -> Manifest | None:
        """The manifest there; None where what lies there is none.

        Raises:
            ObjectMissingError: nothing lies there.
        """
        try:
            return Manifest.model_validate_json(self.read(FILE_NAME))
        except ValidationError:
            return None


def url_of(export_url: str, run_id: str) -> str:
    """The URL below which a run's files lie."""
    return f"{export_url.rstrip('/')}/{run_id}"


def open_place(export_url: str, run_id: str, limits: Limits) -> Place:
    """The run's export place; nothing is asked of it yet."""
    url = url_of(export_url, run_id)
    return Place(open_storage(url, stall_s=limits.stall_s), limits, mask(url))


def record_at(place: Place) -> Manifest | None:
    """The manifest that lies at the place; None where there is none that can be read."""
    try:
        return place.manifest()
    except ObjectMissingError:
        return None


def growing_at(place: Place) -> list[str]:
    """The files there that no manifest vouches for, such as logs."""
    return [key for key in place.listing() if is_growing(key)]


def missing(place: Place, manifest: Manifest) -> list[str]:
    """What the place lacks of a complete run; empty when everything is there."""
    found = place.listing()
    if FILE_NAME not in found or place.manifest() != manifest:
        return [FILE_NAME]
    sizes = {key: entry.size_bytes for key, entry in found.items()}
    return [a.path for a in manifest.artifacts if sizes.get(a.path) != a.size_bytes]
