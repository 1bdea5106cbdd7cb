"""What all of them train: LeNet-5 on images in MNIST's layout, with the numbers of the job."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.datasets import mnist
from pipeline.training import order

CLASSES = 10
SIZE = 32
BATCH_SIZE = 32
LEARNING_RATE, MOMENTUM = 0.015, 0.9
SEED = 1


def samples(folder: Path) -> tuple[Any, Any]:
    """Images (n, 1, SIZE, SIZE) and labels (n,), prepared as the job prepares them."""
    arrays = mnist.load([folder], "train", size=SIZE)
    return arrays.columns["image"], arrays.labels


def batches(count: int, epoch: int) -> Any:
    """Rows of the indices below `count`, in the job's order of this epoch."""
    return order.batches(count, BATCH_SIZE, seed=SEED, epoch=epoch)


def tell(ends_s: Sequence[float]) -> None:
    """Prints, for `benchmarks.measure`, what the epochs after the first took on average.

    Graphs are compiled in the first.
    """
    seconds = (ends_s[-1] - ends_s[0]) / (len(ends_s) - 1)
    sys.stdout.write("\n" + json.dumps({"seconds": seconds}) + "\n")
