"""LeNet-5, with the parameter names of MindSpore's official sample."""

from __future__ import annotations

from mindspore import Tensor, nn

from pipeline.models.pooling import MaxPool2d

_START = "xavier_uniform"


class LeNet5(nn.Cell):
    """Two convolutions and three dense layers: images (n, channels, 32, 32) to logits (n, classes).

    Checkpoints of the official sample load. Weights start from Glorot's uniform distribution, not
    the sample's Normal(0.02), with which small data stay at chance for several epochs.
    """

    def __init__(self, classes: int, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 6, 5, pad_mode="valid", weight_init=_START)
        self.conv2 = nn.Conv2d(6, 16, 5, pad_mode="valid", weight_init=_START)
        self.fc1 = nn.Dense(16 * 5 * 5, 120, weight_init=_START, bias_init="zeros")
        self.fc2 = nn.Dense(120, 84, weight_init=_START, bias_init="zeros")
        self.fc3 = nn.Dense(84, classes, weight_init=_START, bias_init="zeros")
        self.relu = nn.ReLU()
        self.max_pool2d = MaxPool2d(2)
        self.flatten = nn.Flatten()

    def construct(self, image: Tensor) -> Tensor:
        """The logits of a batch of images."""
        features = self.max_pool2d(self.relu(self.conv1(image)))
        features = self.max_pool2d(self.relu(self.conv2(features)))
        features = self.flatten(features)
        features = self.relu(self.fc1(features))
        features = self.relu(self.fc2(features))
        return self.fc3(features)
