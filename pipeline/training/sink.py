"""MindSpore's data sink: batches wait on the device before a step asks for them.

For Ascend (`device.data_sink`); not run on an NPU by us. It does what MindSpore's Model.train does
with DatasetHelper and connect_network_with_dataset, one step a sink: each loss is seen. Each
epoch of a stream is a dataset of its own, and so is its graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import mindspore
from mindspore import Tensor, nn

from pipeline.errors import DeviceError
from pipeline.training.device import first_sentence


def results(
    step: nn.Cell, dataset: Any, done: int, *, length: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """The step's results on every batch after the first `done`; `length` is fixed by the graph.

    Raises:
        DeviceError: the device has no data sink.
    """
    del length
    remaining = dataset.skip(done) if done else dataset
    helper = _helper(remaining)
    try:
        connected = mindspore.connect_network_with_dataset(step, helper)
        for _ in range(remaining.get_dataset_size()):
            for columns in helper:
                yield connected(*columns)
            helper.continue_send()
    finally:
        helper.stop_send()
        helper.release()


def _helper(dataset: Any) -> Any:
    try:
        return mindspore.DatasetHelper(dataset, dataset_sink_mode=True, sink_size=1, epoch_num=1)
    except RuntimeError as error:
        raise DeviceError(
            f"the data sink cannot be used here: {first_sentence(error)} Expected an Ascend or a "
            f"GPU. Write device.data_sink=false."
        ) from error
