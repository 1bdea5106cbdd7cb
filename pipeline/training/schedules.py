"""Learning rates of all steps of a training, one per step of the optimizer.

A schedule is called as `schedule(learning_rate, steps_per_epoch, epochs, **arguments)`.
"""

from __future__ import annotations

import math

from pipeline.errors import TrainingError


def constant(
    learning_rate: float, steps_per_epoch: int, epochs: int, *, warmup_epochs: float = 0.0
) -> list[float]:
    """The same rate from the end of the warm-up on.

    In a warm-up the rate grows by the same amount with every step.

    >>> constant(0.5, 4, 2, warmup_epochs=0.5)
    [0.25, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]

    Raises:
        TrainingError: the warm-up is below 0 or as long as the training.
    """
    rates = [learning_rate] * (steps_per_epoch * epochs)
    return _warmed(rates, _warmup_steps(steps_per_epoch, epochs, warmup_epochs))


def step(
    learning_rate: float,
    steps_per_epoch: int,
    epochs: int,
    *,
    every_epochs: int,
    factor: float = 0.1,
    warmup_epochs: float = 0.0,
) -> list[float]:
    """The rate times `factor` after each `every_epochs`, counted from the first epoch.

    >>> step(0.5, 2, 3, every_epochs=1, factor=0.5)
    [0.5, 0.5, 0.25, 0.25, 0.125, 0.125]

    Raises:
        TrainingError: an argument is out of its range.
    """
    if every_epochs < 1 or not 0 < factor <= 1:
        raise TrainingError(
            f"mode.schedule: every_epochs is {every_epochs} and factor {factor}; expected a whole "
            f"number from 1 and a factor above 0, up to 1. Change them."
        )
    steps = steps_per_epoch * epochs
    rates = [
        learning_rate * factor ** (i // (steps_per_epoch * every_epochs)) for i in range(steps)
    ]
    return _warmed(rates, _warmup_steps(steps_per_epoch, epochs, warmup_epochs))


def cosine(
    learning_rate: float,
    steps_per_epoch: int,
    epochs: int,
    *,
    final: float = 0.0,
    warmup_epochs: float = 0.0,
) -> list[float]:
    """Half a cosine wave from the rate, after the warm-up, down to the rate `final`.

    >>> [round(rate, 3) for rate in cosine(1.0, 2, 2)]
    [1.0, 0.854, 0.5, 0.146]

    Raises:
        TrainingError: an argument is out of its range.
    """
    if not 0 <= final <= learning_rate:
        raise TrainingError(
            f"mode.schedule: final is {final}; expected a rate from 0 to mode.learning_rate, "
            f"{learning_rate}. Change one of them."
        )
    warmup = _warmup_steps(steps_per_epoch, epochs, warmup_epochs)
    waning = steps_per_epoch * epochs - warmup
    half = (learning_rate - final) / 2
    falling = [final + half * (1 + math.cos(math.pi * i / waning)) for i in range(waning)]
    return _warmed([learning_rate] * warmup + falling, warmup)


def _warmup_steps(steps_per_epoch: int, epochs: int, warmup_epochs: float) -> int:
    if not 0 <= warmup_epochs < epochs:
        raise TrainingError(
            f"mode.schedule: warmup_epochs is {warmup_epochs}; expected 0 or more, and less than "
            f"mode.epochs, {epochs}. Change one of them."
        )
    return round(steps_per_epoch * warmup_epochs)


def _warmed(rates: list[float], warmup: int) -> list[float]:
    # Never 0: that would be a step for nothing.
    grown = [rate * (i + 1) / warmup for i, rate in enumerate(rates[:warmup])]
    return [*grown, *rates[warmup:]]
