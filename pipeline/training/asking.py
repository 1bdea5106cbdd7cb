"""Whether training is to stop, which all ranks must know after the same step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from pipeline.training import collective

# Ranks ask each other only so often, for it makes them wait; but whoever is told to stop has a
# few seconds only.
_MOST_STEPS, _EVERY_S = 10, 0.5


def never() -> int:
    """Nobody asks training to stop."""
    return 0


class Asking:
    """Asks between steps; of many ranks each asks its own, and what one hears is all ranks'."""

    def __init__(self, should_stop: Callable[[], int], *, rank: int, size: int) -> None:
        """`should_stop` gives why to stop, such as the number of a signal; 0: go on."""
        self._should_stop, self._rank, self._size = should_stop, rank, size
        self._steps, self._next_after = 0, 1
        self._asked_s = time.monotonic()

    def why(self, steps: int) -> int:
        """Why to stop, asked after so many more steps; every rank makes the same calls."""
        if self._should_stop is never:
            return 0
        if self._size == 1:
            return int(self._should_stop())
        self._steps += steps
        return self._everybody() if self._steps >= self._next_after else 0

    def _everybody(self) -> int:
        """What all ranks then know; the first one's clock says after how many steps it is next."""
        seconds = max(time.monotonic() - self._asked_s, 1e-9)
        due = max(1, min(_MOST_STEPS, math.floor(self._steps * _EVERY_S / seconds)))
        mine = [int(self._should_stop()), due]
        told = collective.gather_numbers(mine, rank=self._rank, size=self._size)
        self._steps, self._next_after = 0, told[0][1]
        self._asked_s = time.monotonic()
        return next((why for why, _ in told if why), 0)
