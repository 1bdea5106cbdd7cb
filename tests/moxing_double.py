"""Puts the stand-in for moxing (see `tests/doubles/moxing`) where `import moxing` finds it."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

DOUBLES = Path(__file__).parent / "doubles"


class Double:
    """One world of buckets; a test makes it fail and reads what was asked of it."""

    def __init__(self, root: Path) -> None:
        """Takes the folder of the buckets; there is one, called `bucket`."""
        self.root = root
        self.bucket = root / "bucket"
        self.bucket.mkdir(parents=True)

    def fail(self, **faults: Any) -> None:
        """From now on these go wrong, counted anew."""
        (self.root / ".happened").unlink(missing_ok=True)
        (self.root / ".faults.json").write_text(json.dumps(faults))

    def fill(self, **files: bytes) -> None:
        """The bucket holds these files; two underscores stand for a slash."""
        for name, content in files.items():
            path = self.bucket / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def calls(self, name: str) -> list[list[str]]:
        """The calls of this name, each with its source and target."""
        path = self.root / ".calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [call for call in map(json.loads, lines) if call[0] == name]


@contextlib.contextmanager
def moxing_double(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Double]:
    """Buckets below `root`, reached by a moxing that this process and its children find."""
    double = Double(root)
    monkeypatch.setenv("MOXING_DOUBLE_ROOT", str(root))
    paths = (str(DOUBLES), os.environ.get("PYTHONPATH", ""))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in paths if path))
    with installed(DOUBLES, monkeypatch):
        yield double


@contextlib.contextmanager
def installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What lies in the folder can be imported, and no helper process from before is used."""
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    importlib.invalidate_caches()
    forget()
    try:
        yield
    finally:
        forget()


def forget() -> None:
    """Ends the helper processes, which keep the environment that they were started in."""
    from pipeline.storage.moxing import helper, presence

    helper.helpers.end()
    presence._problem_of.cache_clear()
