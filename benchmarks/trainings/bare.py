"""The shortest loop that we know in MindSpore: python -m benchmarks.trainings.bare DATA WEIGHTS.

The fastest ways of calling a step, and nothing around them: no metrics, checkpoints, progress,
export or readiness to stop. It saves its weights at its end, so that they can be compared.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mindspore
import numpy as np
from mindspore import Parameter, ParameterTuple, Tensor, nn, ops

from benchmarks.trainings import setup
from pipeline.models.lenet5 import LeNet5
from pipeline.training import denormals


class Step(nn.Cell):
    """From the indices of a batch to its loss; the weights move."""

    def __init__(self, images: Any, labels: Any) -> None:
        super().__init__(auto_prefix=False)
        self.network = LeNet5(classes=setup.CLASSES, channels=1).set_train()
        self.loss = nn.SoftmaxCrossEntropyWithLogits(sparse=True, reduction="mean")
        weights = self.network.trainable_params()
        self.optimizer = nn.Momentum(weights, setup.LEARNING_RATE, setup.MOMENTUM)
        self.images = Parameter(Tensor(images), name="images", requires_grad=False)
        self.labels = Parameter(Tensor(labels), name="labels", requires_grad=False)
        self.differentiate = ops.value_and_grad(self.forward, None, ParameterTuple(weights))

    def construct(self, batch: Tensor) -> Tensor:
        """One step."""
        loss, gradients = self.differentiate(batch)
        return ops.depend(loss, self.optimizer(gradients))

    def forward(self, batch: Tensor) -> Tensor:
        """The loss of a batch."""
        logits = self.network(ops.gather(self.images, batch, 0))
        return self.loss(logits, ops.gather(self.labels, batch, 0))


class Steps(nn.Cell):
    """Several steps as one graph."""

    def __init__(self, step: Step, count: int) -> None:
        super().__init__(auto_prefix=False)
        self.step, self.count = step, count

    def construct(self, rows: Tensor) -> Tensor:
        """One step for each row of indices; the loss of the last."""
        loss = self.step(rows[0])
        for number in range(1, self.count):
            # What nobody asks for would not be computed.
            loss = ops.depend(self.step(rows[number]), loss)
        return loss


def main(words: Sequence[str] | None = None) -> None:
    """Trains, and tells what an epoch took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--steps-per-graph", type=int, default=25)
    parser.add_argument("--epochs", type=int, default=2)
    options = parser.parse_args(words)
    mindspore.set_context(mode=mindspore.GRAPH_MODE)
    mindspore.set_device("CPU")
    mindspore.set_seed(setup.SEED)
    images, labels = setup.samples(options.data)
    step, ends_s = Step(images, labels), []
    steps = Steps(step, options.steps_per_graph)
    with denormals.flushed():
        for epoch in range(1, options.epochs + 1):
            _epoch(steps, setup.batches(len(labels), epoch))
            ends_s.append(time.perf_counter())
    mindspore.save_checkpoint(step.network, str(options.weights))
    setup.tell(ends_s)


def _epoch(steps: Steps, rows: Any) -> None:
    whole = len(rows) // steps.count * steps.count
    loss = Tensor(0.0)
    for first in range(0, whole, steps.count):
        loss = steps(Tensor(rows[first : first + steps.count]))
    for row in rows[whole:]:
        loss = steps.step(Tensor(row))
    if not np.isfinite(loss.asnumpy()):
        raise SystemExit("the loss is not finite")


if __name__ == "__main__":
    main()
