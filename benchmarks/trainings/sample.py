"""A training as the official samples write theirs: python -m benchmarks.trainings.sample ...

The images pass through one operation after the other, in one worker; callbacks print each loss
and save each epoch; then the whole output folder is copied to where results go, all of it, at
every epoch's end. What MindSpore does without being told is left as it is.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mindspore
import mindspore.dataset as ds
from mindspore import nn
from mindspore.dataset import transforms, vision
from mindspore.train import Callback, CheckpointConfig, LossMonitor, Model, ModelCheckpoint

from benchmarks.trainings import COPIED_NAME, setup
from pipeline.datasets import mnist
from pipeline.models.lenet5 import LeNet5


class CopyOutput(Callback):  # type: ignore[misc]
    """Copies the output folder after each epoch, and notes when that was and the bytes so far."""

    def __init__(self, source: Path, place: Path) -> None:
        super().__init__()
        self.source, self.place = source, place
        self.copied_bytes = 0
        self.ends_s: list[float] = []

    def on_train_epoch_end(self, run_context: Any) -> None:
        """Everything that lies there goes there once more."""
        del run_context
        shutil.copytree(self.source, self.place, dirs_exist_ok=True)
        files = [path for path in self.source.rglob("*") if path.is_file()]
        self.copied_bytes += sum(path.stat().st_size for path in files)
        self.ends_s.append(time.perf_counter())


def images(folder: Path) -> Any:
    """The training images, in batches."""
    loaded = ds.MnistDataset(str(folder / "train"), shuffle=True)
    operations = (
        ("label", transforms.TypeCast(mindspore.int32)),
        ("image", vision.Resize((setup.SIZE, setup.SIZE), vision.Inter.LINEAR)),
        ("image", vision.Rescale(1 / 255, 0.0)),
        ("image", vision.Rescale(1 / mnist.DEVIATION, -mnist.MEAN / mnist.DEVIATION)),
        ("image", vision.HWC2CHW()),
    )
    for column, operation in operations:
        loaded = loaded.map(operation, input_columns=column, num_parallel_workers=1)
    return loaded.shuffle(10_000).batch(setup.BATCH_SIZE, drop_remainder=True)


def main(words: Sequence[str] | None = None) -> None:
    """Trains, and tells what an epoch took; the bytes copied stand in a file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--keep", type=int, default=1000, help="checkpoints to keep")
    options = parser.parse_args(words)
    mindspore.set_context(mode=mindspore.GRAPH_MODE)
    mindspore.set_device("CPU")
    network = LeNet5(classes=setup.CLASSES, channels=1)
    network.max_pool2d = nn.MaxPool2d(kernel_size=2, stride=2)  # as samples write it
    loss = nn.SoftmaxCrossEntropyWithLogits(sparse=True, reduction="mean")
    optimizer = nn.Momentum(network.trainable_params(), setup.LEARNING_RATE, setup.MOMENTUM)
    model = Model(network, loss, optimizer, metrics={"accuracy"})
    loaded = images(options.data)
    copy = CopyOutput(options.output / "output", options.output / "place")
    config = CheckpointConfig(loaded.get_dataset_size(), keep_checkpoint_max=options.keep)
    keep = ModelCheckpoint("lenet5", config=config, directory=str(copy.source))
    callbacks = [LossMonitor(), keep, copy]
    model.train(options.epochs, loaded, callbacks=callbacks, dataset_sink_mode=False)
    (options.output / COPIED_NAME).write_text(str(copy.copied_bytes), encoding="utf-8")
    setup.tell(copy.ends_s)


if __name__ == "__main__":
    main()
