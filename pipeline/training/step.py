"""One training step as one graph: a batch, forward, backward, update; and several as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mindspore
from mindspore import Parameter, ParameterTuple, Tensor, nn, ops

from pipeline.data import Arrays, Data
from pipeline.training.collective import Reduction
from pipeline.training.session import Session

if TYPE_CHECKING:
    from pipeline.data import Array


class TrainStep(nn.Cell):
    """From a batch to its loss and its number of right predictions; the weights move.

    Data in memory are held as parameters and a batch is given by its indices, gathered inside the
    graph: faster than slices handed over by Python. They belong to this cell, not to the training
    state. A batch of a stream is given by its columns. The gradients are the mean over `parts`
    equal parts of the batch, one after the other; with more ranks than one, gradients, loss and
    count are those of all ranks' batches.
    """

    def __init__(
        self,
        session: Session,
        optimizer: nn.Optimizer,
        data: Data,
        *,
        size: int = 1,
        parts: int = 1,
    ) -> None:
        # Without prefixes the weights keep their plain names.
        super().__init__(auto_prefix=False)
        self.network = session.network.set_train(True)
        self.loss = session.loss
        self.optimizer = optimizer
        self.scale = session.loss_scale
        # What the optimizer does not take out of the gradients itself.
        self.left_scale = session.loss_scale / optimizer.loss_scale
        self.parts = parts
        self.is_held = isinstance(data, Arrays)
        if isinstance(data, Arrays):
            names = list(data.columns)[:-1]
            self.inputs = ParameterTuple([_held(f"data.{n}", data.columns[n]) for n in names])
            self.labels = _held("data.label", data.labels)
        self.highest_label = data.highest_label
        self.is_one_of_many = size > 1
        if size > 1:
            self.reduction = Reduction(size)
        self.differentiate = ops.value_and_grad(
            self.forward, None, optimizer.parameters, has_aux=True
        )

    def construct(self, *batch: Tensor) -> tuple[Tensor, Tensor]:
        """The step; the loss is the one before the weights moved."""
        (loss, right), gradients = self.differentiate(*self.part(batch, 0))
        for number in range(1, self.parts):
            (more_loss, more_right), more = self.differentiate(*self.part(batch, number))
            loss, right = loss + more_loss, right + more_right
            sums: tuple[Tensor, ...] = ()
            for gradient, another in zip(gradients, more):
                sums += (gradient + another,)
            gradients = sums
        if self.parts > 1:
            loss = loss / self.parts
            means: tuple[Tensor, ...] = ()
            for gradient in gradients:
                means += (gradient / self.parts,)
            gradients = means
        if self.left_scale != 1.0:
            unscaled: tuple[Tensor, ...] = ()
            for gradient in gradients:
                unscaled += (gradient / self.left_scale,)
            gradients = unscaled
        if self.is_one_of_many:
            loss, right, gradients = self.reduction(loss, right, gradients)
        loss = ops.depend(loss, self.optimizer(gradients))
        return loss / self.scale, right

    def part(self, batch: tuple[Tensor, ...], number: int) -> tuple[Tensor, ...]:
        """One of the equal parts of a batch."""
        if self.parts == 1:
            return batch
        taken: tuple[Tensor, ...] = ()
        for column in batch:
            length = column.shape[0] // self.parts
            taken += (column[number * length : (number + 1) * length],)
        return taken

    def forward(self, *batch: Tensor) -> tuple[Tensor, Tensor]:
        """The scaled loss that is differentiated, and the right predictions beside it."""
        columns = batch
        if self.is_held:
            columns = ()
            for column in self.inputs:
                columns += (ops.gather(column, batch[0], 0),)
            columns += (ops.gather(self.labels, batch[0], 0),)
        labels = columns[-1]
        logits = self.network(*columns[:-1])
        # Shapes are constants here: this is checked once, while the graph is compiled.
        classes = logits.shape[-1]
        if classes <= self.highest_label:
            raise ValueError(
                f"it tells {classes} classes apart, and there is a label {self.highest_label}."
            )
        right = (logits.argmax(1) == labels).astype(mindspore.int32).sum()
        return self.loss(logits, labels) * self.scale, right


class TrainSteps(nn.Cell):
    """Several steps as one graph: rows of indices to their losses and numbers of right predictions.

    The weights are the same bits as those of the steps one by one.
    """

    def __init__(self, step: TrainStep, count: int) -> None:
        super().__init__(auto_prefix=False)
        self.step = step
        self.count = count

    def construct(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """The steps, in the order of the rows."""
        losses: tuple[Tensor, ...] = ()
        rights: tuple[Tensor, ...] = ()
        for number in range(self.count):
            loss, right = self.step(indices[number])
            losses += (loss,)
            rights += (right,)
        return ops.stack(losses), ops.stack(rights)


def _held(name: str, values: Array) -> Parameter:
    return Parameter(Tensor(values), name=name, requires_grad=False)
