"""Data read as training would read them, and nothing done with them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mindspore import dataset

from pipeline.data import Arrays, Data, Share
from pipeline.disk.files import write_json
from pipeline.errors import DatasetError
from pipeline.training import interrupts, order
from pipeline.training.device import first_sentence


@dataclass(frozen=True)
class Reading:
    """What came of a split: how many samples there are and were read, how fast, in what shapes."""

    samples: int
    read: int
    seconds: float
    shapes: dict[str, str]


@interrupts.heard()
def read(
    data: Data,
    *,
    batch_size: int,
    batches: int,
    seed: int | None,
    description: Path,
    progress: Callable[[int], object],
) -> Reading:
    """At most so many batches have come through, in the order of a first epoch.

    The pipeline of a stream is written to `description` as MindSpore's own JSON. With a seed of
    None the samples come in file order, and nothing is random.

    Raises:
        DatasetError: an image is damaged, or the pipeline cannot work.
    """
    if isinstance(data, Arrays):
        progress(len(data))
        shapes = {name: _shape(column) for name, column in data.columns.items()}
        return Reading(len(data), len(data), 0.0, shapes)
    wanted = min(len(data), batch_size * batches)
    indices = range(len(data)) if seed is None else order.permutation(len(data), seed=seed, epoch=1)
    share = Share([int(i) for i in indices[:wanted]], batch_size, seed)
    started, count, shapes = time.perf_counter(), 0, dict[str, str]()
    try:
        opened = data.open(share)
        write_json(description, dataset.serialize(opened))
        for batch in opened.create_tuple_iterator(num_epochs=1, output_numpy=True):
            shapes = shapes or dict(zip(data.columns, map(_shape, batch)))
            count += len(batch[-1])
            progress(len(batch[-1]))
    except (RuntimeError, ValueError, TypeError) as error:
        raise DatasetError(
            f"after {count} of {wanted} samples the data could not be read: {cause_of(error)} "
            f"Replace or remove what is damaged, or look at the loader's arguments."
        ) from error
    return Reading(len(data), count, time.perf_counter() - started, shapes)


def cause_of(error: BaseException) -> str:
    r"""What a MindSpore pipeline ran into, which stands in the middle of its message.

    >>> cause_of(RuntimeError("Exception thrown.\n---\n[ERROR] a.png is cut.\n\n--- C++"))
    'a.png is cut.'
    """
    found = re.search(r"\[ERROR\] (.+?)\s*(?:\n\n|$)", str(error), re.DOTALL)
    return found[1] if found else first_sentence(error)


def _shape(column: Any) -> str:
    return f"{column.dtype} {tuple(column.shape)}"
