"""The same training in PyTorch, as its users write one: python -m benchmarks.trainings.eager DATA.

Eager, the images in memory, the same batches in the same order.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from benchmarks.trainings import setup


def network() -> nn.Module:
    """LeNet-5."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, bias=False), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5, bias=False), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, setup.CLASSES),
    )  # fmt: skip


def main(words: Sequence[str] | None = None) -> None:
    """Trains, and tells what an epoch took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--epochs", type=int, default=2)
    options = parser.parse_args(words)
    torch.manual_seed(setup.SEED)
    images, labels = setup.samples(options.data)
    held = torch.from_numpy(images), torch.from_numpy(labels).long()
    model, ends_s = network(), []
    optimizer = torch.optim.SGD(model.parameters(), setup.LEARNING_RATE, setup.MOMENTUM)
    for epoch in range(1, options.epochs + 1):
        _epoch(model, optimizer, held, epoch)
        ends_s.append(time.perf_counter())
    setup.tell(ends_s)


def _epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    held: tuple[torch.Tensor, torch.Tensor],
    epoch: int,
) -> None:
    images, labels = held
    measure, loss = nn.CrossEntropyLoss(), torch.zeros(())
    for row in torch.from_numpy(setup.batches(len(labels), epoch)):
        optimizer.zero_grad()
        loss = measure(model(images[row]), labels[row])
        loss.backward()
        optimizer.step()
    if not torch.isfinite(loss):
        raise SystemExit("the loss is not finite")


if __name__ == "__main__":
    main()
