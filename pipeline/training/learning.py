"""How a session learns: its optimizer with the rate of each step, its loss, its metrics."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import mindspore
import numpy as np
from mindspore import Parameter, Tensor, nn, ops
from mindspore.nn.learning_rate_schedule import LearningRateSchedule

from pipeline.errors import TrainingError
from pipeline.training import schedules
from pipeline.training.device import first_sentence

if TYPE_CHECKING:
    from pipeline.data import Array

Metric = Callable[..., float]


class _Rates(LearningRateSchedule):
    """The rate of each step by the optimizer's count; after the last step it stays.

    A training that goes on with longer steps has counted more of them than are to come, and a
    list, which MindSpore would take, must not be asked beyond its end.
    """

    def __init__(self, rates: Sequence[float]) -> None:
        super().__init__()
        self.rates = Tensor(rates, mindspore.float32)
        self.last = Tensor([len(rates) - 1], mindspore.int32)

    def construct(self, global_step: Tensor) -> Tensor:
        """The rate of this step."""
        return ops.gather(self.rates, ops.minimum(global_step, self.last), 0)


@dataclass(frozen=True)
class Recipe:
    """What makes the parts of learning; without a word of the job's, as the official samples do.

    `optimizer(weights, learning_rate=, momentum=, loss_scale=)`, where the rate is one number or
    a cell that gives that of each step; `schedule(learning_rate, steps_per_epoch, epochs)`;
    `loss(sparse=, reduction=)`; `metric(logits, labels)`.
    """

    optimizer: Callable[..., Any] = nn.Momentum
    schedule: Callable[..., Any] = schedules.constant
    loss: Callable[..., Any] = nn.SoftmaxCrossEntropyWithLogits
    metrics: Mapping[str, Metric] = field(default_factory=lambda: MappingProxyType({}))

    def make_loss(self) -> Any:
        """The loss: called with logits and labels it gives the mean over the batch."""
        return self.loss(sparse=True, reduction="mean")

    def make_optimizer(
        self, weights: list[Parameter], rates: Sequence[float], **offered: float
    ) -> nn.Optimizer:
        """The optimizer of these weights, whose steps have these rates.

        Raises:
            TrainingError: it refuses its arguments, or what was made is no optimizer.
        """
        rate = rates[0] if len(rates) == 1 else _Rates(rates)
        try:
            made = self.optimizer(weights, learning_rate=rate, **offered)
        except (TypeError, ValueError, LookupError) as error:
            raise TrainingError(
                f"mode.optimizer refuses its arguments ({first_sentence(error)}); expected ones "
                f"that it takes. Change them."
            ) from error
        if not isinstance(made, nn.Optimizer):
            raise TrainingError(
                f"mode.optimizer makes a {type(made).__name__}; expected a "
                f"mindspore.nn.Optimizer. Name another one."
            )
        return made

    def rates(self, learning_rate: float, steps_per_epoch: int, epochs: int) -> tuple[float, ...]:
        """The rate of each step of a training, or one rate where all are equal.

        Raises:
            TrainingError: the schedule gives no such rates.
        """
        given = self.schedule(learning_rate, steps_per_epoch, epochs)
        try:
            rates = np.asarray(given, np.float64)
        except (TypeError, ValueError):
            rates = np.zeros(0)
        steps = steps_per_epoch * epochs
        if rates.shape != (steps,) or not np.isfinite(rates).all() or (rates < 0).any():
            raise TrainingError(
                f"mode.schedule gives {_described(rates)}; expected {steps} finite numbers from 0 "
                f"on, one for each step. Change the schedule."
            )
        return (float(rates[0]),) if (rates == rates[0]).all() else tuple(rates.tolist())


def measured(metrics: Mapping[str, Metric], logits: Array, labels: Array) -> dict[str, float]:
    """The value of each metric.

    Raises:
        TrainingError: a metric gives no number.
    """
    found = {name: metric(logits, labels) for name, metric in metrics.items()}
    for name, value in found.items():
        if np.ndim(value) != 0 or not np.isreal(value):
            raise TrainingError(
                f"mode.metrics.{name} gives {type(value).__name__} {value!r}; expected one number. "
                f"Change the metric."
            )
    return {name: float(value) for name, value in found.items()}


def _described(rates: Array) -> str:
    if rates.ndim != 1 or rates.size == 0:
        return "no list of numbers"
    lowest, highest = float(rates.min()), float(rates.max())
    span = "some that are not finite" if not math.isfinite(lowest + highest) else ""
    return f"{len(rates)} numbers, {span or f'from {lowest} to {highest}'}"
