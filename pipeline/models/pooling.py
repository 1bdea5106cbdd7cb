"""Pooling that a CPU computes fast while it trains."""

from __future__ import annotations

import mindspore
from mindspore import Tensor, nn, ops


class MaxPool2d(nn.MaxPool2d):
    """The maximum of each square of `size` x `size`: (n, c, h, w) to (n, c, h // size, w // size).

    The squares lie side by side: what MindSpore's `nn.MaxPool2d(size, size)` gives, and the same
    gradients. While it trains on a CPU, and height and width are multiples of `size`, it is
    computed as an adaptive pooling, for which MindSpore has a faster kernel than the one of oneDNN
    that the setting in `conf/device/cpu.yaml` leads to: a LeNet-5 step takes a fifth less time.
    Elsewhere, and in a network that is exported, it is MindSpore's own.
    """

    def __init__(self, size: int) -> None:
        super().__init__(kernel_size=size, stride=size)
        self.size = size
        self.is_cpu = mindspore.get_context("device_target") == "CPU"

    def construct(self, x: Tensor) -> Tensor:
        """The maxima."""
        height, width = x.shape[-2:]
        if self.is_cpu and self.training and height % self.size == 0 and width % self.size == 0:
            return ops.adaptive_max_pool2d(x, (height // self.size, width // self.size))
        return super().construct(x)
