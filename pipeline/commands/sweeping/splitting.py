"""The values that one text of the command line sweeps over: Hydra's grammar, byte for byte.

Between commas stands what was typed, also where Hydra's grammar cannot read it; quotes keep a
comma from parting. `choice()`, `range()`, `glob()` and their kin are read by Hydra's own parser.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, QuotedString, Transformer
from hydra.errors import HydraException

# More jobs than this are rather a slip than a wish.
MOST = 10_000

_QUOTES = "'\""
_PAIRS = {"[": "]", "{": "}", "(": ")"}


@dataclass(frozen=True)
class Value:
    """One value of a sweep, as it was typed; `is_exact` marks the text that stood in quotes."""

    text: str
    is_exact: bool = False


class NoSweepError(ValueError):
    """A text looks like a sweep and is none; its words are the problem and what to do."""

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem, self.remedy = problem, remedy
        super().__init__(f"{problem}; {remedy}")


def values_of(text: str, options: Optional[Sequence[str]] = None) -> list[Value]:
    """What the text sweeps over; empty where it is one value. `options` are those of a group.

    >>> [value.text for value in values_of("0.1, 1e-2")]
    ['0.1', '1e-2']
    >>> values_of("'a,b',c")
    [Value(text='a,b', is_exact=True), Value(text='c', is_exact=False)]
    >>> [value.text for value in values_of("range(1,4)")], values_of("[1,2]")
    (['1', '2', '3'], [])
    >>> [value.text for value in values_of("glob(*net*)", ["lenet5", "mlp", "resnet50"])]
    ['lenet5', 'resnet50']

    Raises:
        NoSweepError: it has nothing that could be counted up.
    """
    parts = _parts(text)
    if len(parts) > 1:
        if not all(parts):
            raise NoSweepError(
                f"{text!r} has an empty value between commas",
                "write a,b without a comma at either end, or quote a text that holds commas",
            )
        return [_value(part) for part in parts]
    override = parsed(text)
    if override is None:
        return []
    if not override.is_sweep_override():
        # Quotes that keep a comma from parting are not part of the text.
        return [_value(text.strip())] if "," in text and _is_quoted(text.strip()) else []
    return _counted(text, override, options)


def is_sweep(text: str, options: Optional[Sequence[str]] = None) -> bool:
    """Whether it stands for several values, be they ones that could be counted up or not.

    >>> is_sweep("a,b"), is_sweep("interval(0,1)"), is_sweep("[a,b]")
    (True, True, False)
    """
    try:
        return bool(values_of(text, options))
    except NoSweepError:
        return True


def is_interval(text: str) -> bool:
    """Whether it is Hydra's interval(), tagged or not."""
    found = parsed(text) if "interval" in text else None
    return found is not None and found.is_interval_sweep()


def _counted(text: str, override: Override, options: Optional[Sequence[str]]) -> list[Value]:
    found = override.value()
    if isinstance(found, Glob):
        if options is None:
            problem = f"{text!r}: glob() chooses among the files of a group, which this is not"
            raise NoSweepError(problem, "list the values: a,b")
        matching = found.filter(sorted(options))
        if not matching:
            raise NoSweepError(f"{text!r} matches nothing", f"there is: {', '.join(options)}")
        return [Value(name) for name in matching]
    if override.is_interval_sweep():
        problem = f"{text!r}: an interval has no values that could be counted up"
        raise NoSweepError(problem, "write range(START,STOP,STEP), or list the values: a,b")
    iterator = override.sweep_iterator(transformer=Transformer.identity)
    try:
        elements = list(itertools.islice(iterator, MOST + 1))
    except (HydraException, ValueError) as error:
        raise NoSweepError(f"{text!r}: {error}", "write range(START,STOP,STEP)") from error
    if not elements:
        raise NoSweepError(f"{text!r} has no values", "write range(START,STOP,STEP), STOP excluded")
    return [_element(element) for element in elements]


def _element(element: Any) -> Value:
    if isinstance(element, QuotedString):
        return Value(element.text, is_exact=True)
    if isinstance(element, str):
        # The parser has taken the quotes away that it must have stood in.
        return Value(element, is_exact="," in element)
    is_number = isinstance(element, (int, float)) and not isinstance(element, bool)
    return Value(str(element) if is_number else str(Transformer.encode(element)))


def parsed(text: str) -> Override | None:
    """The text as Hydra's grammar reads it; None where it does not."""
    try:
        return OverridesParser.create().parse_override(f"key={text}")
    except (HydraException, ValueError, TypeError):
        return None


def _value(part: str) -> Value:
    if not _is_quoted(part):
        return Value(part.replace("\\,", ","), is_exact="\\," in part)
    override = parsed(part)
    inner = override.value() if override is not None else None
    return Value(inner if isinstance(inner, str) else part[1:-1], is_exact=True)


def _is_quoted(part: str) -> bool:
    return len(part) > 1 and part[0] in _QUOTES and part[-1] == part[0]


def _parts(text: str) -> list[str]:
    """The text between the commas that part it, without blanks around."""
    cuts = [-1, *_commas(text), len(text)]
    return [text[before + 1 : after].strip() for before, after in zip(cuts, cuts[1:])]


def _commas(text: str) -> Iterator[int]:
    """Where commas stand outside of quotes and brackets and are not escaped."""
    closing: list[str] = []
    quote, is_start, skipped = "", True, -1
    for position, character in enumerate(text):
        if position == skipped:
            is_start = False
            continue
        if character == "\\":
            skipped = position + 1
        elif quote:
            quote = "" if character == quote else quote
        elif character in _QUOTES and (is_start or closing):
            # An apostrophe within a word opens nothing.
            quote = character
        elif character in _PAIRS:
            closing.append(_PAIRS[character])
        elif closing and character == closing[-1]:
            closing.pop()
        elif character == "," and not closing:
            yield position
            is_start = True
            continue
        is_start = is_start and re.match(r"\s", character) is not None
