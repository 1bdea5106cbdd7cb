"""Times as they stand in files: ISO 8601, UTC, to the millisecond; and when this process began."""

from __future__ import annotations

import time
from datetime import datetime, timezone

# On the monotonic clock; run.py imports this as one of the first things it does.
PROCESS_STARTED_S = time.monotonic()


def now_iso() -> str:
    """The present as text."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def is_time(text: str) -> bool:
    """Whether the text is a time as `now_iso` writes it.

    >>> is_time("1970-01-01T00:00:00.000Z"), is_time("1970-01-01"), is_time("now")
    (True, False, False)
    """
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).tzinfo is not None
    except ValueError:
        return False


def seconds_since(text: str) -> float:
    """How long ago a time written by `now_iso` was, in seconds.

    >>> seconds_since("1970-01-01T00:00:00.000Z") > 1e9
    True
    """
    then = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (datetime.now(timezone.utc) - then).total_seconds()
