"""Residual networks of 18, 34 and 50 layers, with the parameter names of MindSpore's mindcv."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Union

from mindspore import Tensor, nn
from mindspore.common.initializer import HeNormal, HeUniform

from pipeline.errors import ConfigError, Mistake

_STEMS = ("imagenet", "small")
_START = HeNormal(mode="fan_out", nonlinearity="relu")
# Uniform up to 1 / sqrt(inputs), so that the first logits are small whatever the depth.
_HEAD_START = HeUniform(negative_slope=math.sqrt(5))


class ResNet(nn.Cell):
    """Images (n, channels, height, width) to logits (n, classes); `depth` is 18, 34 or 50.

    Weights that mindcv saved for its resnet18, resnet34 and resnet50 load, and give the same
    logits. The `imagenet` stem shrinks an image to a quarter of its sides before the first block;
    the `small` one keeps its size, for images such as CIFAR's 32x32.

    Raises:
        ConfigError: there is no such depth or stem.
    """

    def __init__(self, depth: int, classes: int, channels: int, stem: str = "imagenet") -> None:
        super().__init__()
        _check(depth, stem)
        block, counts = _STAGES[depth]
        is_small = stem == "small"
        shrink = nn.MaxPool2d(kernel_size=3, stride=2, pad_mode="same")
        self.conv1 = _convolution(channels, 64, 3 if is_small else 7, 1 if is_small else 2)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.max_pool = nn.Identity() if is_small else shrink
        self.layer1 = _layer(block, 64, 64, counts[0], stride=1)
        self.layer2 = _layer(block, 64 * block.expansion, 128, counts[1], stride=2)
        self.layer3 = _layer(block, 128 * block.expansion, 256, counts[2], stride=2)
        self.layer4 = _layer(block, 256 * block.expansion, 512, counts[3], stride=2)
        self.classifier = nn.Dense(
            512 * block.expansion, classes, weight_init=_HEAD_START, bias_init="zeros"
        )

    def construct(self, image: Tensor) -> Tensor:
        """The logits of a batch of images."""
        features = self.max_pool(self.relu(self.bn1(self.conv1(image))))
        features = self.layer2(self.layer1(features))
        features = self.layer4(self.layer3(features))
        return self.classifier(features.mean((2, 3)))


class Basic(nn.Cell):
    """Two 3x3 convolutions beside a shortcut."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _convolution(inputs, width, 3, stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _convolution(width, width, 3, 1)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.down_sample = _shortcut(inputs, width, stride)

    def construct(self, features: Tensor) -> Tensor:
        """The features after the block."""
        inner = self.relu(self.bn1(self.conv1(features)))
        inner = self.bn2(self.conv2(inner))
        return self.relu(inner + self.down_sample(features))


class Bottleneck(nn.Cell):
    """A 1x1, a 3x3 and a widening 1x1 convolution beside a shortcut; the 3x3 one strides."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = width * self.expansion
        self.conv1 = _convolution(inputs, width, 1, 1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _convolution(width, width, 3, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = _convolution(width, outputs, 1, 1)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU()
        self.down_sample = _shortcut(inputs, outputs, stride)

    def construct(self, features: Tensor) -> Tensor:
        """The features after the block."""
        inner = self.relu(self.bn1(self.conv1(features)))
        inner = self.relu(self.bn2(self.conv2(inner)))
        inner = self.bn3(self.conv3(inner))
        return self.relu(inner + self.down_sample(features))


_Block = Union[type[Basic], type[Bottleneck]]

# The kind of block, and how many of them each of the four layers has.
_STAGES: dict[int, tuple[_Block, Sequence[int]]] = {
    18: (Basic, (2, 2, 2, 2)),
    34: (Basic, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
}


def _check(depth: int, stem: str) -> None:
    wrong = []
    if depth not in _STAGES:
        numbers = ", ".join(map(str, _STAGES))
        wrong.append(Mistake("model.network.depth", f"{depth!r}: expected one of {numbers}"))
    if stem not in _STEMS:
        wrong.append(Mistake("model.network.stem", f"{stem!r}: expected {' or '.join(_STEMS)}"))
    if wrong:
        raise ConfigError(wrong)


def _layer(block: _Block, inputs: int, width: int, count: int, *, stride: int) -> nn.SequentialCell:
    first = block(inputs, width, stride)
    rest = [block(width * block.expansion, width, 1) for _ in range(count - 1)]
    return nn.SequentialCell([first, *rest])


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Cell:
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.SequentialCell([_convolution(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs)])


def _convolution(inputs: int, outputs: int, size: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(
        inputs, outputs, size, stride, pad_mode="pad", padding=size // 2, weight_init=_START
    )
