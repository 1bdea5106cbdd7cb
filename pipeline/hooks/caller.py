"""Calls a job's hooks: beside the job, with a deadline, and each failure is one warning.

A hook is anybody's code: it may raise, hang, print, exit or kill its process. So that none of this
reaches the job, every call is a process of its own, in a group of its own, which ends with the job.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from pipeline.disk.plain import plain
from pipeline.hooks import child
from pipeline.hooks.news import News
from pipeline.job.hook import HookPart
from pipeline.messages import masking
from pipeline.processes import program

log = logging.getLogger(__name__)

# A call that takes longer is broken off.
LONGEST_S = 10.0
# Breaking it off takes a moment, too.
_BROKEN_OFF_S = 2.0
# An argument of such a name holds the name of an environment variable, whose value is a secret.
_VARIABLE = "_env"
_MOST_LINES = 50
_SCRIPT = "from pipeline.hooks import child; child.main()"


class Caller:
    """Calls hooks in the background, those of one name one after another."""

    def __init__(self, hooks: Mapping[str, HookPart], folder: Path) -> None:
        """`folder` is the one that hooks start in."""
        self._hooks, self._folder = hooks, folder
        self._calls: dict[str, threading.Thread] = {}

    def check(self) -> None:
        """What hooks need of the environment is known as secret; what is missing is told now."""
        for name, hook in self._hooks.items():
            for argument, variable in _variables(hook):
                masking.learn_secret(os.environ.get(variable, ""))
                if not os.environ.get(variable):
                    log.warning(
                        "hook %s will fail: the variable %s, which its %s names, is not set; "
                        "the job goes on without it",
                        *(name, variable, argument),
                    )

    def tell(self, news: News) -> None:
        """Hooks of this moment are being called; returns at once."""
        for name, hook in self._hooks.items():
            if news.event in hook.when:
                before = self._calls.get(name)
                call = threading.Thread(
                    target=self._call, args=(name, hook, news, before), daemon=True
                )
                self._calls[name] = call
                call.start()

    def wait(self, *, until_s: float) -> None:
        """All calls are over, or their time is; `until_s` is on the monotonic clock."""
        until_s = min(until_s, time.monotonic() + LONGEST_S + _BROKEN_OFF_S)
        for name, call in self._calls.items():
            call.join(max(0.0, until_s - time.monotonic()))
            if call.is_alive():
                log.warning("hook %s was not waited for any longer; the job is not affected", name)

    def _call(self, name: str, hook: HookPart, news: News, before: threading.Thread | None) -> None:
        if hasattr(signal, "pthread_sigmask"):
            # A Ctrl-C that this thread took would reach MindSpore's handler (training/interrupts).
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        if before is not None:
            before.join()
        started_s = time.monotonic()
        try:
            problem = _problem_of(name, hook, news, self._folder)
        except (OSError, ValueError) as error:
            problem = f"{type(error).__name__}: {error}"
        if problem:
            log.warning(
                "hook %s failed at %s: %s; the job is not affected", name, news.event, problem
            )
        else:
            seconds = time.monotonic() - started_s
            log.debug("hook %s was told of the %s in %.1f s", name, news.event, seconds)


def _problem_of(name: str, hook: HookPart, news: News, folder: Path) -> str:
    """Calls the hook to its end; what went wrong, in words."""
    said: deque[str] = deque(maxlen=1)
    count, until_s = 0, time.monotonic() + LONGEST_S

    def hear(line: str) -> None:
        nonlocal count
        said.append(line)
        count += 1
        if count <= _MOST_LINES:
            log.debug("hook %s: %s", name, line)

    code = program.run(
        [sys.executable, "-c", _SCRIPT],
        folder=folder,
        environment=_environment(hook, news),
        on_line=hear,
        on_tick=lambda: None,
        stop_grace_s=lambda: 0.0 if time.monotonic() > until_s else None,
    )
    if time.monotonic() > until_s:
        return f"it did not end within {LONGEST_S:.0f} s"
    if code < 0:
        return f"it was killed by signal {-code}"
    if code == 0:
        return ""
    return said[-1] if said else f"it ended with exit code {code}, expected 0"


def _environment(hook: HookPart, news: News) -> dict[str, str]:
    asked = {
        "target": hook.target,
        "arguments": plain(hook.arguments),
        "news": plain(asdict(news)),
        "secrets": [variable for _, variable in _variables(hook)],
    }
    path = os.pathsep.join(filter(None, sys.path))
    return {**os.environ, "PYTHONPATH": path, child.CALL: json.dumps(asked)}


def _variables(hook: HookPart) -> Iterator[tuple[str, str]]:
    """The arguments that name a variable, with the name."""
    for argument, value in hook.arguments.items():
        if argument.endswith(_VARIABLE) and isinstance(value, str) and value:
            yield argument, value
