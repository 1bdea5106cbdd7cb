"""The words of a command in which {names} stand for places that are known only when it runs."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.messages.spelling import did_you_mean

# What each name stands for, as people are told.
MEANINGS = {
    "data": "the folder in which each dataset lies under its own name",
    "dataset": "the folder of the first dataset",
    "checkpoint": "the file with the weights to start from",
    "output": "the folder for results, which are kept and exported",
}
_NAME = re.compile(r"(?<!\{)\{([A-Za-z_]+)\}(?!\})")
_LITERAL = re.compile(r"\{\{([A-Za-z_]+)\}\}")


def split(value: Any) -> Any:
    """A command written as one text, in its words; other values as they are.

    In a list, YAML takes an unquoted {data} for a mapping; that is undone.

    >>> split("python train.py --data {data}")
    ('python', 'train.py', '--data', '{data}')
    >>> split(["python", {"data": None}, 3])
    ('python', '{data}', '3')

    Raises:
        ValueError: a quote is not closed.
    """
    if isinstance(value, str):
        try:
            return tuple(shlex.split(value))
        except ValueError as error:
            raise ValueError(f"{error}; expected words as a shell takes them, or a list") from error
    if isinstance(value, (list, tuple)):
        return tuple(_word(item) for item in value)
    return value


def _word(item: Any) -> Any:
    if isinstance(item, Mapping) and len(item) == 1 and list(item.values()) == [None]:
        return f"{{{next(iter(item))}}}"
    is_number = isinstance(item, (int, float)) and not isinstance(item, bool)
    return str(item) if is_number else item


def used_in(words: Sequence[str]) -> set[str]:
    """The names that stand in the words, as far as they mean something."""
    return {name for word in words for name in _NAME.findall(word)} & MEANINGS.keys()


def misspelled_in(words: Sequence[str]) -> str:
    """What to say of a name that is near to one that means something; empty if there is none.

    >>> misspelled_in(["--out", "{ouput}"])
    "'{ouput}' means nothing; did you mean '{output}'? write '{{ouput}}' where it is meant as text"
    """
    for word in words:
        for name in _NAME.findall(word):
            question = did_you_mean(f"{{{name}}}", [f"{{{known}}}" for known in MEANINGS])
            if name not in MEANINGS and question:
                as_text = f"write '{{{{{name}}}}}' where it is meant as text"
                return f"'{{{name}}}' means nothing; {question} {as_text}"
    return ""


def fill(words: Sequence[str], places: Mapping[str, str]) -> list[str]:
    """The words with every known name replaced; other braces stay as they are.

    >>> fill(["--data={data}/MNIST", "{x}", "{{data}}"], {"data": "/d"})
    ['--data=/d/MNIST', '{x}', '{data}']
    """
    filled = (_NAME.sub(lambda found: places.get(found[1], found[0]), word) for word in words)
    return [_LITERAL.sub(r"{\1}", word) for word in filled]


def shown(words: Sequence[str]) -> str:
    """The words on one line as a person would type them, with quotes where it takes some.

    >>> shown(["python", "a.py", "--data={data}", "two words"])
    "python a.py --data={data} 'two words'"
    """
    is_open = re.compile(r"[\s'\"\\]|^$").search
    return " ".join(shlex.quote(word) if is_open(word) else word for word in words)


def is_python(word: str) -> bool:
    """Whether the word asks for Python, whichever runs this."""
    return re.fullmatch(r"python(3(\.\d+)?)?", word) is not None


def script_in(words: Sequence[str], folder: Path) -> Path | None:
    """The Python file that the command runs in the folder, whether it exists or not."""
    position = _position_of_script(words)
    return None if position is None else folder / words[position]


def _position_of_script(words: Sequence[str]) -> int | None:
    start = 1 if words and is_python(words[0]) else 0
    arguments = words[start:] if start else words[:1]
    first = next((i for i, word in enumerate(arguments) if not word.startswith("-")), None)
    if first is None or not arguments[first].endswith(".py") or "-m" in arguments[:first]:
        return None
    return start + first


def runnable(words: Sequence[str], folder: Path) -> list[str]:
    """The words with this Python for `python`, and with whole paths of what the folder holds.

    So they mean the same wherever they are run.
    """
    if is_python(words[0]):
        position = _position_of_script(words)
        rest = [str(folder / w) if i == position else w for i, w in enumerate(words)][1:]
        return [sys.executable, *rest]
    program = folder / words[0]
    if program.suffix == ".py":
        return [sys.executable, str(program), *words[1:]]
    return [str(program) if program.is_file() else words[0], *words[1:]]
