"""Values as JSON can carry them, whatever a stage hands over."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any


def plain(value: Any) -> Any:
    """The value made of mappings, lists, texts, finite numbers, booleans and null alone.

    JSON knows neither NaN nor infinity: they become null. What has no better form is text.

    >>> plain({"loss": float("nan"), "shape": (2, 3), 1: {"a"}})
    {'loss': None, 'shape': [2, 3], '1': ['a']}
    """
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    # Scalars and arrays of numpy and MindSpore know their plain form themselves.
    for name in ("tolist", "asnumpy"):
        convert = getattr(value, name, None)
        if callable(convert):
            return plain(convert())
    return str(value)


def flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a nested mapping by its dotted key; a list of plain values is one value.

    >>> list(flat({"a": {"b": 1}, "c": [1, 2], "d": [{"e": 3}]}))
    [('a.b', 1), ('c', [1, 2]), ('d.0.e', 3)]
    """
    if isinstance(value, Mapping) and (value or not key):
        pairs = [(str(name), item) for name, item in value.items()]
    elif isinstance(value, list) and any(isinstance(item, (Mapping, list)) for item in value):
        pairs = [(str(number), item) for number, item in enumerate(value)]
    else:
        yield key, value
        return
    for name, item in pairs:
        yield from flat(item, f"{key}.{name}" if key else name)
