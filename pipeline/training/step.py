"""One training step as one graph: gather a batch, forward, backward, update."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mindspore
from mindspore import Parameter, ParameterTuple, Tensor, nn, ops

from pipeline.data import Arrays
from pipeline.training.collective import Reduction
from pipeline.training.session import Session

if TYPE_CHECKING:
    from pipeline.data import Array


class TrainStep(nn.Cell):
    """From a batch's indices to its loss and its number of right predictions; the weights move.

    The data are held as parameters, so that a batch is gathered inside the graph, which is faster
    than slices handed over by Python. They belong to this cell, not to the training state.
    With more ranks than one, gradients, loss and count are those of all ranks' batches.
    """

    def __init__(
        self, session: Session, optimizer: nn.Optimizer, data: Arrays, *, size: int = 1
    ) -> None:
        # Without prefixes the weights keep their plain names.
        super().__init__(auto_prefix=False)
        self.network = session.network.set_train(True)
        self.loss = session.loss
        self.optimizer = optimizer
        self.scale = session.loss_scale
        self.inputs = ParameterTuple(
            [_held(f"data.{name}", data.columns[name]) for name in list(data.columns)[:-1]]
        )
        self.labels = _held("data.label", data.labels)
        self.highest_label = int(data.labels.max())
        self.is_one_of_many = size > 1
        if size > 1:
            self.reduction = Reduction(size)
        self.differentiate = ops.value_and_grad(
            self.forward, None, optimizer.parameters, has_aux=True
        )

    def construct(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """The step; the loss is the one before the weights moved."""
        (loss, right), gradients = self.differentiate(indices)
        if self.is_one_of_many:
            loss, right, gradients = self.reduction(loss, right, gradients)
        loss = ops.depend(loss, self.optimizer(gradients))
        return loss / self.scale, right

    def forward(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """The scaled loss that is differentiated, and the right predictions beside it."""
        batch: tuple[Tensor, ...] = ()
        for column in self.inputs:
            batch += (ops.gather(column, indices, 0),)
        labels = ops.gather(self.labels, indices, 0)
        logits = self.network(*batch)
        # Shapes are constants here: this is checked once, while the graph is compiled.
        classes = logits.shape[-1]
        if classes <= self.highest_label:
            raise ValueError(
                f"it tells {classes} classes apart, and there is a label {self.highest_label}."
            )
        right = (logits.argmax(1) == labels).astype(mindspore.int32).sum()
        return self.loss(logits, labels) * self.scale, right


def _held(name: str, values: Array) -> Parameter:
    return Parameter(Tensor(values), name=name, requires_grad=False)
