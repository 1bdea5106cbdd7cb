"""The TensorBoard files of one run, which only repeat what the run's own records say.

A start writes the epochs so far into a new file and empties its older one, so that whatever ended
the run before, no epoch is told twice or lost. No failure here is worth the run.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from pipeline.disk.files import write_atomically
from pipeline.job.component import IMPORT_FAILURES
from pipeline.job.job import Job
from pipeline.watching import records

log = logging.getLogger(__name__)

FOLDER = "tensorboard"
# What viewers look for in a name, and by what we know our own files.
_START, _END = "events.out.tfevents", "mindrun"
_NO_CURVES = ("epoch", "step")
_OF_TEST = "test_"

Row = Mapping[str, float]


class Board:
    """Writes a run's event files; after a failure, of which it warns, nothing more."""

    def __init__(self, job: Job, run_folder: Path) -> None:
        """They lie in the run folder, or in a folder of the run's name where the cluster says."""
        chosen = job.cluster.tensorboard_dir
        self.folder = Path(chosen) / job.run_id if chosen else run_folder / FOLDER
        self._job, self._run_folder = job, run_folder
        self._file: IO[bytes] | None = None
        self._events: Any = None
        self._results: dict[str, float] = {}
        self._is_off = False

    @classmethod
    def of(cls, job: Job, run_folder: Path) -> Board | None:
        """The board of a training, where it is wanted and TensorBoard is installed."""
        is_wanted = job.tensorboard and job.mode.epochs is not None
        is_installed = is_wanted and importlib.util.find_spec("tensorboard") is not None
        return cls(job, run_folder) if is_installed else None

    def begin(self, rows: Sequence[Row]) -> None:
        """The job and the epochs so far are told, each at its own time; others may follow."""
        self._try(lambda: self._begin(rows))

    def add(self, row: Row) -> None:
        """One more epoch is told."""
        self._try(lambda: _tell(self._told(), row, time.time()))

    def results(self, metrics: Mapping[str, float]) -> None:
        """These are the final metrics, by the names that the manifest gives them."""
        self._try(lambda: self._add_results(metrics))

    def close(self) -> None:
        """Nothing is told any more; what is there is whole."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
        self._file = self._events = None

    def _begin(self, rows: Sequence[Row]) -> None:
        self.close()
        times, now_s = records.times_of(self._run_folder), time.time()
        first_s = min([now_s, *times.values()])
        content = io.BytesIO()
        told = _events(content)
        told.begin(first_s)
        told.text("config", f"```yaml\n{records.config_of(self._run_folder)}```", time_s=first_s)
        settings = records.settings_of(self._job)
        told.settings(settings, run_id=self._job.run_id, time_s=first_s)
        for row in rows:
            _tell(told, row, times.get(int(row["epoch"]), now_s))
        self._file = self._replace(content.getvalue()).open("ab")
        self._events, self._results = _events(self._file), {}

    def _told(self) -> Any:
        """What tells more; a start that had nothing to train begins with what was recorded."""
        if self._events is None:
            self._begin(records.rows_of(self._run_folder))
        return self._events

    def _add_results(self, metrics: Mapping[str, float]) -> None:
        new = {name: v for name, v in metrics.items() if self._results.get(name) != v}
        if new:
            rows = records.rows_of(self._run_folder)
            values = {f"final/{name}": value for name, value in new.items()}
            step = int(rows[-1]["epoch"]) if rows else 0
            self._told().numbers(values, step=step, time_s=time.time())
            self._results.update(new)

    def _replace(self, content: bytes) -> Path:
        """A new file, later by its name than all before, takes the place of those.

        A viewer that reads the last one would wait for ever if it were gone; it is emptied.
        """
        older = sorted(self.folder.glob(f"{_START}.*.{_END}"))
        path = self.folder / f"{_START}.{time.time_ns() // 1000}.{_END}"
        write_atomically(path, content)
        for found in older:
            if found.stat().st_size:
                os.truncate(found, 0)
            else:
                found.unlink()
        return path

    def _try(self, work: Callable[[], object]) -> None:
        if self._is_off:
            return
        try:
            work()
        except _failures() as error:
            self._is_off = True
            self.close()
            log.warning(
                "no more TensorBoard files are written in %s (%s: %s); the run is not affected",
                *(self.folder, type(error).__name__, error),
            )


def _events(file: IO[bytes]) -> Any:
    # Imported here first: whoever does not train, or has no TensorBoard, does not pay for it.
    return importlib.import_module("pipeline.watching.event_files").EventFile(file)


def _tell(told: Any, row: Row, time_s: float) -> None:
    values = {_tag(name): value for name, value in row.items() if name not in _NO_CURVES}
    told.numbers(values, step=int(row["epoch"]), time_s=time_s)


def _tag(name: str) -> str:
    """The curve of a row's column.

    >>> [_tag(name) for name in ("loss", "samples_per_s", "test_accuracy")]
    ['train/loss', 'train/samples_per_s', 'test/accuracy']
    """
    is_of_test = name.startswith(_OF_TEST)
    return f"test/{name[len(_OF_TEST) :]}" if is_of_test else f"train/{name}"


def _failures() -> tuple[type[BaseException], ...]:
    """What importing and writing may end with; also code that was made for another protobuf."""
    module = sys.modules.get("google.protobuf.runtime_version")
    found = getattr(module, "VersionError", None)
    return (*IMPORT_FAILURES, found) if found is not None else IMPORT_FAILURES
