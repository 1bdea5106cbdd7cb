"""MindSpore's data sink: batches wait on the device before a step asks for them.

For Ascend (`device.data_sink`). Follows MindSpore's documentation of DatasetHelper and
connect_network_with_dataset; not run on an NPU by us. Each epoch of a stream is a dataset of its
own, and so is its graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import mindspore
from mindspore import Tensor, nn


def results(
    step: nn.Cell, dataset: Any, done: int, *, length: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """The step's results on every batch after the first `done`; `length` is fixed by the graph."""
    del length
    remaining = dataset.skip(done) if done else dataset
    # One step at a time: a longer loop on the device tells the last loss only.
    helper = mindspore.DatasetHelper(
        remaining, dataset_sink_mode=True, sink_size=1, epoch_num=remaining.get_dataset_size()
    )
    connected = mindspore.connect_network_with_dataset(step, helper)
    for _ in range(remaining.get_dataset_size()):
        for columns in helper:
            yield connected(*columns)
