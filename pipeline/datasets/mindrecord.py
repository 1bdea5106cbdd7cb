"""MindSpore's own MindRecord files, read while they are used: images with their labels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mindspore
from mindspore import dataset, mindrecord
from mindspore.dataset import transforms, vision

from pipeline.data import Share, Stream
from pipeline.datasets import search
from pipeline.errors import DatasetError


def load(
    folders: Sequence[Path],
    split: str,
    *,
    classes: int,
    image: str = "data",
    label: str = "label",
    size: int | None = None,
    mean: Sequence[float] = (0.0,),
    deviation: Sequence[float] = (255.0,),
) -> Stream:
    """The split as a stream of `<split>*.mindrecord`, parts of one set in the order of their names.

    `image` and `label` are fields of the file. An image that was stored as JPEG or PNG (bytes) is
    decoded to RGB, scaled to `size` x `size` where one is given, normalised with `mean` and
    `deviation` (levels of 0 to 255) and put channels first; what was stored as numbers
    is left as it is.

    Columns: image float32 (n, channels, height, width), or as stored; label int32 (n,).

    Raises:
        DatasetError: no file holds the split, or it lacks a field.
    """
    files = search.shallowest(
        folders,
        lambda folder: _files_in(folder, split),
        wanted=f"{split}*.mindrecord",
        advice="Give the files names that begin with the split's, train or test.",
    )
    kinds = _fields(files[0])
    lacking = [name for name in (image, label) if name not in kinds]
    if lacking:
        raise DatasetError(
            f"{files[0]} has no field {lacking[0]!r}; there is: {', '.join(kinds)}. Say with "
            f"dataset.loader.image and dataset.loader.label what they are called."
        )
    source = _Source(files, image, label, _preparation(kinds[image], size, mean, deviation))
    return Stream(source.count(), ("image", "label"), classes, source.open)


def _files_in(folder: Path, split: str) -> list[Path] | None:
    # Beside each part lies its index, <name>.db.
    named = re.compile(rf"{re.escape(split)}.*\.mindrecord\d*")
    found = [p for p in folder.iterdir() if named.fullmatch(p.name)] if folder.is_dir() else []
    return sorted(found, key=_number) or None


def _number(path: Path) -> tuple[str, int]:
    """By number and not by text: part 10 comes after part 9."""
    start = path.name.rstrip("0123456789")
    return start, int(path.name[len(start) :] or 0)


def _fields(path: Path) -> dict[str, str]:
    """The fields of a file, with the types of what was stored."""
    try:
        reader = mindrecord.FileReader(str(path))
        schema = reader.schema()
        reader.close()
    except (RuntimeError, ValueError, mindrecord.MRMOpenError) as error:
        raise DatasetError(
            f"{path}: no MindRecord file that can be read ({str(error).splitlines()[0]}); its "
            f"index {path.name}.db must lie beside it."
        ) from error
    return {name: str(field.get("type", "")) for name, field in schema.items()}


def _preparation(
    kind: str, size: int | None, mean: Sequence[float], deviation: Sequence[float]
) -> list[Any]:
    if kind != "bytes":
        return []
    scaled = [] if size is None else [vision.Resize((size, size))]
    levels = [[*part] * 3 if len(part) == 1 else [*part] for part in (mean, deviation)]
    return [vision.Decode(), *scaled, vision.Normalize(*levels), vision.HWC2CHW()]


@dataclass(frozen=True)
class _Source:
    """Where the records lie, and how they become samples."""

    files: Sequence[Path]
    image: str
    label: str
    preparation: Sequence[Any]

    def count(self) -> int:
        """The number of records."""
        return int(self._records(None).get_dataset_size())

    def open(self, share: Share) -> Any:
        """The share's samples as a MindSpore dataset, in batches."""
        records = self._records(dataset.SubsetSampler([int(index) for index in share.indices]))
        if self.preparation:
            records = records.map(list(self.preparation), self.image)
        labelled = records.map(transforms.TypeCast(mindspore.int32), self.label)
        named = labelled.rename([self.image, self.label], ["image", "label"])
        return named.project(["image", "label"]).batch(share.batch_size)

    def _records(self, sampler: Any) -> Any:
        return dataset.MindDataset(
            [str(path) for path in self.files],
            [self.image, self.label],
            shuffle=None if sampler else False,
            sampler=sampler,
        )
