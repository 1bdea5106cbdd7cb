"""The nearest right spelling, for messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """A question that names the nearest option, or an empty text when none is near.

    >>> did_you_mean("trian", ["train", "pretrain", "infer"])
    "did you mean 'train'?"
    >>> did_you_mean("modle", ["mode", "model", "seed"])
    "did you mean 'mode' or 'model'?"
    >>> did_you_mean("xyz", ["train"])
    ''
    """
    near = difflib.get_close_matches(word, sorted(set(options)), n=2, cutoff=0.6)
    ratios = [difflib.SequenceMatcher(None, word, option).ratio() for option in near]
    # Two options that are almost equally near are both shown.
    shown = [o for o, ratio in zip(near, ratios) if ratio > ratios[0] - 0.1]
    return f"did you mean {' or '.join(map(repr, shown))}?" if shown else ""


def nearest_or_all(word: str, options: Iterable[str]) -> str:
    """The nearest option as a question, and all of them when they are few."""
    listed = sorted(set(options))
    question = did_you_mean(word, listed)
    choices = f"there is: {', '.join(listed)}" if len(listed) <= 20 else ""
    return "; ".join(filter(None, (question, choices)))
