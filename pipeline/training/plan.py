"""How a training is run: what it keeps, how often it measures, and when it ends early."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Row = dict[str, float]

# What stands before a metric of the test split in a row.
_OF_TEST = "test_"


def is_minimised(metric: str) -> bool:
    """Whether less of it is better.

    >>> [is_minimised(metric) for metric in ("loss", "test_loss", "accuracy")]
    [True, True, False]
    """
    return metric.removeprefix(_OF_TEST) == "loss"


@dataclass(frozen=True)
class EarlyStopping:
    """Training is over once `metric` was measured `patience` times without a new best.

    A new best is better than the last by more than `min_delta`; a NaN never is.
    """

    metric: str = "accuracy"
    patience: int = 3
    min_delta: float = 0.0

    def is_over(self, rows: Sequence[Row]) -> bool:
        """Whether these epochs were enough; a function of the rows alone, as resuming needs."""
        best, without = -math.inf, 0
        for row in rows:
            if _OF_TEST + self.metric not in row:
                continue
            value = score(row, _OF_TEST + self.metric)
            is_better = value > best + self.min_delta
            best, without = (value, 0) if is_better else (best, without + 1)
            if without >= self.patience:
                return True
        return False


@dataclass(frozen=True)
class Plan:
    """How a training is run; nothing here but `early_stopping` changes its result.

    `steps_per_graph` is an upper limit, `keep_checkpoints` None keeps all, `checkpoint_every_s`
    None saves at the ends of epochs only, `evaluate_every` 0 never measures the test split.
    """

    steps_per_graph: int = 1
    data_sink: bool = False
    keep_checkpoints: int | None = None
    checkpoint_every_s: float | None = None
    evaluate_every: int = 0
    early_stopping: EarlyStopping | None = None

    @property
    def monitored(self) -> str:
        """The column of a row by which the best epoch is chosen."""
        if self.evaluate_every == 0:
            return "loss"
        return _OF_TEST + (self.early_stopping.metric if self.early_stopping else "accuracy")

    def measures_after(self, epoch: int) -> bool:
        """Whether the test split is measured at the end of this epoch."""
        return self.evaluate_every > 0 and epoch % self.evaluate_every == 0

    def is_over(self, rows: Sequence[Row], epochs: int) -> bool:
        """Whether a training with these rows has nothing left to do."""
        if len(rows) >= epochs:
            return True
        return self.early_stopping is not None and self.early_stopping.is_over(rows)


def measured(metrics: Mapping[str, float]) -> Row:
    """Metrics of the test split as columns of a row.

    >>> measured({"accuracy": 0.5})
    {'test_accuracy': 0.5}
    """
    return {_OF_TEST + name: float(value) for name, value in metrics.items()}


def score(row: Row, metric: str) -> float:
    """The row's value of a metric as a number of which more is better."""
    return -row[metric] if is_minimised(metric) else row[metric]
