"""The shipped networks: names, shapes, and that they learn the shipped digits."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.datasets import mnist
from pipeline.datasets.digits.make_digits import ZIP_PATH
from pipeline.errors import ConfigError

pytestmark = pytest.mark.mindspore

SAMPLE_SHAPES = {
    "conv1.weight": (6, 3, 5, 5),
    "conv2.weight": (16, 6, 5, 5),
    "fc1.weight": (120, 400),
    "fc1.bias": (120,),
    "fc2.weight": (84, 120),
    "fc2.bias": (84,),
    "fc3.weight": (7, 84),
    "fc3.bias": (7,),
}


@pytest.fixture(scope="module", autouse=True)
def _prepared(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")
    from pipeline.training import device

    device.prepare("CPU", precision="O0", seed=1, scratch=tmp_path_factory.mktemp("scratch"))


def test_lenet5_has_the_samples_parameters():
    """Names and shapes are those of the official sample, so that its checkpoints load."""
    from pipeline.models.lenet5 import LeNet5

    network = LeNet5(7, 3)

    assert {p.name: tuple(p.shape) for p in network.get_parameters()} == SAMPLE_SHAPES


@pytest.mark.parametrize("height", [10, 11])
@pytest.mark.parametrize("has_ties", [False, True])
def test_pooling_is_mindspores_own(height: int, has_ties: bool):
    """The same maxima and the same gradients, bit by bit, also where two values are the same."""
    from mindspore import Tensor, nn

    from pipeline.models.pooling import MaxPool2d

    images = np.random.default_rng(1).normal(size=(4, 3, height, 6)).astype(np.float32)
    if has_ties:
        images = np.maximum(np.round(images), 0)
    ours, theirs = MaxPool2d(2), nn.MaxPool2d(2, 2)
    for pool in (ours, theirs):
        pool.set_train(True)

    found, expected = (_pooled(pool, Tensor(images)) for pool in (ours, theirs))

    assert found[0].shape == (4, 3, 5, 3)
    assert np.array_equal(found[0], expected[0])
    assert np.array_equal(found[1], expected[1])
    assert np.count_nonzero(found[1]) == found[0].size
    assert np.array_equal(ours.set_train(False)(Tensor(images)).asnumpy(), expected[0])


def _pooled(pool: Any, images: Any) -> list[Any]:
    """The maxima, and the gradients of their weighted sum."""
    from mindspore import Tensor, nn, ops

    class Pooled(nn.Cell):
        def construct(self, images: Tensor) -> tuple[Tensor, Tensor]:
            maxima = pool(images)
            weights = ops.arange(maxima.size).reshape(maxima.shape) + 1.0
            return (maxima * weights).sum(), maxima

    both = ops.value_and_grad(Pooled(), has_aux=True)(images)
    return [both[0][1].asnumpy(), both[1].asnumpy()]


@pytest.mark.parametrize("hidden", [[], [8], [8, 5]])
def test_the_mlp_gives_logits(hidden: list[int]):
    """Any number of hidden layers leads from images to classes."""
    from mindspore import Tensor

    from pipeline.models.mlp import MLP

    logits = MLP(7, 3, 4, hidden)(Tensor(np.ones((2, 3, 4, 4), np.float32)))

    assert logits.shape == (2, 7)


def resnet_shapes(depth: int) -> dict[str, tuple[int, ...]]:
    """The parameters that mindcv 0.3.0 gives a residual network for 7 classes."""
    blocks, convolutions = {18: ((2, 2, 2, 2), 2), 34: ((3, 4, 6, 3), 2), 50: ((3, 4, 6, 3), 3)}[
        depth
    ]
    expansion = 4 if convolutions == 3 else 1
    shapes = {"conv1.weight": (64, 3, 7, 7), **batch_norm("bn1", 64)}
    inputs = 64
    for layer, count in enumerate(blocks, 1):
        width = 32 * 2**layer
        for block in range(count):
            place, outputs = f"layer{layer}.{block}", width * expansion
            plans = [(inputs, width, 3), (width, width, 3)]
            if convolutions == 3:
                plans = [(inputs, width, 1), (width, width, 3), (width, outputs, 1)]
            for number, (before, after, size) in enumerate(plans, 1):
                shapes[f"{place}.conv{number}.weight"] = (after, before, size, size)
                shapes |= batch_norm(f"{place}.bn{number}", after)
            if block == 0 and (layer > 1 or inputs != outputs):
                shapes[f"{place}.down_sample.0.weight"] = (outputs, inputs, 1, 1)
                shapes |= batch_norm(f"{place}.down_sample.1", outputs)
            inputs = outputs
    return {**shapes, "classifier.weight": (7, inputs), "classifier.bias": (7,)}


def batch_norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    """The four parameters of a batch normalisation."""
    return {f"{name}.{part}": (width,) for part in PARTS}


PARTS = ("moving_mean", "moving_variance", "gamma", "beta")


@pytest.mark.parametrize(("depth", "parameters"), [(18, 102), (34, 182), (50, 267)])
def test_resnets_have_the_parameters_of_mindcv(depth: int, parameters: int):
    """Names and shapes are mindcv's, so that its checkpoints load."""
    from pipeline.models.resnet import ResNet

    found = {p.name: tuple(p.shape) for p in ResNet(depth, 7, 3).get_parameters()}

    assert found == resnet_shapes(depth)
    assert len(found) == parameters


@pytest.mark.parametrize(("stem", "size", "inner"), [("imagenet", 64, 16), ("small", 32, 32)])
def test_a_stem_fits_its_size_of_images(stem: str, size: int, inner: int):
    """The first blocks see a quarter of a photograph's sides, and all of a small image's."""
    from mindspore import Tensor

    from pipeline.models.resnet import ResNet

    network, images = ResNet(18, 7, 3, stem), Tensor(np.ones((2, 3, size, size), np.float32))

    features = network.max_pool(network.relu(network.bn1(network.conv1(images))))

    assert features.shape == (2, 64, inner, inner)
    assert network(images).shape == (2, 7)


def test_a_resnet_that_does_not_exist_is_refused():
    """Both mistakes are told, with their keys."""
    from pipeline.models.resnet import ResNet

    with pytest.raises(ConfigError, match=r"(?s)network.depth: 19: .*18, 34, 50.*stem: 'big'"):
        ResNet(19, 7, 3, "big")


@pytest.mark.slow
def test_lenet5_learns_the_digits(tmp_path: Path):
    """The shipped settings tell 97 of 100 unseen digits right."""
    from pipeline.models.lenet5 import LeNet5
    from pipeline.training import evaluation, loop, session

    with zipfile.ZipFile(ZIP_PATH) as archive:
        archive.extractall(tmp_path)
    built = session.build(
        network=LeNet5(10, 1),
        train=mnist.load([tmp_path], "train", size=32),
        test=mnist.load([tmp_path], "test", size=32),
        learning_rate=0.015,
        momentum=0.9,
        batch_size=32,
        seed=1,
        precision="O0",
    )

    loop.train(
        built,
        tmp_path / "checkpoints",
        "lenet5",
        epochs=30,
        progress=lambda _: None,
        record=lambda _: None,
        saved=lambda _: None,
    )

    assert evaluation.evaluate(built).accuracy >= 0.97
