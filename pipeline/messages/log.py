"""Where log lines go: the terminal, run.log for people, events.jsonl for machines."""

from __future__ import annotations

import logging
import logging.handlers
import sys
import time
from pathlib import Path
from typing import Any

from pipeline.disk import jsonlines
from pipeline.disk.clock import now_iso
from pipeline.disk.plain import plain
from pipeline.messages.masking import mask, masked

_ROOT = "pipeline"
# More than are said before a run folder is open; whatever is older is dropped.
_EARLY_LINES = 1000


class _Masking(logging.Formatter):
    """The last thing that sees a line before people do, so that no credential gets past it."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        return mask(super().format(record))


class _Terminal(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to whatever standard error is when the line is written."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.setFormatter(_Masking("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


class _Early(logging.handlers.BufferingHandler):
    """Keeps what is said before there is a run folder, for its run.log."""

    def __init__(self) -> None:
        super().__init__(capacity=_EARLY_LINES)

    def pass_on(self, handler: logging.Handler) -> None:
        """The other one says all of it."""
        for record in self.buffer:
            handler.handle(record)
        self.buffer = []


class _RunLog(logging.FileHandler):
    """Writes run.log; a full disk is told by whoever writes results, not once per line."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, encoding="utf-8")
        self.setFormatter(_Masking("%(asctime)sZ %(levelname)-7s %(message)s", "%Y-%m-%dT%H:%M:%S"))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's own name
        """Says nothing."""


def to_terminal(level: int = logging.INFO) -> None:
    """Log lines of this house are shown on standard error."""
    logger = logging.getLogger(_ROOT)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    _remove(logger, _Terminal)
    _remove(logger, _Early)
    handler = _Terminal()
    handler.setLevel(level)
    logger.addHandler(handler)
    logger.addHandler(_Early())


def to_folder(folder: Path | None) -> None:
    """Log lines go to this run folder's run.log, and to no other any more."""
    to_file(folder / "run.log" if folder is not None else None)


def to_file(path: Path | None) -> None:
    """Log lines go to this file, and to no other any more."""
    logger = logging.getLogger(_ROOT)
    logger.setLevel(logging.DEBUG)
    _remove(logger, _RunLog)
    if path is not None:
        handler = _RunLog(path)
        for early in [h for h in logger.handlers if isinstance(h, _Early)]:
            early.pass_on(handler)
            logger.removeHandler(early)
        logger.addHandler(handler)


def event(folder: Path, name: str, /, **facts: Any) -> None:
    """One thing that happened, as a line of events.jsonl."""
    line = {"time": now_iso(), "event": name, **masked(plain(facts))}
    jsonlines.append(folder / "events.jsonl", line)


def _remove(logger: logging.Logger, kind: type[logging.Handler]) -> None:
    for handler in [h for h in logger.handlers if type(h) is kind]:
        logger.removeHandler(handler)
        handler.close()
