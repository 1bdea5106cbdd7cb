"""Tables of JSON lines that are only ever added to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pipeline.disk.files import append_json_line
from pipeline.disk.plain import plain


def append(path: Path, value: Any) -> None:
    """The table has one more line, whole: a half line of a killed writer goes first.

    Raises:
        DiskFullError: the disk has no space for it.
    """
    _cut_half_line(path)
    append_json_line(path, plain(value))


def _cut_half_line(path: Path) -> None:
    try:
        file = path.open("rb+")
    except FileNotFoundError:
        return
    with file:
        size_bytes = file.seek(0, os.SEEK_END)
        if size_bytes == 0:
            return
        file.seek(size_bytes - 1)
        if file.read(1) != b"\n":
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
