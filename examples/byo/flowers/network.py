"""The network: from a batch of inputs to one logit per class."""

from mindspore import nn


class Petals(nn.Cell):
    """Two layers; `hidden` is how many neurons lie between them."""

    def __init__(self, hidden, classes):
        super().__init__()
        self.layers = nn.SequentialCell(nn.Dense(4, hidden), nn.ReLU(), nn.Dense(hidden, classes))

    def construct(self, x):
        return self.layers(x)
