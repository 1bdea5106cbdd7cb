"""A multilayer perceptron over the pixels."""

from __future__ import annotations

from collections.abc import Sequence

from mindspore import Tensor, nn


class MLP(nn.Cell):
    """Dense layers with ReLU between: images (n, channels, size, size) to logits (n, classes)."""

    def __init__(self, classes: int, channels: int, size: int, hidden: Sequence[int]) -> None:
        super().__init__()
        widths = [channels * size * size, *hidden, classes]
        layers: list[nn.Cell] = [nn.Flatten()]
        for inputs, outputs in zip(widths, widths[1:]):
            dense = nn.Dense(inputs, outputs, weight_init="he_uniform", bias_init="zeros")
            layers += [dense, nn.ReLU()]
        self.layers = nn.SequentialCell(layers[:-1])

    def construct(self, image: Tensor) -> Tensor:
        """The logits of a batch of images."""
        return self.layers(image)
