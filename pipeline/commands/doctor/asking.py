"""Questions that others have to answer, all asked at once, waited for no longer than agreed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.commands.doctor.finding import Finding, problem
from pipeline.errors import MindRunError

# After an interrupt: what was written for a trial is deleted again in so long, or not at all.
_TIDYING_S = 3.0


@dataclass(frozen=True)
class Check:
    """Something to find out under a topic; an error of ours or the system's is a problem.

    `remedy` is what to do besides where no answer comes in time.
    """

    topic: str
    look: Callable[[], Finding]
    remedy: str = ""


def ask(checks: Sequence[Check], *, longest_s: float) -> list[Finding]:
    """What each check found, in their order; one that takes longer is a problem itself."""
    found: dict[int, Finding] = {}

    def run(number: int) -> None:
        check = checks[number]
        try:
            found[number] = check.look()
        except (MindRunError, OSError) as error:
            found[number] = problem(check.topic, str(error))

    # Daemons: who hangs for good does not keep the process alive.
    threads = [
        threading.Thread(target=run, args=(number,), daemon=True) for number in range(len(checks))
    ]
    for thread in threads:
        thread.start()
    try:
        _join(threads, longest_s)
    except KeyboardInterrupt:
        _join(threads, _TIDYING_S)
        raise
    late = f"no answer in {longest_s:g} s; look at the network between here and there"
    return [
        found.get(number) or problem(check.topic, f"{late}{check.remedy}")
        for number, check in enumerate(checks)
    ]


def _join(threads: Sequence[threading.Thread], longest_s: float) -> None:
    end_s = time.monotonic() + longest_s
    for thread in threads:
        thread.join(max(0.0, end_s - time.monotonic()))
