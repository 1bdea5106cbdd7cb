"""How a run ended: its outcome, and the words and exit code for what ended it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline import errors
from pipeline.errors import MindRunError
from pipeline.manifest import Manifest
from pipeline.messages.masking import mask
from pipeline.processes.stopping import OutOfTime, Terminated


@dataclass(frozen=True)
class Outcome:
    """How a run ended; `was_done` means that there was nothing to do."""

    exit_code: int
    folder: Path
    manifest: Manifest
    was_done: bool = False


def message_of(error: BaseException) -> str:
    """What ended a run, in words."""
    if isinstance(error, OutOfTime):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "terminated (SIGTERM)" if isinstance(error, Terminated) else "interrupted (Ctrl-C)"
    if isinstance(error, SystemExit):
        return f"the stage called sys.exit({error.code!r}); expected it to return or to raise"
    return mask(str(error)) or type(error).__name__


def exit_code_of(error: BaseException | None) -> int:
    """The exit code of a run that ended so."""
    if error is None:
        return errors.DONE
    if isinstance(error, OutOfTime):
        return errors.OUT_OF_TIME
    if isinstance(error, KeyboardInterrupt):
        return errors.TERMINATED if isinstance(error, Terminated) else errors.INTERRUPTED
    # A stage has run, so the job is no longer one of which nothing ran.
    code = error.exit_code if isinstance(error, MindRunError) else errors.FAILED
    return errors.FAILED if code == errors.WRONG_JOB else code
