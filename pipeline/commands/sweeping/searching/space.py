"""What a search chooses from: ranges and choices, out of YAML or of Hydra's grammar."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from hydra.core.override_parser.types import IntervalSweep, RangeSweep

from pipeline.commands.sweeping import splitting
from pipeline.commands.sweeping.searching.dimension import (
    Choice,
    Dimension,
    NoSpaceError,
    Range,
    Scalar,
)
from pipeline.commands.sweeping.splitting import NoSweepError
from pipeline.messages.spelling import nearest_or_all, shown

_RANGE = ("low", "high", "step", "log", "type")
_KEYS = (*_RANGE, "choices")
_GRAMMAR = "write interval(LOW,HIGH), tag(log,interval(LOW,HIGH)), range(START,STOP), or a,b"


def flattened(space: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Each key with what stands there; mappings that are no range are keys within keys.

    >>> list(flattened({"mode.epochs": [1, 2], "mode": {"momentum": {"low": 0, "high": 1}}}))
    [('mode.epochs', [1, 2]), ('mode.momentum', {'low': 0, 'high': 1})]
    """
    for name, value in space.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and value and not {*value} & {*_KEYS}:
            yield from flattened(value, f"{key}.")
        else:
            yield key, value


def of_yaml(key: str, value: Any, options: Optional[Sequence[str]] = None) -> Dimension:
    """The dimension that a value of `sweep.search.space` describes.

    >>> of_yaml("seed", {"low": 1, "high": 8}).words, of_yaml("model", ["lenet5", "mlp"]).words
    ('1 to 8', 'lenet5, mlp')

    Raises:
        NoSpaceError: it describes none.
    """
    if isinstance(value, str):
        return of_text(key, value, options)
    if isinstance(value, Mapping) and "choices" in value:
        unfit = sorted({*map(str, value)} - {"choices", "type"})
        if unfit:
            raise NoSpaceError(f"choices and {unfit[0]} exclude each other")
        value = value["choices"]
    if isinstance(value, (list, tuple)):
        return Dimension(key, _distinct([_choice(item) for item in value]))
    if not isinstance(value, Mapping) or not value:
        raise NoSpaceError(f"{shown(value)}: expected a range or a list")
    return Dimension(key, _range_of(value))


def of_text(key: str, text: str, options: Optional[Sequence[str]] = None) -> Dimension:
    """The dimension that a text in Hydra's grammar describes; `options` are those of a group.

    >>> of_text("mode.learning_rate", "tag(log, interval(0.001, 0.1))").words
    '0.001 to 0.1, by their logarithm'
    >>> of_text("mode.epochs", "range(5,20,5)").words
    '5 to 15 in steps of 5'

    Raises:
        NoSpaceError: it describes none.
    """
    override = splitting.parsed(text)
    found = override.value() if override is not None and override.is_sweep_override() else None
    if isinstance(found, IntervalSweep):
        return Dimension(key, _of_interval(found))
    if isinstance(found, RangeSweep) and not found.shuffle:
        return Dimension(key, _of_range(text, found))
    try:
        values = splitting.values_of(text, options)
    except NoSweepError as error:
        raise NoSpaceError(error.problem, error.remedy) from error
    if not values:
        raise NoSpaceError(f"{shown(text)}: expected several values or a range", _GRAMMAR)
    choices = [Choice(_read(v.text, v.is_exact), v.text, v.is_exact) for v in values]
    return Dimension(key, _distinct(choices))


def _range_of(value: Mapping[Any, Any]) -> Range:
    unknown = [str(name) for name in value if name not in _KEYS]
    if unknown:
        raise NoSpaceError(
            f"there is no {unknown[0]!r} in a range", nearest_or_all(unknown[0], _KEYS)
        )
    numbers = {name: value.get(name) for name in ("low", "high", "step")}
    for name, number in numbers.items():
        is_left_out = number is None and name == "step"
        is_number = isinstance(number, (int, float)) and math.isfinite(number)
        if not is_left_out and (not is_number or isinstance(number, bool)):
            raise NoSpaceError(f"{name} {shown(number)}: expected a number")
    if value.get("type") not in (None, "int", "float"):
        raise NoSpaceError(f"type {shown(value['type'])}: expected int or float")
    if not isinstance(value.get("log", False), bool):
        raise NoSpaceError(f"log {shown(value['log'])}: expected true or false")
    given = [number for number in numbers.values() if number is not None]
    is_whole = all(number == int(number) for number in given) and value.get("type") != "float"
    is_whole = is_whole and (value.get("type") == "int" or all(type(n) is int for n in given))
    if value.get("type") == "int" and not is_whole:
        raise NoSpaceError(f"{shown(dict(value))}: type int expects whole numbers")
    low, high, step = numbers["low"], numbers["high"], numbers["step"]
    return _range(low, high, step, is_log=value.get("log", False), is_whole=is_whole)


def _of_interval(found: IntervalSweep) -> Range:
    low, high = found.start, found.end
    is_whole = "int" in found.tags or (type(low) is int and type(high) is int)
    return _range(low, high, None, is_log="log" in found.tags, is_whole=is_whole)


def _of_range(text: str, found: RangeSweep) -> Range:
    try:
        listed = [float(value.text) for value in splitting.values_of(text)]
    except NoSweepError as error:
        raise NoSpaceError(error.problem, error.remedy) from error
    ends = (found.start, found.stop, found.step)
    step = abs(found.step) if len(listed) > 1 else None
    is_whole = all(type(end) is int for end in ends)
    is_log = "log" in found.tags
    return _range(
        min(listed), max(listed), None if is_log else step, is_log=is_log, is_whole=is_whole
    )


def _range(low: Any, high: Any, step: Any, *, is_log: bool, is_whole: bool) -> Range:
    told = f"from {low} to {high}"
    if low > high:
        raise NoSpaceError(f"{told}: expected the lower end first")
    if is_log and low <= 0:
        raise NoSpaceError(f"{told} with log: expected a lower end above 0")
    if is_log and step is not None:
        raise NoSpaceError(f"{told}: step and log exclude each other", "leave one of them out")
    if step is not None:
        if step <= 0:
            raise NoSpaceError(f"step {step}: expected more than 0")
        # As with range(), the last step that does not lead past the end is the end.
        high = low + math.floor((high - low) / step + 1e-9) * step
    kind = int if is_whole else float
    return Range(kind(low), kind(high), kind(step) if step is not None else None, is_log, is_whole)


def _choice(item: Any) -> Choice:
    if isinstance(item, str):
        # Exact, for in YAML the text has been read already; a group's choice is plain.
        is_plain = item.replace("_", "a").replace("-", "a").replace(".", "a").isalnum()
        return Choice(item, item, not is_plain)
    if isinstance(item, float) and math.isfinite(item):
        return Choice(item, repr(item))
    text = json.dumps(item, ensure_ascii=False)
    return Choice(item if item is None or isinstance(item, (bool, int)) else text, text)


def _read(text: str, is_exact: bool) -> Scalar:
    """A number where the text is one, so that Optuna's own tools show one."""
    try:
        value = json.loads(text) if not is_exact else text
    except ValueError:
        return text
    return value if isinstance(value, (bool, int, float)) else text


def _distinct(choices: Sequence[Choice]) -> tuple[Choice, ...]:
    if not choices:
        raise NoSpaceError("an empty list: expected at least one value")
    for number, choice in enumerate(choices):
        if any(choice.value == other.value for other in choices[:number]):
            raise NoSpaceError(f"{choice.text} stands twice", "write each value once")
    return tuple(choices)
