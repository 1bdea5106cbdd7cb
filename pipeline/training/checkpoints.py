"""Training states on the disk: `<name>-<epoch>.ckpt`, a record beside it, and `index.json`.

`state.ckpt` is the one state from within an epoch. A record vouches for the bytes; nothing
without one is trusted. Nothing here imports MindSpore, so that a runner can tell cheaply what
there is.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.disk.files import is_temporary, naming_full_disk, replacing, write_json
from pipeline.training import records
from pipeline.training.plan import Plan, Row, score
from pipeline.training.records import Partial, Progress, Saved

__all__ = ["Partial", "Progress", "Row", "Saved"]

log = logging.getLogger(__name__)

INDEX_NAME = "index.json"
STATE_NAME = "state.ckpt"

_EVERY_EPOCH_OF = Plan()


def save(
    folder: Path,
    name: str,
    progress: Progress,
    write: Callable[[Path], None],
    *,
    monitored: str = "loss",
) -> Saved:
    """The folder holds the checkpoint that `write` makes, its record, and a fresh index.

    The best in the index is the best by the rows' column `monitored`.

    Raises:
        DiskFullError: no space is left in the folder; the checkpoints before are as they were.
    """
    path = path_of(folder, name, progress.epoch)
    with naming_full_disk(path):
        # An older record must not vouch for the new checkpoint, not even for an instant.
        path.with_suffix(".json").unlink(missing_ok=True)
        with replacing(path) as temporary_path:
            _write(write, temporary_path)
        saved = records.of_file(path, progress)
        write_json(saved.record_path, saved.as_record())
    write_index(folder, name, monitored=monitored)
    return saved


def save_state(folder: Path, name: str, progress: Progress, write: Callable[[Path], None]) -> Saved:
    """The folder's one state from within an epoch is the one that `write` makes.

    Its record vouches for the state before as well until the new one has taken its place, so that
    a kill at any moment leaves one of the two.

    Raises:
        DiskFullError: no space is left in the folder; the state before is as it was.
    """
    path = folder / STATE_NAME
    before = [saved.as_record() for saved in _states(folder, name)[:1]]
    with naming_full_disk(path), replacing(path) as temporary_path:
        _write(write, temporary_path)
        saved = records.of_file(path, progress, content=temporary_path)
        write_json(saved.record_path, {"name": name, "states": [saved.as_record(), *before]})
    return saved


def remove_state(folder: Path) -> list[Path]:
    """No state from within an epoch is left; what there was of it."""
    path = folder / STATE_NAME
    return _remove([path, path.with_suffix(".json")])


def path_of(folder: Path, name: str, epoch: int) -> Path:
    """Where the checkpoint of an epoch lies, or will lie."""
    return folder / f"{name}-{epoch}.ckpt"


def newest(folder: Path, name: str, *, last_epoch: int | None = None) -> Saved | None:
    """The good state that has come furthest (up to `last_epoch`), from within an epoch or not."""
    states = [s for s in _states(folder, name) if not last_epoch or s.progress.epoch < last_epoch]
    whole = newest_good(folder, name, last_epoch=last_epoch)
    ahead = [s for s in states if whole is None or s.progress.reached > whole.progress.reached]
    good = [s for s in ahead if records.damage(s) is None]
    if ahead and not good:
        log.warning("passed over state %s: %s", ahead[0].path, records.damage(ahead[0]))
    return good[0] if good else whole


def newest_good(folder: Path, name: str, *, last_epoch: int | None = None) -> Saved | None:
    """The checkpoint of the highest epoch (up to `last_epoch`) whose bytes are as recorded."""
    for saved in sorted(_recorded(folder, name), key=_epoch, reverse=True):
        if last_epoch is not None and saved.progress.epoch > last_epoch:
            continue
        problem = records.damage(saved)
        if problem is None:
            return saved
        log.warning("passed over checkpoint %s: %s", saved.path, problem)
    return None


def finished(folder: Path, name: str, epochs: int, plan: Plan = _EVERY_EPOCH_OF) -> Path | None:
    """The last checkpoint, if its bytes are whole and by its plan nothing is left to train."""
    saved = newest_good(folder, name, last_epoch=epochs)
    return saved.path if saved and plan.is_over(saved.progress.rows, epochs) else None


def recorded_at(path: Path) -> Progress | None:
    """What a good record beside this file says of it, wherever it lies."""
    record_path = path.with_suffix(".json")
    found = _read(record_path) if record_path.is_file() else []
    return next((s.progress for s in found if records.damage(s) is None), None)


def rows(folder: Path, name: str, *, last_epoch: int | None = None) -> list[Row]:
    """The metric rows up to the furthest good state: epochs 1, 2, ... without a gap."""
    saved = newest(folder, name, last_epoch=last_epoch)
    return list(saved.progress.rows) if saved is not None else []


def prune(folder: Path, name: str, *, keep: int, monitored: str = "loss") -> list[Path]:
    """All but the newest `keep` checkpoints and the best are gone; the files that were removed.

    The newest record holds the rows of all epochs, so no row is lost.
    """
    recorded = _present(folder, name)
    if not recorded:
        return []
    kept = {saved.progress.epoch for saved in recorded[-keep:]}
    kept.add(_best(recorded, monitored).progress.epoch)
    last = recorded[-1].progress.epoch
    gone = [n for n in _epochs_with_files(folder, name) if n not in kept and n < last]
    paths = [path_of(folder, name, epoch) for epoch in gone]
    # The record goes first: nothing may vouch for a file that is gone.
    return _remove([p for path in paths for p in (path.with_suffix(".json"), path)])


def write_index(folder: Path, name: str, *, monitored: str = "loss") -> Path:
    """index.json names the best and the last of the checkpoints that lie there."""
    write_json(folder / INDEX_NAME, _index(folder, name, monitored))
    return folder / INDEX_NAME


def has_true_index(folder: Path, name: str, *, monitored: str = "loss") -> bool:
    """Whether it does; a kill between a checkpoint and its index leaves an older one."""
    try:
        found = json.loads((folder / INDEX_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    return _index(folder, name, monitored) in (found, None)


def remove_unfinished(folder: Path, name: str) -> None:
    """No temporary file of a killed save is left."""
    ours = (f".{name}-", f".{INDEX_NAME}", f".{Path(STATE_NAME).stem}.")
    for path in folder.glob(".*"):
        if is_temporary(path.name) and path.name.startswith(ours):
            path.unlink()


def _write(write: Callable[[Path], None], path: Path) -> None:
    # MindSpore adds the suffix where it is missing, and removes what has the name.
    written_path = path.with_name(f"{path.name}.ckpt")
    try:
        write(written_path)
        written_path.replace(path)
    finally:
        # Where it fails, MindSpore leaves a temporary file of its own.
        for left_path in (written_path, written_path.with_suffix(".tmp")):
            left_path.unlink(missing_ok=True)


def _remove(paths: list[Path]) -> list[Path]:
    found = [path for path in paths if path.exists()]
    for path in found:
        path.unlink()
    return found


def _index(folder: Path, name: str, monitored: str) -> dict[str, Any] | None:
    recorded = _present(folder, name)
    if not recorded:
        return None
    return {"best": _entry(_best(recorded, monitored)), "last": _entry(recorded[-1])}


def _entry(saved: Saved) -> dict[str, Any]:
    return {"path": saved.path.name, **saved.progress.rows[-1], "sha256": saved.sha256}


def _best(recorded: list[Saved], monitored: str) -> Saved:
    """Of equals the earliest."""
    measured = [saved for saved in recorded if monitored in saved.progress.rows[-1]]
    metric, among = (monitored, measured) if measured else ("loss", recorded)
    return max(among, key=lambda s: (score(s.progress.rows[-1], metric), -s.progress.epoch))


def _epoch(saved: Saved) -> int:
    return saved.progress.epoch


def _epochs_with_files(folder: Path, name: str) -> list[int]:
    pattern = re.compile(re.escape(name) + r"-(\d+)\.(?:ckpt|json)")
    matches = [pattern.fullmatch(path.name) for path in folder.iterdir()]
    return sorted({int(match[1]) for match in matches if match})


def _recorded(folder: Path, name: str) -> list[Saved]:
    """Every checkpoint of this name with a readable record, in no order."""
    paths = [path for path in folder.glob("*.json") if path.name.startswith(f"{name}-")]
    found = [saved for path in paths for saved in _read(path)]
    # A record tells its own epoch, and must lie where that epoch's record belongs.
    return [s for s in found if s.path.name == f"{name}-{s.progress.epoch}.ckpt"]


def _present(folder: Path, name: str) -> list[Saved]:
    """Every checkpoint with a record that has not lost its file, in the order of epochs."""
    return sorted((s for s in _recorded(folder, name) if s.path.is_file()), key=_epoch)


def _states(folder: Path, name: str) -> list[Saved]:
    """What may lie in state.ckpt, the newer first."""
    path = folder / STATE_NAME
    return _read(path.with_suffix(".json"), name) if path.is_file() else []


def _read(path: Path, owner: str | None = None) -> list[Saved]:
    """The states that a record tells of; none, with a warning, if it cannot be read."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if owner is not None and record["name"] != owner:
            return []
        found = record.get("states", [record])
        return [records.saved_of(path.with_suffix(".ckpt"), one) for one in found]
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        log.warning("passed over checkpoint record %s: not readable (%s)", path, error)
        return []
