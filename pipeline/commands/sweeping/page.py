"""The page of a sweep, kept up to date while its jobs run."""

from __future__ import annotations

import math
import time
from pathlib import Path

from pipeline.commands.sweeping import record
from pipeline.report import sweep_page

# It shows the curves of all runs, which takes a while to read where there are hundreds.
_EVERY_S = 10.0


class Page:
    """Makes report.html beside a sweep.json when it is told of the record."""

    def __init__(self) -> None:
        """The first time at once."""
        self._made_s = -math.inf

    def __call__(self, record_path: Path) -> None:
        """The page shows the record, if it is the last or the page before is some seconds old.

        Raises:
            SweepRecordError: the record cannot be read.
            DiskFullError: the disk has no space for the page.
        """
        found = record.read(record_path.parent)
        is_over = found is not None and found.status != "running"
        if is_over or time.monotonic() - self._made_s >= _EVERY_S:
            sweep_page.write(record_path)
            self._made_s = time.monotonic()
