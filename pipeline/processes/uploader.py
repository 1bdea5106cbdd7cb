"""The platform's own program that takes the output folder away while a job still runs.

C2Net has one at /cache/script_for_grampus/uploader_for_npu; what it misses, the platform takes
when the job ends, so that its failure is told and harms nothing.
"""

from __future__ import annotations

import logging
import subprocess
import threading
from pathlib import Path

log = logging.getLogger(__name__)

LONGEST_S = 600.0


class Uploader:
    """Runs the program over a folder, one child at a time, never in the way of the job."""

    def __init__(self, program: Path, folder: Path, *, longest_s: float = LONGEST_S) -> None:
        """`program` is called in its own folder with `folder`, as the platform's samples do."""
        self._program, self._folder, self._longest_s = program, folder, longest_s
        self._wanted = threading.Event()
        self._is_over = False
        self._thread: threading.Thread | None = None

    @classmethod
    def where_it_exists(cls, program: str | None, folder: Path) -> Uploader | None:
        """The uploader, if this machine has the program."""
        path = Path(program) if program else None
        return cls(path, folder) if path is not None and path.is_file() else None

    def nudge(self) -> None:
        """There is something new; several nudges during one upload are one."""
        self._wanted.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="uploader", daemon=True)
            self._thread.start()

    def finish(self, *, longest_s: float | None = None) -> None:
        """What was nudged for has been taken, or its time is over."""
        self._is_over = True
        self._wanted.set()
        if self._thread is not None:
            self._thread.join(self._longest_s if longest_s is None else longest_s)

    def _work(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            self._run_once()
            if self._is_over and not self._wanted.is_set():
                return

    def _run_once(self) -> None:
        try:
            done = subprocess.run(
                [str(self._program), f"{self._folder}/"],
                cwd=self._program.parent,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self._longest_s,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            log.warning("%s could not take %s away: %s", self._program, self._folder, error)
            return
        if done.returncode:
            words = done.stderr.decode("utf-8", "replace").strip()[-300:]
            log.warning("%s ended with %d: %s", self._program, done.returncode, words)
