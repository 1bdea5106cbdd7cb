"""A loader of images in MNIST's layout that reads them while they are used, for comparison."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mindspore
from mindspore import dataset
from mindspore.dataset import transforms, vision

from benchmarks.trainings.setup import CLASSES
from pipeline.data import Share, Stream
from pipeline.datasets.mnist import DEVIATION, MEAN

_THREADS = 2


def load(folders: Sequence[Path], split: str, *, size: int) -> Stream:
    """The split as a stream: one fused operation for the images, in several threads."""
    folder = str(folders[0] / split)
    samples = dataset.MnistDataset(folder, shuffle=False).get_dataset_size()

    def open_share(share: Share) -> Any:
        sampler = dataset.SubsetSampler([int(index) for index in share.indices])
        images = dataset.MnistDataset(folder, num_parallel_workers=_THREADS, sampler=sampler)
        operations = [
            vision.Resize((size, size)),
            vision.Rescale(1 / (255 * DEVIATION), -MEAN / DEVIATION),
            vision.HWC2CHW(),
        ]
        prepared = images.map(operations, "image", num_parallel_workers=_THREADS)
        labelled = prepared.map(transforms.TypeCast(mindspore.int32), "label")
        return labelled.batch(share.batch_size)

    return Stream(samples, ("image", "label"), CLASSES, open_share)
