"""Which of the runs are asked for: by what they are, how good they are, how old they are."""

from __future__ import annotations

import fnmatch
import math
import operator
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pipeline.commands.runs.record import STATUSES, Run
from pipeline.disk.clock import seconds_since
from pipeline.errors import ConfigError, Mistake
from pipeline.messages.spelling import did_you_mean, nearest_or_all, shortened

FACTS = ("status", "mode", "model", "dataset", "cluster", "device")
FILTERS = (*FACTS, "since", "last")

_BOUND = re.compile(r"(?P<metric>[\w.\-]+)(?P<sign>>=|<=|>|<)(?P<value>.+)")
_COMPARE = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_AGE = re.compile(r"(?P<count>\d+(?:\.\d+)?)\s*(?P<unit>min|h|d|w)")
_UNITS_S = {"min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


@dataclass(frozen=True)
class Bound:
    """A limit to a metric, such as accuracy>=0.9."""

    metric: str
    sign: str
    value: float

    def admits(self, run: Run) -> bool:
        """Whether the run has measured the metric, and within the limit."""
        found = run.metrics.get(self.metric)
        return found is not None and bool(_COMPARE[self.sign](found, self.value))


@dataclass
class Filters:
    """All that must hold of a run; of the texts of one fact any may, with * for any letters."""

    facts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    bounds: list[Bound] = field(default_factory=list)
    youngest_s: float | None = None
    most: int | None = None

    def __bool__(self) -> bool:
        """Whether anything is asked for."""
        return self != Filters()


def add(filters: Filters, token: str) -> list[Mistake]:
    """The filters with this one more; what is wrong with it where it is none.

    >>> add(Filters(), "modle=mlp")[0].remedy.partition(";")[0]
    "did you mean 'mode' or 'model'?"
    """
    bound = _BOUND.fullmatch(token)
    if bound:
        return _add_bound(filters, token, bound)
    name, _, value = token.partition("=")
    if name not in FILTERS:
        remedy = nearest_or_all(name, FILTERS)
        remedy = f"{remedy}; a metric is bounded like 'accuracy>=0.9', in quotes"
        return [Mistake(shortened(token), "is no filter of runs", remedy=remedy)]
    if name == "since":
        return _add_since(filters, token, value)
    if name == "last":
        return _add_last(filters, token, value)
    wanted = tuple(filter(None, value.split(",")))
    wrong = [w for w in wanted if name == "status" and not fnmatch.filter(STATUSES, w)]
    if wrong or not wanted:
        remedy = nearest_or_all(wrong[0], STATUSES) if wrong else f"write {name}=NAME"
        return [Mistake(shortened(token), f"there is no such {name}", remedy=remedy)]
    filters.facts[name] = wanted
    return []


def admitted(filters: Filters, runs: Sequence[Run]) -> list[Run]:
    """The runs of which everything holds, in their order.

    Raises:
        ConfigError: a limit is to a metric that none of the runs has.
    """
    known = {name for run in runs for name in run.metrics}
    unknown = [b.metric for b in filters.bounds if known and b.metric not in known]
    if unknown:
        problem = "no run has measured this"
        raise ConfigError([Mistake(n, problem, "", nearest_or_all(n, known)) for n in unknown])
    return [run for run in runs if _is_admitted(filters, run)][: filters.most]


def explain_none(filters: Filters, runs: Sequence[Run]) -> str:
    """Which filter leaves nothing by itself, with what there is instead; else that none fits."""
    return next(_reasons(filters, runs), "no run fits all of that")


def _reasons(filters: Filters, runs: Sequence[Run]) -> Iterator[str]:
    for name, wanted in filters.facts.items():
        known = sorted({run.fact(name) for run in runs} - {""})
        if not any(fnmatch.filter(known, word) for word in wanted):
            question = did_you_mean(wanted[0], known)
            asked, listed = f"{name}={','.join(wanted)}", ", ".join(known)
            yield f"no run has {asked}; {f'{question} ' if question else ''}there is: {listed}"


def _is_admitted(filters: Filters, run: Run) -> bool:
    for name, wanted in filters.facts.items():
        if not any(fnmatch.fnmatchcase(run.fact(name), word) for word in wanted):
            return False
    age_s = seconds_since(run.when) if run.when else math.inf
    if filters.youngest_s is not None and age_s > filters.youngest_s:
        return False
    return all(bound.admits(run) for bound in filters.bounds)


def _add_bound(filters: Filters, token: str, match: re.Match[str]) -> list[Mistake]:
    try:
        value = float(match["value"])
    except ValueError:
        remedy = f"write it like '{match['metric']}{match['sign']}0.9', in quotes"
        return [Mistake(shortened(token), "the limit is no number", remedy=remedy)]
    filters.bounds.append(Bound(match["metric"], match["sign"], value))
    return []


def _add_since(filters: Filters, token: str, value: str) -> list[Mistake]:
    age = _AGE.fullmatch(value)
    try:
        if age:
            filters.youngest_s = float(age["count"]) * _UNITS_S[age["unit"]]
        else:
            moment = datetime.fromisoformat(value).astimezone()
            filters.youngest_s = seconds_since(moment.isoformat())
    except ValueError:
        remedy = "write since=7d (or 30min, 12h, 2w), or a date such as since=2026-01-31"
        return [Mistake(shortened(token), "is no time", remedy=remedy)]
    return []


def _add_last(filters: Filters, token: str, value: str) -> list[Mistake]:
    if not value.isdecimal() or int(value) < 1:
        return [Mistake(shortened(token), "expected how many", remedy="write last=20")]
    filters.most = int(value)
    return []
