"""A session: the network with its loss, optimizer and data, ready to train or evaluate."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import mindspore
import numpy as np
from mindspore import Parameter, nn

from pipeline.data import Arrays, Data
from pipeline.errors import DatasetError
from pipeline.training import order, parameters
from pipeline.training.device import first_sentence, in_scratch
from pipeline.training.learning import Metric, Recipe, measured

log = logging.getLogger(__name__)

# Half floats lose small gradients unless these are scaled up; a power of two rounds nothing.
_HALF_PRECISION_SCALE = 1024.0
# These parameters of an optimizer are the job's to say, and training does not change them.
_SETTINGS = ("learning_rate", "momentum")
_TRIED_CLASSES = 10
_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


@dataclass(frozen=True)
class Session:
    """All that training and evaluation work with; the optimizer is there if training data are.

    A step takes `accumulation` batches of `batch_size`, of whose gradients it takes the mean;
    `rates` are the learning rates of the steps, or the one of all.
    """

    network: nn.Cell
    loss: Any
    optimizer: nn.Optimizer | None
    train: Data | None
    test: Data | None
    rates: tuple[float, ...]
    batch_size: int
    seed: int
    precision: str
    accumulation: int = 1
    metrics: Mapping[str, Metric] = field(default_factory=dict)

    @property
    def loss_scale(self) -> float:
        """What the loss is multiplied with before gradients are taken."""
        return 1.0 if self.precision == "O0" else _HALF_PRECISION_SCALE

    def rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        return self.rates[min(step, len(self.rates) - 1)]

    def weights(self) -> dict[str, Parameter]:
        """The network's parameters, by plain name."""
        return {parameter.name: parameter for parameter in self.network.get_parameters()}

    def state(self) -> dict[str, Parameter]:
        """Weights and optimizer state, by name: all that changes while training."""
        held = self.optimizer.get_parameters() if self.optimizer else ()
        changing = [parameter for parameter in held if not parameter.name.startswith(_SETTINGS)]
        return {**{parameter.name: parameter for parameter in changing}, **self.weights()}

    def drawing(self) -> list[str]:
        """The parts of the network that draw random numbers while it learns.

        MindSpore neither tells nor takes the state of these (2.7 and 2.10), and draws others in
        every process.
        """
        return [
            name
            for name, cell in self.network.cells_and_names()
            if isinstance(cell, _DROPOUTS) and getattr(cell, "p", getattr(cell, "prob", 1)) != 0
        ]


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
    epochs: int = 1,
    ranks: int = 1,
    recipe: Recipe = Recipe(),  # noqa: B008 - frozen
) -> Session:
    """A session around this network that learns by the recipe, for so many epochs on `ranks`.

    Raises:
        DatasetError: training and test data differ in shape, or a label is below 0.
        TrainingError: a part of the recipe is not what it is taken for.
    """
    _check(train, test)
    if precision != "O0":
        with in_scratch():
            network = mindspore.amp.auto_mixed_precision(network, precision)
    session = Session(
        network=network,
        loss=recipe.make_loss() if train is not None else None,
        optimizer=None,
        train=train,
        test=test,
        rates=(learning_rate,),
        batch_size=batch_size,
        seed=seed,
        precision=precision,
        accumulation=accumulation,
        metrics=recipe.metrics,
    )
    _try(session)
    if train is None:
        return session
    steps = order.steps_per_epoch(len(train), batch_size * accumulation * ranks)
    rates = recipe.rates(learning_rate, steps, epochs)
    offered = {"momentum": momentum, "loss_scale": session.loss_scale}
    optimizer = recipe.make_optimizer(network.trainable_params(), rates, **offered)
    return replace(session, optimizer=optimizer, rates=rates)


def load_weights(
    session: Session, path: Path, *, strict: bool = True, remedy: str = ""
) -> list[str]:
    """The network's weights are the file's; optimizer state in it is left alone.

    Without `strict` those that the file lacks, or has in another shape, stay as they are; all that
    does not fit is named in the log and given. With it `remedy` is what else may be done.

    Raises:
        CheckpointError: the file is missing or damaged, or does not fit the network.
    """
    problems: list[str] = []
    if strict:
        parameters.fill(session.weights(), path, remedy=remedy)
    else:
        problems = parameters.fill_fitting(session.weights(), path)
    if problems:
        log.warning("loaded what fits from %s; left out: %s", path, "; ".join(problems))
    log.debug("loaded weights from %s", path)
    return problems


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


def _try(session: Session) -> None:
    """Metrics that do not work are heard of now, not after hours."""
    logits = np.eye(_TRIED_CLASSES, dtype=np.float32)
    measured(session.metrics, logits, np.arange(_TRIED_CLASSES, dtype=np.int32))


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
