"""An ordinary MindSpore script: it reads, trains, measures and saves, and knows no MindRun."""

import argparse
import csv
import os

import mindspore as ms
import numpy as np
from mindspore import nn

parser = argparse.ArgumentParser()
parser.add_argument("--data", default="iris/iris.csv")
parser.add_argument("--output", default="output")
parser.add_argument("--epochs", type=int, default=40)
args = parser.parse_args()

with open(args.data) as file:
    rows = list(csv.reader(file))[1:]
kinds = sorted({row[4] for row in rows})
x = np.array([row[:4] for row in rows], np.float32)
y = np.array([kinds.index(row[4]) for row in rows], np.int32)
is_test = np.arange(len(rows)) % 5 == 0

ms.set_seed(1)
network = nn.SequentialCell(nn.Dense(4, 16), nn.ReLU(), nn.Dense(16, 3))
loss = nn.SoftmaxCrossEntropyWithLogits(sparse=True, reduction="mean")
optimizer = nn.Momentum(network.trainable_params(), 0.01, 0.9)
step = nn.TrainOneStepCell(nn.WithLossCell(network, loss), optimizer)
for epoch in range(args.epochs):
    order = np.random.permutation(np.flatnonzero(~is_test))
    for start in range(0, len(order), 16):
        batch = order[start : start + 16]
        value = step(ms.Tensor(x[batch]), ms.Tensor(y[batch]))
    print(f"epoch {epoch + 1} loss {float(value.asnumpy()):.4f}")

predicted = network(ms.Tensor(x[is_test])).asnumpy().argmax(1)
print(f"accuracy {(predicted == y[is_test]).mean():.4f}")
os.makedirs(args.output, exist_ok=True)
ms.save_checkpoint(network, os.path.join(args.output, "petals.ckpt"))
