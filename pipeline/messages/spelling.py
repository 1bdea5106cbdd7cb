"""Words for messages: the nearest right spelling, what there is, texts cut to size."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence
from typing import Any


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """A question that names the nearest option, or an empty text when none is near.

    >>> did_you_mean("trian", ["train", "pretrain", "infer"])
    "did you mean 'train'?"
    >>> did_you_mean("modle", ["mode", "model", "seed"])
    "did you mean 'mode' or 'model'?"
    >>> did_you_mean("xyz", ["train"])
    ''
    """
    shown = nearest(word, options)
    return f"did you mean {' or '.join(map(repr, shown))}?" if shown else ""


def nearest(word: str, options: Iterable[str]) -> list[str]:
    """The nearest option, two where they are almost equally near, or none.

    >>> nearest("infr", ["train", "infer"])
    ['infer']
    """
    near = difflib.get_close_matches(word, sorted(set(options)), n=2, cutoff=0.6)
    ratios = [difflib.SequenceMatcher(None, word, option).ratio() for option in near]
    return [o for o, ratio in zip(near, ratios) if ratio > ratios[0] - 0.1]


def nearest_or_all(word: str, options: Iterable[str]) -> str:
    """The nearest option as a question, and all of them when they are few."""
    listed = sorted(set(options))
    question = did_you_mean(word, listed)
    choices = f"there is: {', '.join(listed)}" if 0 < len(listed) <= 20 else ""
    return "; ".join(filter(None, (question, choices)))


def first_of(names: Sequence[str], most: int) -> str:
    """The first of the names, and how many more there are.

    >>> first_of(["a", "b", "c"], 2), first_of(["a", "b"], 2)
    ('a, b and 1 more', 'a, b')
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def shortened(text: str, longest: int = 160) -> str:
    r"""The text on one line, with its middle left out where it is long.

    >>> shortened("a" * 9 + "\n" + "b" * 9, longest=9)
    'aaaa…bbbb'
    """
    # What argv cannot hold as text (bytes that are no UTF-8) must not break the terminal.
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    half = longest // 2
    return line if len(line) <= longest else f"{line[:half]}…{line[-half:]}"


def shown(value: Any) -> str:
    """The value as YAML would have it, on one line, cut to size.

    >>> shown(None), shown(True), shown("x"), shown([1, None])
    ('null', 'true', "'x'", '[1, null]')
    """
    if isinstance(value, str):
        return repr(shortened(value))
    return shortened(json.dumps(value, ensure_ascii=False, default=str))
