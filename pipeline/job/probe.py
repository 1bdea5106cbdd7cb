"""Components that only an import can check, imported in a short process of their own."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import astuple

from pipeline.job.calls import Call, Problem, bind, signature_of
from pipeline.job.component import IMPORT_FAILURES, WHERE
from pipeline.messages.spelling import did_you_mean

TIMEOUT_S = 120.0
_SCRIPT = "from pipeline.job import probe; probe.answer()"


def probe(
    calls: Mapping[str, Call], environment: Mapping[str, str], *, timeout_s: float = TIMEOUT_S
) -> dict[str, tuple[Problem, ...]]:
    """What is wrong with each call, found by importing its target with these variables set."""
    if not calls:
        return {}
    request = {
        key: [c.target, c.positional, [*c.arguments], c.given, c.offered]
        for key, c in calls.items()
    }
    try:
        answered = subprocess.run(
            [sys.executable, "-c", _SCRIPT],
            input=json.dumps(request),
            env={**environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            encoding="utf-8",
            errors="backslashreplace",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        slow = Problem(f"importing it took over {timeout_s:.0f} s", "import less at module level")
        return dict.fromkeys(calls, (slow,))
    lines = answered.stdout.splitlines()
    if answered.returncode != 0 or not lines:
        last = (answered.stderr.strip().splitlines() or [f"exit {answered.returncode}"])[-1]
        crashed = Problem(f"importing it ended the process: {last}", "import it by hand and see")
        return dict.fromkeys(calls, (crashed,))
    return {
        key: tuple(Problem(*problem) for problem in problems)
        for key, problems in json.loads(lines[-1]).items()
    }


def answer() -> None:
    """Imports what standard input names and writes one line of JSON: what is wrong with each."""
    request = json.loads(sys.stdin.read())
    problems = {
        key: [astuple(problem) for problem in _problems_of(*wanted)]
        for key, wanted in request.items()
    }
    # The modules may have written something, too: the answer is the last line.
    sys.stdout.write("\n" + json.dumps(problems) + "\n")


def _problems_of(
    target: str, positional: int, names: list[str], given: list[str], offered: list[str]
) -> tuple[Problem, ...]:
    module, _, name = target.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except IMPORT_FAILURES as error:
        reason = f"{type(error).__name__}: {error}"
        remedy = WHERE if isinstance(error, ModuleNotFoundError) else f"look into {module}"
        remedy = did_you_mean(name, dir(sys.modules.get(module))) or remedy
        return (Problem(f"{target!r} cannot be imported: {reason}", remedy),)
    if not callable(found):
        problem = f"{target!r} is a {type(found).__name__}, not a class or function"
        return (Problem(problem, "name what makes datasets or networks"),)
    try:
        signature = signature_of(found)
    except (ValueError, TypeError):
        # Compiled callables have no signature to look at; the call itself will tell.
        return ()
    call = Call(target, positional, dict.fromkeys(names), tuple(given), tuple(offered))
    return bind(signature, call)
