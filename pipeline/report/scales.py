"""From numbers to places in a picture: round ticks, and fewer points where there are many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

# (x, y) in the order of x.
Points = Sequence[tuple[float, float]]

# More than these cannot be told apart on a page.
MOST_POINTS = 500
_LOG_SPAN = 100.0


@dataclass(frozen=True)
class Scale:
    """Numbers from `low` to `high` lie from `start` to `end`, by logarithm where it `is_log`."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def place(self, value: float) -> float:
        """Where the number lies; numbers beyond the ends lie at the ends."""
        low, high, value = (self._flat(number) for number in (self.low, self.high, value))
        share = (value - low) / (high - low) if high > low else 0.5
        return self.start + (self.end - self.start) * min(max(share, 0.0), 1.0)

    def ticks(self, count: int = 5) -> list[float]:
        """Round numbers within the scale, about so many."""
        found = log_ticks(self.low, self.high) if self.is_log else []
        return found if len(found) > 1 else ticks(self.low, self.high, count)

    def _flat(self, value: float) -> float:
        return math.log10(max(value, self.low)) if self.is_log else value


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers from `low` to `high`, about so many and evenly spaced.

    >>> ticks(0, 1), ticks(0.93, 1.0, 4), ticks(3, 3)
    ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [0.94, 0.96, 0.98, 1.0], [3.0])
    """
    if not high > low:
        return [float(low)]
    rough = (high - low) / count
    if not 1e-300 < rough < 1e300:
        return [float(low), float(high)]
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(step for step in (power, 2 * power, 5 * power, 10 * power) if step >= rough * 0.8)
    digits = max(0, 2 - math.floor(math.log10(step)))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, digits) for number in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten from `low` to `high`, at most seven of them.

    >>> log_ticks(0.004, 20)
    [0.01, 0.1, 1.0, 10.0]
    """
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    every = max(1, math.ceil((last - first + 1) / 7))
    return [float(f"1e{power}") for power in range(first, last + 1, every)]


def wants_log(values: Sequence[float], span: float = _LOG_SPAN) -> bool:
    """Whether the numbers span so much that the small ones would lie on the ground.

    >>> wants_log([1.5, 0.0001]), wants_log([1.5, 0.5]), wants_log([1.5, 0.0])
    (True, False, False)
    """
    return bool(values) and min(values) > 0 and max(values) / span > min(values)


def thinned(points: Points, most: int = MOST_POINTS) -> list[tuple[float, float]]:
    """At most so many of the points, with the lowest and highest of each stretch among them.

    >>> thinned([(0, 0), (1, 9), (2, 1), (3, 1), (4, 1), (5, -5), (6, 1), (7, 2)], 6)
    [(0, 0), (1, 9), (2, 1), (4, 1), (5, -5), (7, 2)]
    """
    if len(points) <= most:
        return list(points)
    inner = points[1:-1]
    stretches = max(1, (most - 2) // 2)
    kept: list[tuple[float, float]] = [points[0]]
    for number in range(stretches):
        start, end = (len(inner) * i // stretches for i in (number, number + 1))
        places = range(start, end)
        lowest = min(places, key=lambda i: inner[i][1])
        highest = max(places, key=lambda i: inner[i][1])
        kept += [inner[i] for i in sorted({lowest, highest})]
    return [*kept, points[-1]]


def every_nth(count: int, most: int) -> list[int]:
    """Places of at most so many among `count`, evenly spread, the first and last among them.

    >>> every_nth(3, 5), every_nth(10, 4)
    ([0, 1, 2], [0, 3, 6, 9])
    """
    if count <= most:
        return list(range(count))
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]
