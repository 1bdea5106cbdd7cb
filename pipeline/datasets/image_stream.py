"""Folders of images, one subfolder per class, read while they are used: all of ImageNet.

Decoding, cutting and scaling are one operation of MindSpore's, done by several threads.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mindspore
from mindspore import dataset
from mindspore.dataset import transforms, vision

from pipeline.data import Share, Stream
from pipeline.datasets.image_folder import DEVIATION, MEAN, SUFFIXES, find_split
from pipeline.errors import DatasetError

# When measuring, the shorter side becomes 256 for a cut of 224, as is the custom.
_ENLARGED = 256 / 224
_MIRRORED_SHARE = 0.5


def load(folders: Sequence[Path], split: str, *, size: int, workers: int) -> Stream:
    """The split as a stream, classes in the order of the training folders' names, if there are any.

    Folders are found as `pipeline.datasets.image_folder` finds them. For training a random part of
    each image is cut out, scaled to `size` pixels and mirrored at random; for measuring it is the
    middle. What is random follows from the share's seed and the number of threads: `workers`, but
    never more than there are cores, which MindSpore refuses.

    Columns: image float32 (n, 3, size, size), normalised with ImageNet's mean and deviation;
    label int32 (n,).

    Raises:
        DatasetError: no folder holds the split, or it has no images, or classes that the training
            images lack.
    """
    root = find_split(folders, split)
    names = _classes(_training_root(folders) or root)
    unknown = sorted(set(_classes(root)) - set(names))
    if unknown:
        raise DatasetError(
            f"{root} has the class {unknown[0]!r}, for which there are no training images; "
            f"expected the same folders as there. Remove it, or add images to learn it from."
        )
    labels = {name: label for label, name in enumerate(names)}
    source = _Source(root, labels, size, threads=min(workers, _cores()))
    samples = source.count()
    if samples == 0:
        raise DatasetError(f"{root} holds no images ({', '.join(SUFFIXES)}). Fetch the data anew.")
    return Stream(samples, ("image", "label"), len(names), source.open)


def _training_root(folders: Sequence[Path]) -> Path | None:
    with contextlib.suppress(DatasetError):
        return find_split(folders, "train")
    return None


def _classes(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir() if path.is_dir())


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class _Source:
    """Where the images lie, and how they become samples."""

    root: Path
    labels: Mapping[str, int]
    size: int
    threads: int

    def count(self) -> int:
        """The number of images; looks into every folder."""
        return int(self._files(None).get_dataset_size())

    def open(self, share: Share) -> Any:
        """The share's samples as a MindSpore dataset, in batches."""
        if share.seed is not None:
            # Each operation takes its random numbers from here when it is made.
            dataset.config.set_seed(share.seed)
        files = self._files(dataset.SubsetSampler([int(index) for index in share.indices]))
        prepared = files.map(
            self._measuring() if share.seed is None else self._training(),
            "image",
            num_parallel_workers=self.threads,
        )
        labelled = prepared.map(transforms.TypeCast(mindspore.int32), "label")
        return labelled.batch(share.batch_size)

    def _files(self, sampler: Any) -> Any:
        return dataset.ImageFolderDataset(
            str(self.root),
            num_parallel_workers=self.threads,
            shuffle=None if sampler else False,
            sampler=sampler,
            extensions=[*SUFFIXES, *(suffix.upper() for suffix in SUFFIXES)],
            class_indexing=dict(self.labels),
        )

    def _training(self) -> list[Any]:
        cut = vision.RandomCropDecodeResize(self.size)
        return [cut, vision.RandomHorizontalFlip(_MIRRORED_SHARE), *_as_input()]

    def _measuring(self) -> list[Any]:
        scale = vision.Resize(round(self.size * _ENLARGED))
        return [vision.Decode(), scale, vision.CenterCrop(self.size), *_as_input()]


def _as_input() -> list[Any]:
    levels = ([255 * part for part in parts] for parts in (MEAN, DEVIATION))
    return [vision.Normalize(*levels), vision.HWC2CHW()]
