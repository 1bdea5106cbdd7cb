"""One key or group of a search, and the values that it may become."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Optional, Union

from pipeline.configuration import arguments
from pipeline.configuration.arguments import Setting

# What Optuna can keep.
Scalar = Union[None, bool, int, float, str]

SOURCE = "sweep.search.space"
EXAMPLE = "write {low: 0.001, high: 0.1, log: true}, or a list of values such as [16, 32, 64]"


class NoSpaceError(ValueError):
    """A value is nothing to search in; its words are the problem and what to do."""

    def __init__(self, problem: str, remedy: str = EXAMPLE) -> None:
        self.problem, self.remedy = problem, remedy
        super().__init__(f"{problem}; {remedy}")


@dataclass(frozen=True)
class Choice:
    """One of several values: as Optuna keeps it, and as a command line has it."""

    value: Scalar
    text: str
    is_exact: bool = False


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; whole ones where `is_whole`."""

    low: float
    high: float
    step: Optional[float] = None
    is_log: bool = False
    is_whole: bool = False


@dataclass(frozen=True)
class Dimension:
    """One key or group, and what it may become."""

    key: str
    values: Union[Range, tuple[Choice, ...]]
    source: str = ""
    is_flag: bool = False

    @property
    def ends(self) -> list[Scalar]:
        """Both ends of the range, or every choice."""
        if isinstance(self.values, Range):
            return list(dict.fromkeys([self.values.low, self.values.high]))
        return [choice.value for choice in self.values]

    @property
    def words(self) -> str:
        """The range or the choices, in one line for people."""
        if not isinstance(self.values, Range):
            return ", ".join(choice.text for choice in self.values)
        step = f" in steps of {self.values.step}" if self.values.step else ""
        log = ", by their logarithm" if self.values.is_log else ""
        return f"{self.values.low} to {self.values.high}{step}{log}"

    def text_of(self, value: Scalar) -> str:
        """This value as a command line has it."""
        return self._choice(value).text

    def setting(self, value: Scalar) -> Setting:
        """The override that sets this value."""
        choice = self._choice(value)
        pair = f"{self.key}={choice.text}"
        flag = "--" if self.is_flag else ""
        words = ["--text", pair] if choice.is_exact else [f"{flag}{pair}"]
        found = arguments.read(words, commands=(), roots=()).settings
        if not found:
            raise NoSpaceError(f"{self.key!r} cannot be a key", "write it like mode.batch_size")
        return replace(found[0], source=self.source or SOURCE)

    def _choice(self, value: Scalar) -> Choice:
        if not isinstance(self.values, Range):
            return next(choice for choice in self.values if choice.value == value)
        number = int(value) if self.values.is_whole else float(value)  # type: ignore[arg-type]
        return Choice(value, repr(number))
