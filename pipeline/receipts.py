"""Receipts: what was verified when a file landed, so that the next run need not read it again.

A receipt table is a JSON-lines file beside what it vouches for, under a dot name; lines are
only ever added, and the last one counts.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline import jsonlines


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
    """Vouches for this file as it lies there now, with these facts."""
    jsonlines.append(table_of(path), {**facts, **fingerprint(path)})


def fingerprint(path: Path) -> dict[str, int]:
    """What tells without reading that a file is still the same: size in bytes and time in ns."""
    status = path.stat()
    return {"size_bytes": status.st_size, "mtime_ns": status.st_mtime_ns}


def vouches(path: Path) -> bool:
    """Whether the file is here and still the one that its receipt speaks of."""
    receipt = last(path)
    if not receipt or not path.exists():
        return False
    now = fingerprint(path)
    if path.is_dir():
        return True
    return all(receipt.get(name) == value for name, value in now.items())
