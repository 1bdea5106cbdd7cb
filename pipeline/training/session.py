"""A session: the network with its loss, optimizer and data, ready to train or evaluate."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import mindspore
from mindspore import Parameter, nn

from pipeline.data import Arrays, Data
from pipeline.errors import DatasetError
from pipeline.training import parameters
from pipeline.training.device import first_sentence

log = logging.getLogger(__name__)

# Half floats lose small gradients unless these are scaled up; a power of two rounds nothing.
_HALF_PRECISION_SCALE = 1024.0


@dataclass(frozen=True)
class Session:
    """All that training and evaluation work with; the optimizer is there if training data are.

    A step takes `accumulation` batches of `batch_size`, of whose gradients it takes the mean.
    """

    network: nn.Cell
    loss: nn.Cell
    optimizer: nn.Optimizer | None
    train: Data | None
    test: Data | None
    learning_rate: float
    batch_size: int
    seed: int
    precision: str
    accumulation: int = 1

    @property
    def loss_scale(self) -> float:
        """What the loss is multiplied with before gradients are taken."""
        return 1.0 if self.precision == "O0" else _HALF_PRECISION_SCALE

    def weights(self) -> dict[str, Parameter]:
        """The network's parameters, by plain name."""
        return {parameter.name: parameter for parameter in self.network.get_parameters()}

    def state(self) -> dict[str, Parameter]:
        """Weights and optimizer state, by name: all that changes while training."""
        held = list(self.optimizer.get_parameters()) if self.optimizer else []
        return {**self.weights(), **{parameter.name: parameter for parameter in held}}


def build(
    *,
    network: nn.Cell,
    train: Data | None,
    test: Data | None,
    learning_rate: float,
    momentum: float,
    batch_size: int,
    seed: int,
    precision: str,
    accumulation: int = 1,
) -> Session:
    """A session around this network, with the sample's loss and Momentum.

    Raises:
        DatasetError: training and test data differ in shape, or a label is below 0.
    """
    _check(train, test)
    if precision != "O0":
        network = mindspore.amp.auto_mixed_precision(network, precision)
    session = Session(
        network=network,
        loss=nn.SoftmaxCrossEntropyWithLogits(sparse=True, reduction="mean"),
        optimizer=None,
        train=train,
        test=test,
        learning_rate=learning_rate,
        batch_size=batch_size,
        seed=seed,
        precision=precision,
        accumulation=accumulation,
    )
    if train is None:
        return session
    optimizer = _momentum(session, momentum)
    return replace(session, optimizer=optimizer)


def load_weights(session: Session, path: Path) -> None:
    """The network's weights are the file's; optimizer state in it is left alone.

    Raises:
        CheckpointError: the file is missing or damaged, or does not fit the network.
    """
    parameters.fill(session.weights(), path)
    log.debug("loaded weights from %s", path)


@contextlib.contextmanager
def explaining_shapes(session: Session, data: Data) -> Iterator[None]:
    """Turns MindSpore's refusal to call the network on these data into one readable error.

    Raises:
        DatasetError: the network cannot be called on these data.
    """
    try:
        yield
    except (ValueError, TypeError, RuntimeError) as error:
        raise DatasetError(
            f"the network {type(session.network).__name__} cannot work on {data.described}: "
            f"{first_sentence(error)} Change the model's arguments or the dataset's, such as the "
            f"image size, channels or classes."
        ) from error


def _momentum(session: Session, momentum: float) -> nn.Optimizer:
    return nn.Momentum(
        session.network.trainable_params(),
        learning_rate=session.learning_rate,
        momentum=momentum,
        loss_scale=session.loss_scale,
    )


def _check(train: Data | None, test: Data | None) -> None:
    for data in (train, test):
        if isinstance(data, Arrays) and int(data.labels.min()) < 0:
            raise DatasetError(
                f"the data have a label {int(data.labels.min())}; expected 0 and above. "
                f"Look at the loader."
            )
    if train is not None and test is not None and train.described != test.described:
        raise DatasetError(
            f"training data are {train.described}, test data {test.described}; expected the same. "
            f"Look at the loader and its arguments."
        )
