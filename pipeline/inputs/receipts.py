"""Receipts: what was verified when a file or folder landed, so that nobody need read it again.

A receipt table is a JSON-lines file beside what it vouches for, under a dot name; lines are
only ever added, and the last one counts.

A file is vouched for while its size and time stay. A folder is vouched for while no fewer entries
lie in its first two levels than when it landed; more may, for programs leave their caches beside
data. What was changed deeper down is the loader's to notice, which reads it anyway: to look at
every file of ImageNet takes minutes.
"""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path
from typing import Any

from pipeline.disk import jsonlines

# So many entries are counted at most, which takes some milliseconds.
_MOST_ENTRIES = 20_000


def table_of(path: Path) -> Path:
    """The receipt table of this file or folder."""
    return path.with_name(f".{path.name}.receipts.jsonl")


def last(path: Path) -> dict[str, Any]:
    """The receipt that counts for this file or folder; empty when there is none to trust."""
    try:
        lines = table_of(path).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    for line in reversed(lines):
        # A killed writer can leave half a line; the one before it still holds.
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            return found
    return {}


def add(path: Path, **facts: Any) -> None:
    """Vouches for this file or folder as it lies there now, with these facts."""
    entries = {"entries": entries_in(path)} if path.is_dir() else {}
    jsonlines.append(table_of(path), {**facts, **fingerprint(path), **entries})


def withdraw(path: Path, why: str) -> None:
    """From now on nothing vouches for what lies there; `why` is told as its damage."""
    jsonlines.append(table_of(path), {**last(path), "withdrawn": why})


def fingerprint(path: Path) -> dict[str, int]:
    """What tells without reading that a file is still the same: size in bytes and time in ns."""
    status = path.stat()
    return {"size_bytes": status.st_size, "mtime_ns": status.st_mtime_ns}


def vouches(path: Path) -> bool:
    """Whether the file or folder is here and still the one that its receipt speaks of."""
    return bool(last(path)) and path.exists() and not damage(path)


def damage(path: Path) -> str:
    """What has happened to it since its receipt was written; empty if nothing that can be told."""
    receipt = last(path)
    if receipt.get("withdrawn"):
        return str(receipt["withdrawn"])
    if path.is_dir():
        was, now = receipt.get("entries", 0), entries_in(path)
        return f"{was - now} of {was} files and folders in it are gone" if now < was else ""
    now_there = fingerprint(path)
    if now_there["size_bytes"] != receipt.get("size_bytes"):
        return f"it has {now_there['size_bytes']} bytes, and had {receipt.get('size_bytes')}"
    return "it was written to" if now_there["mtime_ns"] != receipt.get("mtime_ns") else ""


def entries_in(folder: Path) -> int:
    """How many files and folders lie in the folder and in its subfolders, no deeper."""
    with os.scandir(folder) as found:
        first = list(itertools.islice(found, _MOST_ENTRIES))
    count = len(first)
    for entry in first:
        if count < _MOST_ENTRIES and entry.is_dir(follow_symlinks=False):
            with os.scandir(entry) as found:
                count += sum(1 for _ in itertools.islice(found, _MOST_ENTRIES - count))
    return count
