"""A job whose time in the live export is counted: python -m benchmarks.trainings.watched FILE ...

FILE gets the seconds that the main thread spent handing files over, waits for locks included;
the other words are run.py's, where {unique} stands for a name that is new each time.
"""

from __future__ import annotations

import functools
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.measure import ROOT
from pipeline import bootstrap
from pipeline.publish import LiveExport


class Stopwatch:
    """Adds up what calls take."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def timed(self, method: Callable[..., None]) -> Callable[..., None]:
        """The same method, whose time counts."""

        @functools.wraps(method)
        def call(*arguments: object) -> None:
            started = time.perf_counter()
            try:
                method(*arguments)
            finally:
                self.seconds += time.perf_counter() - started

        return call


def main(path: str, *words: str) -> int:
    """Runs the job; gives its exit code."""
    stopwatch = Stopwatch()
    for name in ("saved", "pruned"):
        setattr(LiveExport, name, stopwatch.timed(getattr(LiveExport, name)))
    unique: Sequence[str] = [word.replace("{unique}", uuid.uuid4().hex) for word in words]
    exit_code = bootstrap.start(unique, str(ROOT / "run.py"))
    Path(path).write_text(str(stopwatch.seconds), encoding="utf-8")
    return exit_code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
