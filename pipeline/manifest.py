"""manifest.json: what a run is, what it did, what it made. Read by people and machines."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Optional

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.disk.clock import now_iso
from pipeline.disk.files import is_temporary, sha256_of, write_atomically

FILE_NAME = "manifest.json"

# These still grow while the manifest is written; they are exported, but not vouched for.
_GROWING = {"run.log", "events.jsonl"}
_GROWING_FOLDERS = {"logs", "errors"}

Status = Literal["running", "complete", "failed", "interrupted"]


class StageRecord(BaseModel):
    """What became of a stage; further facts stand beside."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str
    status: Literal["done", "skipped", "failed"]
    seconds: float
    reason: Optional[str] = None

    @property
    def facts(self) -> dict[str, Any]:
        """What the stage told about itself."""
        return dict(self.__pydantic_extra__ or {})


class Artifact(BaseModel):
    """A file of the run folder; the path is relative and posix."""

    model_config = ConfigDict(frozen=True)

    path: str
    size_bytes: int
    sha256: str


class Failure(BaseModel):
    """Why a run ended before its end."""

    model_config = ConfigDict(frozen=True)

    type: str
    message: str
    stage: Optional[str] = None


class Manifest(BaseModel):
    """The whole record of a run; changed only by making a new one."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    run_id: str
    digest: str
    attempt: int = 1
    status: Status = "running"
    started: str
    finished: Optional[str] = None
    command: str = ""
    job: Mapping[str, str] = {}
    export_url: str = ""
    stages: tuple[StageRecord, ...] = ()
    metrics: Mapping[str, float] = {}
    artifacts: tuple[Artifact, ...] = ()
    error: Optional[Failure] = None
    inputs: tuple[Mapping[str, Any], ...] = ()
    launch: Mapping[str, Any] = {}
    environment: Mapping[str, Any] = {}
    sources: Mapping[str, str] = {}

    @property
    def ended_as(self) -> Status:
        """How a run ended that nobody works on: one that still says running was interrupted."""
        return "interrupted" if self.status == "running" else self.status

    def replaced(self, **changes: Any) -> Manifest:
        """The same record with these fields changed."""
        return self.model_copy(update=changes)

    def with_stage(self, record: StageRecord) -> Manifest:
        """The same record with this stage's record added, or put in the place of its older one."""
        if self.stage(record.name) is None:
            return self.replaced(stages=(*self.stages, record))
        stages = (record if stage.name == record.name else stage for stage in self.stages)
        return self.replaced(stages=tuple(stages))

    def stage(self, name: str) -> StageRecord | None:
        """The record of the stage, if it has one."""
        return next((stage for stage in self.stages if stage.name == name), None)

    def ended(
        self, status: Status, artifacts: tuple[Artifact, ...], error: Failure | None
    ) -> Manifest:
        """The same record at its end."""
        return self.replaced(status=status, finished=now_iso(), artifacts=artifacts, error=error)

    def as_json(self) -> str:
        """The text of manifest.json."""
        return self.model_dump_json(indent=2) + "\n"

    def write(self, folder: Path) -> None:
        """The folder's manifest is this one, atomically."""
        write_atomically(folder / FILE_NAME, self.as_json())


def read(folder: Path) -> Manifest | None:
    """The folder's manifest; None where there is none that can be read."""
    try:
        return Manifest.model_validate_json((folder / FILE_NAME).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None


def past(output_dir: Path) -> list[Manifest]:
    """The manifests of all runs in the folder, newest first; those put aside are left out."""
    if not output_dir.is_dir():
        return []
    folders = [entry for entry in os.scandir(output_dir) if entry.is_dir()]
    read_ones = [(entry.name, read(Path(entry.path))) for entry in folders]
    found = [run for name, run in read_ones if run and run.run_id == name]
    return sorted(found, key=lambda run: run.finished or run.started, reverse=True)


class Digests:
    """SHA-256 of files, computed once for each state that a file has had: size and time."""

    def __init__(self) -> None:
        self._known: dict[tuple[Path, int, int], str] = {}

    def of(self, path: Path) -> str:
        """The digest, in 64 hex digits; the file is read if it is another than before."""
        state = self._state(path)
        if state not in self._known:
            self._known[state] = sha256_of(path)
        return self._known[state]

    def knows(self, path: Path) -> bool:
        """Whether the digest can be told without reading the file."""
        return self._state(path) in self._known

    @staticmethod
    def _state(path: Path) -> tuple[Path, int, int]:
        found = path.stat()
        return path, found.st_size, found.st_mtime_ns


def artifacts_in(
    folder: Path, digests: Digests, *, only_known: bool = False
) -> tuple[Artifact, ...]:
    """Every finished file of the run folder with size and SHA-256, in the order of its paths.

    With `only_known` no file is read, and those whose digest is not known are left out.
    """
    found = []
    for name in files_in(folder):
        path = folder / name
        is_finished = name != FILE_NAME and not is_growing(name)
        if is_finished and (digests.knows(path) or not only_known):
            size_bytes = path.stat().st_size
            found.append(Artifact(path=name, size_bytes=size_bytes, sha256=digests.of(path)))
    return tuple(found)


def growing_in(folder: Path) -> list[str]:
    """The files that are exported without being vouched for, the manifest aside."""
    return [name for name in files_in(folder) if is_growing(name)]


def files_in(folder: Path) -> list[str]:
    """Every file of the run folder that others may see, by its path there."""
    return [path.relative_to(folder).as_posix() for path in sorted(_files(folder))]


def is_growing(name: str) -> bool:
    """Whether a file of the run folder, named by its path there, still grows at the end."""
    return name in _GROWING or name.split("/")[0] in _GROWING_FOLDERS


def is_intact(manifest: Manifest, folder: Path) -> bool:
    """Whether every artifact lies in the folder with its size."""
    for artifact in manifest.artifacts:
        path = folder / artifact.path
        if not path.is_file() or path.stat().st_size != artifact.size_bytes:
            return False
    return True


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if is_temporary(path.name):
            continue
        if path.is_dir():
            yield from _files(path)
        elif path.is_file():
            yield path
