"""Training states on the disk: `<name>-<epoch>.ckpt`, a record beside it, and `index.json`.

The record is written after the checkpoint and vouches for it; nothing without one is trusted.
Nothing here imports MindSpore, so that a runner can tell cheaply what there is.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import CheckpointError
from pipeline.files import (
    is_temporary,
    naming_full_disk,
    replacing,
    sha256_of,
    write_json,
)
from pipeline.training.device import Engine

log = logging.getLogger(__name__)

INDEX_NAME = "index.json"

Row = dict[str, float]


@dataclass(frozen=True)
class Progress:
    """How far a training has come; one row per epoch from the first."""

    epoch: int
    step: int
    seed: int
    precision: str
    engine: Engine
    rows: Sequence[Row]
    ranks: int = 1

    def differences(self, other: Progress) -> list[str]:
        """What of `other` would change the exact results from here on, as "name: was -> is"."""
        was, now = self._settings(), other._settings()
        return [f"{name}: {was[name]} -> {now[name]}" for name in was if was[name] != now[name]]

    def _settings(self) -> dict[str, Any]:
        names = ("precision", "seed", "ranks")
        return {**asdict(self.engine), **{name: getattr(self, name) for name in names}}


@dataclass(frozen=True)
class Saved:
    """A checkpoint that its record vouches for."""

    path: Path
    progress: Progress
    sha256: str
    size_bytes: int

    @property
    def record_path(self) -> Path:
        """The record beside it."""
        return self.path.with_suffix(".json")

    @property
    def loss(self) -> float:
        """The mean training loss of its epoch."""
        return self.progress.rows[-1]["loss"]


def save(folder: Path, name: str, progress: Progress, write: Callable[[Path], None]) -> Saved:
    """The folder holds the checkpoint that `write` makes, its record, and a fresh index.

    Raises:
        DiskFullError: no space is left in the folder.
    """
    path = path_of(folder, name, progress.epoch)
    with naming_full_disk(path):
        # An older record must not vouch for the new checkpoint, not even for an instant.
        path.with_suffix(".json").unlink(missing_ok=True)
        with replacing(path) as temporary_path:
            # MindSpore adds the suffix where it is missing, and removes what has the name.
            written_path = temporary_path.with_name(f"{temporary_path.name}.ckpt")
            write(written_path)
            written_path.replace(temporary_path)
    saved = Saved(path, progress, sha256_of(path), path.stat().st_size)
    record = {**asdict(progress), "sha256": saved.sha256, "size_bytes": saved.size_bytes}
    write_json(path.with_suffix(".json"), record)
    _write_index(folder, name)
    return saved


def path_of(folder: Path, name: str, epoch: int) -> Path:
    """Where the checkpoint of an epoch lies, or will lie."""
    return folder / f"{name}-{epoch}.ckpt"


def newest_good(folder: Path, name: str, *, last_epoch: int | None = None) -> Saved | None:
    """The checkpoint of the highest epoch (up to `last_epoch`) whose bytes are as recorded."""
    for saved in sorted(_recorded(folder, name), key=lambda s: s.progress.epoch, reverse=True):
        if last_epoch is not None and saved.progress.epoch > last_epoch:
            continue
        problem = _damage(saved)
        if problem is None:
            return saved
        log.warning("passed over checkpoint %s: %s", saved.path, problem)
    return None


def finished(folder: Path, name: str, epochs: int) -> Path | None:
    """The last epoch's checkpoint if training has come that far and its bytes are whole."""
    saved = newest_good(folder, name, last_epoch=epochs)
    return saved.path if saved is not None and saved.progress.epoch == epochs else None


def rows(folder: Path, name: str, *, last_epoch: int | None = None) -> list[Row]:
    """The metric rows up to the newest good checkpoint: epochs 1, 2, ... without a gap."""
    saved = newest_good(folder, name, last_epoch=last_epoch)
    return list(saved.progress.rows) if saved is not None else []


def best(folder: Path, name: str) -> Path | None:
    """The checkpoint of the lowest training loss among those recorded."""
    candidates = _recorded(folder, name)
    return min(candidates, key=_by_loss).path if candidates else None


def remove_unfinished(folder: Path, name: str) -> None:
    """No temporary file of a killed save is left."""
    for path in folder.glob(".*"):
        if is_temporary(path.name) and path.name.startswith((f".{name}-", f".{INDEX_NAME}")):
            path.unlink()


def _write_index(folder: Path, name: str) -> None:
    recorded = _recorded(folder, name)
    best_one, last = min(recorded, key=_by_loss), max(recorded, key=lambda s: s.progress.epoch)
    write_json(folder / INDEX_NAME, {"best": _entry(best_one), "last": _entry(last)})


def _entry(saved: Saved) -> dict[str, Any]:
    return {"path": saved.path.name, **saved.progress.rows[-1], "sha256": saved.sha256}


def _by_loss(saved: Saved) -> tuple[float, int]:
    return (saved.loss, saved.progress.epoch)


def _recorded(folder: Path, name: str) -> list[Saved]:
    """Every checkpoint of this name with a readable record, in no order."""
    paths = [path for path in folder.glob("*.json") if path.name.startswith(f"{name}-")]
    found = [_read(path) for path in paths]
    # A record tells its own epoch, and must lie where that epoch's record belongs.
    return [s for s in found if s and s.path.name == f"{name}-{s.progress.epoch}.ckpt"]


def _read(path: Path) -> Saved | None:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        sha256, size_bytes = str(record.pop("sha256")), int(record.pop("size_bytes"))
        progress = Progress(**{**record, "engine": Engine(**record["engine"])})
        _check_rows(progress)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        log.warning("passed over checkpoint record %s: not readable (%s)", path, error)
        return None
    return Saved(path.with_suffix(".ckpt"), progress, sha256, size_bytes)


def _check_rows(progress: Progress) -> None:
    epochs = [row["epoch"] for row in progress.rows]
    is_whole = bool(epochs) and epochs == list(range(1, progress.epoch + 1))
    if not is_whole or not math.isfinite(progress.rows[-1]["loss"]):
        raise CheckpointError(f"its rows are of epochs {epochs}, expected 1 to {progress.epoch}")


def _damage(saved: Saved) -> str | None:
    if not saved.path.is_file():
        return "the file is gone"
    size_bytes = saved.path.stat().st_size
    if size_bytes != saved.size_bytes:
        return f"it has {size_bytes} bytes, its record says {saved.size_bytes}"
    return None if sha256_of(saved.path) == saved.sha256 else "its sha256 is not the recorded one"
