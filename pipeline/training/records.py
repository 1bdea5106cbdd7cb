"""The records beside training states: what they vouch for, and how far the training had come."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.disk.files import sha256_of
from pipeline.errors import CheckpointError
from pipeline.training.device import Engine
from pipeline.training.plan import Row

# Columns of a row that tell how fast the machine was.
_TIMES = ("seconds", "samples_per_s")


@dataclass(frozen=True)
class Partial:
    """An epoch that has begun: its steps so far and what they add up to."""

    steps: int
    loss_sum: float
    right: int
    seconds: float
    # The place in the epoch's order means nothing where these are other ones.
    steps_per_epoch: int
    samples_per_step: int


@dataclass(frozen=True)
class Progress:
    """How far a training has come; one row per whole epoch from the first."""

    epoch: int
    step: int
    seed: int
    precision: str
    engine: Engine
    rows: Sequence[Row]
    ranks: int = 1
    partial: Partial | None = None

    @property
    def reached(self) -> tuple[int, int]:
        """Whole epochs, and steps of the next one."""
        return self.epoch, self.partial.steps if self.partial else 0

    def differences(self, other: Progress) -> list[str]:
        """What of `other` would change the exact results from here on, as "name: was -> is"."""
        was, now = self._settings(), other._settings()
        return [f"{name}: {was[name]} -> {now[name]}" for name in was if was[name] != now[name]]

    def without_times(self) -> Progress:
        """The same, without what differs between two equal trainings."""
        rows = [{n: v for n, v in row.items() if n not in _TIMES} for row in self.rows]
        partial = replace(self.partial, seconds=0.0) if self.partial else None
        return replace(self, rows=rows, partial=partial)

    def as_json(self) -> str:
        """The text that `progress_of` reads, once it is parsed."""
        return json.dumps(asdict(self), ensure_ascii=False)

    def _settings(self) -> dict[str, Any]:
        names = ("precision", "seed", "ranks")
        return {**asdict(self.engine), **{name: getattr(self, name) for name in names}}


@dataclass(frozen=True)
class Saved:
    """A state on the disk that its record vouches for."""

    path: Path
    progress: Progress
    sha256: str
    size_bytes: int

    @property
    def record_path(self) -> Path:
        """The record beside it."""
        return self.path.with_suffix(".json")

    def as_record(self) -> dict[str, Any]:
        """What `saved_of` reads."""
        sums = {"sha256": self.sha256, "size_bytes": self.size_bytes}
        return {**asdict(self.progress), **sums}


def of_file(path: Path, progress: Progress, *, content: Path | None = None) -> Saved:
    """The state that lies at `path`, or will: its bytes are those of `content`."""
    source = content or path
    return Saved(path, progress, sha256_of(source), source.stat().st_size)


def saved_of(path: Path, record: Mapping[str, Any]) -> Saved:
    """The state at `path` as its record tells of it; whether that holds is not looked at.

    Raises:
        CheckpointError: the record lacks something.
    """
    try:
        rest = {n: v for n, v in record.items() if n not in ("sha256", "size_bytes")}
        return Saved(path, progress_of(rest), str(record["sha256"]), int(record["size_bytes"]))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(
            f"the record of {path.name} cannot be read ({error}); expected one that this pipeline "
            f"wrote. Remove it, or fetch it again."
        ) from error


def progress_of(record: Mapping[str, Any]) -> Progress:
    """How far a training had come by a record's words.

    Raises:
        CheckpointError: its rows are not one per epoch.
        ValueError, TypeError, KeyError, AttributeError: it is no such record.
    """
    partial = record.get("partial")
    parts = {
        "engine": Engine(**record["engine"]),
        "partial": Partial(**partial) if partial else None,
    }
    progress = Progress(**{**record, **parts})
    epochs = [row["epoch"] for row in progress.rows]
    has_rows = bool(epochs) or progress.partial is not None
    is_whole = has_rows and epochs == list(range(1, progress.epoch + 1))
    if not is_whole or not all(math.isfinite(row["loss"]) for row in progress.rows):
        raise CheckpointError(
            f"its rows are of epochs {epochs}, expected 1 to {progress.epoch} with finite losses"
        )
    return progress


def damage(saved: Saved) -> str | None:
    """What is wrong with the bytes on the disk; None if nothing is."""
    if not saved.path.is_file():
        return "the file is gone"
    size_bytes = saved.path.stat().st_size
    if size_bytes != saved.size_bytes:
        return f"it has {size_bytes} bytes, its record says {saved.size_bytes}"
    return None if sha256_of(saved.path) == saved.sha256 else "its sha256 is not the recorded one"
