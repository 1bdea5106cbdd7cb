"""Trains LeNet-5 the way the platforms' samples do: argparse, MindSpore, data_dir/MNISTData/train."""

import argparse
import os

import mindspore.dataset as ds
import mindspore.nn as nn
from mindspore import Model, context, dtype, save_checkpoint
from mindspore.common.initializer import Normal
from mindspore.dataset import transforms, vision
from mindspore.train.callback import Callback

parser = argparse.ArgumentParser(description="MindSpore LeNet example")
parser.add_argument("--data_dir", default="./data")
parser.add_argument("--output_dir", default="./output")
parser.add_argument("--device_target", default="CPU", choices=["Ascend", "GPU", "CPU"])
parser.add_argument("--epoch_size", type=int, default=1)
parser.add_argument("--fail_after", type=int, default=0)


class LeNet5(nn.Cell):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 5, pad_mode="valid")
        self.pool = nn.MaxPool2d(kernel_size=2, stride=2)
        self.relu = nn.ReLU()
        self.flatten = nn.Flatten()
        self.fc = nn.Dense(6 * 14 * 14, 10, weight_init=Normal(0.02))

    def construct(self, x):
        return self.fc(self.flatten(self.pool(self.relu(self.conv(x)))))


def create_dataset(path, batch_size=10):
    data = ds.MnistDataset(path, shuffle=True)
    data = data.map(vision.Resize((32, 32)), "image")
    data = data.map(vision.Rescale(1.0 / 255.0, 0.0), "image")
    data = data.map(vision.HWC2CHW(), "image")
    data = data.map(transforms.TypeCast(dtype.int32), "label")
    return data.batch(batch_size, drop_remainder=True)


class Save(Callback):
    def __init__(self, folder, fail_after):
        super().__init__()
        self.folder, self.fail_after = folder, fail_after

    def epoch_end(self, run_context):
        params = run_context.original_args()
        epoch = params.cur_epoch_num
        save_checkpoint(params.train_network, os.path.join(self.folder, f"lenet-{epoch}.ckpt"))
        print(f"epoch {epoch} loss {float(params.net_outputs.asnumpy()):.4f}")
        if epoch == self.fail_after:
            raise RuntimeError("something broke in the sample")


if __name__ == "__main__":
    args = parser.parse_args()
    context.set_context(mode=context.GRAPH_MODE, device_target=args.device_target)
    network = LeNet5()
    loss = nn.SoftmaxCrossEntropyWithLogits(sparse=True, reduction="mean")
    model = Model(network, loss, nn.Momentum(network.trainable_params(), 0.01, 0.9))
    train = create_dataset(os.path.join(args.data_dir, "MNISTData", "train"))
    model.train(
        args.epoch_size,
        train,
        callbacks=[Save(args.output_dir, args.fail_after)],
        dataset_sink_mode=False,
    )
    print("trained")
