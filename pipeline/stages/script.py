"""script: a script of the user's has run to its end, and what it wrote lies in the run folder."""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from collections import deque
from pathlib import Path
from typing import Any

from pipeline.context import OUTPUT, Context
from pipeline.errors import Mistake, ScriptError
from pipeline.inputs.wanted import Checkpoint
from pipeline.job import placeholders
from pipeline.job.job import Job
from pipeline.messages.console import counted, human_seconds
from pipeline.messages.spelling import first_of
from pipeline.processes import program
from pipeline.processes.stopping import OutOfTime, kept_back_s
from pipeline.publish import appearing
from pipeline.publish.appearing import Appearing
from pipeline.stage import Outlook, stage

log = logging.getLogger(__name__)

_KEY = "mode.command"
_METRICS = "metrics.json"
_LAST_LINES = 20
_LISTED = 5
_LOOK_EVERY_S = 2.0
# Asked to end, it gets this long: what it leaves has to be exported within what is left then.
_GRACE_S = 4.0


def look(context: Context) -> Outlook:
    """Done when the record says so; another command or another source is another run."""
    words = context.job.mode.command or ()
    earlier = context.earlier("script")
    if earlier is not None:
        return Outlook("it has run to its end already", "done", facts=earlier.facts)
    text = f"would run {placeholders.shown(words)}"
    return Outlook(text, mistakes=_unusable(words, context.job.root))


@stage(look=look, runs_on="every", keys=(_KEY,))
def script(
    context: Context,
    folders: tuple[Path, ...] = (),
    checkpoint: Checkpoint | None = None,
) -> None:
    """Runs the command; its files leave as they appear, its exit code counts."""
    job, output = context.job, (context.own_place or context.folder) / OUTPUT
    output.mkdir(parents=True, exist_ok=True)
    places = {
        "data": str(context.data_dir),
        "dataset": str(folders[0]) if folders else str(context.data_dir),
        "checkpoint": str(checkpoint.path) if checkpoint else "",
        "output": str(output),
    }
    command = placeholders.runnable(placeholders.fill(job.mode.command or (), places), job.root)
    said: deque[str] = deque(maxlen=_LAST_LINES)
    started_s, started_at_s = time.monotonic(), time.time()
    log.debug("starting %s", command)
    with context.stop.asked_for():
        code = program.run(
            command,
            folder=output if job.mode.in_output else job.root,
            environment=_environment(job),
            on_line=lambda line: _say(line, said),
            on_tick=_Publishing(context, output).look,
            stop_grace_s=lambda: _grace_s(context),
        )
    _tell_of_others(context, started_at_s)
    if code:
        raise ScriptError(_failure(context, code, said))
    seconds = time.monotonic() - started_s
    files = sum(1 for path in output.rglob("*") if path.is_file())
    context.record(exit_code=code, files=files)
    context.measured(_metrics(output / _METRICS))
    log.info("ran in %s and left %s", human_seconds(seconds), counted(files, "file"))


class _Publishing:
    """What the script writes is sent while it runs; only the first rank's."""

    def __init__(self, context: Context, output: Path) -> None:
        self._context, self._looked_s = context, time.monotonic()
        self._appearing = Appearing(output) if context.here.is_first else None

    def look(self) -> None:
        """Looks now and then; asked more often, it does nothing."""
        now_s = time.monotonic()
        if self._appearing is None or now_s - self._looked_s < _LOOK_EVERY_S:
            return
        self._looked_s = now_s
        whole, gone = self._appearing.settled()
        for path in whole:
            self._context.saved(path)
        for path in gone:
            self._context.pruned(path)


def _environment(job: Job) -> dict[str, str]:
    found = {**job.device.env, **os.environ}
    if job.mode.in_output:
        # For `python -m`, which looks into the folder in which it is run.
        found["PYTHONPATH"] = os.pathsep.join(
            filter(None, [str(job.root), found.get("PYTHONPATH")])
        )
    return found


def _tell_of_others(context: Context, since_s: float) -> None:
    """People hear of files that the script has written where nobody keeps them."""
    if not context.here.is_first:
        return
    job = context.job
    kept = [context.data_dir, context.output_dir, Path(job.cluster.export_url or context.folder)]
    names = appearing.names_written(job.root, since_s, without=kept)
    if names:
        log.warning(
            "also written, but neither kept nor exported: %s in %s; give the script {output} as "
            "the place for it, or write mode.in_output=true",
            first_of(names, _LISTED),
            job.root,
        )


def _say(line: str, said: deque[str]) -> None:
    said.append(line)
    log.info("%s", line)


def _grace_s(context: Context) -> float | None:
    if not context.stop.wanted_by():
        return None
    budget_s = 60 * (context.job.mode.time_budget_min or 0)
    is_out_of_time = isinstance(context.stop.reason, OutOfTime)
    return max(_GRACE_S, kept_back_s(budget_s) / 2) if is_out_of_time else _GRACE_S


def _unusable(words: tuple[str, ...], root: Path) -> tuple[Mistake, ...]:
    """What keeps the command from being started, as far as it can be told beforehand."""
    found = placeholders.script_in(words, root)
    if found is not None and not found.is_file():
        there = ", ".join(sorted(path.name for path in found.parent.glob("*.py"))[:8])
        remedy = f"in {found.parent} there is: {there}" if there else "paths count from run.py's"
        return (Mistake(_KEY, f"there is no file {found}", "", remedy),)
    is_named = bool(words) and not placeholders.is_python(words[0]) and "{" not in words[0]
    if is_named and shutil.which(placeholders.runnable(words, root)[0]) is None:
        problem = f"there is no program {words[0]!r} that can be run"
        return (Mistake(_KEY, problem, "", f"give its path from {root}, or chmod +x it"),)
    return ()


def _failure(context: Context, code: int, said: deque[str]) -> str:
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    words = placeholders.shown(context.job.mode.command or ())
    last = f"; its last words: {said[-1]}" if said else "; it said nothing"
    return f"{words}: {how}, expected 0{last}"


def _metrics(path: Path) -> dict[str, Any]:
    """The numbers of the file's top level, where the script has written it."""
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        log.warning("%s is no JSON; its metrics are not in the manifest", path.name)
        return {}
    numbers = found.items() if isinstance(found, dict) else ()
    return {
        name: value
        for name, value in numbers
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }
