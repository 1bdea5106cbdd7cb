"""What a run has sent to its export place; private to the run folder."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from pipeline.disk.files import write_json
from pipeline.manifest import Artifact, Manifest
from pipeline.storage import Entry

log = logging.getLogger(__name__)

_FILE_NAME = ".exported.json"


@dataclass
class Ledger:
    """`sent` lies at the place, verified, by path; `stale` is still to be removed there."""

    path: Path
    url: str
    sent: dict[str, Artifact] = field(default_factory=dict)
    stale: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, folder: Path, url: str) -> Ledger:
        """The folder's ledger; empty where there is none, or one of another place."""
        empty = cls(folder / _FILE_NAME, url)
        try:
            found = json.loads(empty.path.read_text(encoding="utf-8"))
            if found["url"] != url:
                return empty
            sent = {path: Artifact(path=path, **facts) for path, facts in found["sent"].items()}
            return cls(empty.path, url, sent, set(found["stale"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ValidationError):
            return empty

    def write(self) -> None:
        """It lies in the folder; on a full disk it does not, and more will be sent again."""
        sent = {a.path: a.model_dump(exclude={"path"}) for a in self.sent.values()}
        try:
            write_json(self.path, {"url": self.url, "sent": sent, "stale": sorted(self.stale)})
        except OSError as error:
            log.debug("%s could not be written: %s", self.path, error)

    def note(self, artifacts: Iterable[Artifact]) -> None:
        """These lie at the place now, as described."""
        self.sent.update({artifact.path: artifact for artifact in artifacts})
        self.write()

    def forget(self, paths: Iterable[str]) -> None:
        """What lies at the place under these paths is not vouched for any more."""
        for path in paths:
            self.sent.pop(path, None)

    def lacks(self, artifact: Artifact) -> bool:
        """Whether the place has not got exactly this."""
        return self.sent.get(artifact.path) != artifact

    def compare(self, found: Mapping[str, Entry]) -> None:
        """Only what a listing shows with the right size is vouched for."""
        lost = [
            p for p, a in self.sent.items() if p not in found or found[p].size_bytes != a.size_bytes
        ]
        self.forget(lost)

    def note_older(self, older: Manifest | None) -> None:
        """What an older manifest of this run names is ours to remove at the end."""
        if older is not None and self.url.endswith(f"/{older.run_id}"):
            self.stale |= {artifact.path for artifact in older.artifacts}
