"""How a job ended, from its process's ending and from what it wrote into its run folder."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from pathlib import Path

from pipeline import errors, manifest
from pipeline.commands.sweeping.engines.protocol import Ending
from pipeline.commands.sweeping.record import JobRecord
from pipeline.manifest import Failure, Manifest
from pipeline.messages.masking import mask

_STOPPED = {errors.INTERRUPTED, errors.TERMINATED, errors.OUT_OF_TIME}
_STOPPING_SIGNALS = {signal.SIGINT, signal.SIGTERM}
_LIKELY = {
    "SIGKILL": "out of memory?",
    "SIGSEGV": "a crash in compiled code",
    "SIGBUS": "a crash in compiled code, or a full disk",
    "SIGABRT": "compiled code gave up; its last words are in the log",
    "SIGILL": "an instruction that this processor does not have",
}
_SHELL = 128
_LAST_BYTES = 4000


def judged(
    entry: JobRecord, ending: Ending, *, began: str, log: Path, log_start: int = 0
) -> JobRecord:
    """The job's record after its process ended, which had begun at `began`.

    Only what was written since then counts: of the manifest, and of the log from `log_start` on.
    """
    code, folder = ending.exit_code, Path(entry.folder)
    found = manifest.read(folder)
    fresh = found if found is not None and (found.finished or "") >= began else None
    metrics: Mapping[str, float] = found.metrics if found else {}
    entry = entry.replaced(exit_code=code, metrics=metrics)
    if code == errors.DONE and found is not None and found.status == "complete":
        return entry.replaced(status="complete", error=None)
    killer = _killer(code)
    is_stopped = code in _STOPPED or killer in _STOPPING_SIGNALS
    # Where the engine has words, what the run says of its own end is but what followed from it.
    error = fresh.error if fresh is not None and not ending.words else None
    if error is None:
        error = _unwritten(ending, killer, found, folder) or _from_log(code, log, log_start)
    return entry.replaced(status="interrupted" if is_stopped else "failed", error=error)


def _unwritten(ending: Ending, killer: int, found: Manifest | None, folder: Path) -> Failure | None:
    """The end of a process that could not tell of it itself."""
    if ending.words:
        return Failure(type="Engine", message=mask(ending.words), stage=_stage_at_work(folder))
    if killer:
        message = f"killed by {_name(killer)}"
        likely = _LIKELY.get(_name(killer), "")
        message += f" ({likely})" if likely else ""
        return Failure(type="Killed", message=message, stage=_stage_at_work(folder))
    if ending.exit_code == errors.DONE:
        status = found.status if found else "not there"
        message = (
            f"the process ended with exit code 0, but its record is {status}: "
            "something in it has ended the process (os._exit?)"
        )
        return Failure(type="Exit", message=message, stage=_stage_at_work(folder))
    return None


def _killer(code: int) -> int:
    """The signal that killed the process, or one that it started, as a shell tells; 0: none."""
    if code < 0:
        return -code
    is_told = code > _SHELL and code not in _STOPPED
    return code - _SHELL if is_told and _name(code - _SHELL).startswith("SIG") else 0


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _from_log(code: int, log: Path, start: int) -> Failure:
    """The last words of a process that failed before it had a record, or outside of it."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(start, size - _LAST_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        text = ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if code == errors.WRONG_JOB and lines:
        heads = [number for number, line in enumerate(lines) if line.endswith("nothing ran:")]
        lines = lines[heads[-1] + 1 :] if heads else lines
        return Failure(type="ConfigError", message=mask("; ".join(lines)))
    last = lines[-1] if lines else "it said nothing"
    return Failure(type="Exit", message=mask(f"ended with exit code {code}; {last}"))


def _stage_at_work(folder: Path) -> str | None:
    """The stage that began and did not end, by the run's events."""
    try:
        lines = (folder / "events.jsonl").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if isinstance(told, dict) and told.get("event") == "stage_started":
            return str(told.get("stage"))
        if isinstance(told, dict) and told.get("event") in ("stage_ended", "run_started"):
            return None
    return None
