"""What a library says goes where the house says things, as details."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

logger = logging.getLogger(__name__)

_LIBRARIES = ("optuna", "alembic")


class _Passing(logging.Handler):
    """Says what a library's logger says as details of this house."""

    def emit(self, record: logging.LogRecord) -> None:
        """One line."""
        logger.debug("%s: %s", record.name, record.getMessage())


_PASSING = _Passing()


@contextmanager
def passing_on() -> Iterator[None]:
    """What Optuna says goes where the house says things, and its advice into the details."""
    for name in _LIBRARIES:
        theirs = logging.getLogger(name)
        theirs.setLevel(logging.WARNING)
        theirs.handlers = [_PASSING]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        yield
    for warning in said:
        logger.debug("Optuna: %s", warning.message)
