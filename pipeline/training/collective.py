"""What the ranks of one training tell each other; `cluster.join` was called before.

Every rank must make the same calls in the same order: each waits for all others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import mindspore
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

if TYPE_CHECKING:
    from pipeline.data import Array


class Reduction(nn.Cell):
    """One step's mean loss, sum of right predictions and mean gradients over all ranks.

    All travel as one float32 vector, so that a step waits for the others once, half gradients
    cannot overflow, and every rank gets the same bits. A count is exact up to 2**24.
    """

    def __init__(self, size: int) -> None:
        super().__init__(auto_prefix=False)
        self.size = size
        self.all_reduce = ops.AllReduce()

    def construct(
        self, loss: Tensor, right: Tensor, gradients: tuple[Tensor, ...]
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """The three, over all ranks."""
        parts: tuple[Tensor, ...] = ()
        for value in (loss, right, *gradients):
            parts += (value.astype(mindspore.float32).reshape(-1),)
        total = self.all_reduce(ops.concat(parts))
        mean = total / self.size
        averaged: tuple[Tensor, ...] = ()
        start = 2
        for gradient in gradients:
            part = mean[start : start + gradient.size]
            averaged += (part.reshape(gradient.shape).astype(gradient.dtype),)
            start += gradient.size
        return mean[0], total[1].astype(mindspore.int32), averaged


def broadcast_state(parameters: Iterable[Parameter]) -> None:
    """Every parameter holds what it holds on rank 0, bit for bit."""
    held = list(parameters)
    values = [parameter.asnumpy() for parameter in held]
    sent = _broadcast(np.concatenate([_bytes(value) for value in values]))
    ends = np.cumsum([value.nbytes for value in values])
    for parameter, value, part in zip(held, values, np.split(sent, ends)):
        parameter.set_data(Tensor(part.view(value.dtype).reshape(value.shape)))


def broadcast_numbers(numbers: Sequence[int]) -> list[int]:
    """The numbers of rank 0; every rank gives as many."""
    sent = _broadcast(_bytes(np.array(numbers, np.int64)))
    return [int(number) for number in sent.view(np.int64)]


def gather_numbers(numbers: Sequence[int], *, rank: int, size: int) -> list[list[int]]:
    """The numbers of each rank, in the order of ranks; all give as many, each up to 2**24."""
    all_of_them = np.zeros((size, len(numbers)), np.float32)
    all_of_them[rank] = numbers
    found = _Sum()(Tensor(all_of_them)).asnumpy()
    return [[int(number) for number in row] for row in found]


class _Sum(nn.Cell):
    def __init__(self) -> None:
        super().__init__(auto_prefix=False)
        self.all_reduce = ops.AllReduce()

    def construct(self, values: Tensor) -> Tensor:
        return self.all_reduce(values)


class _Broadcast(nn.Cell):
    def __init__(self) -> None:
        super().__init__(auto_prefix=False)
        self.broadcast = ops.Broadcast(0)

    def construct(self, values: Tensor) -> Tensor:
        return self.broadcast((values,))[0]


def _broadcast(octets: Array) -> Array:
    # On CPU only int32 and float32 travel unchanged, and all types can pose as int32.
    padding = np.zeros(-len(octets) % 4, np.uint8)
    words = np.concatenate([octets, padding]).view(np.int32)
    return np.asarray(_Broadcast()(Tensor(words)).asnumpy()).view(np.uint8)[: len(octets)].copy()


def _bytes(values: Array) -> Array:
    return np.frombuffer(values.tobytes(), np.uint8)
