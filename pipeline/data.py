"""What a dataset's loader returns to training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Union

from pipeline.errors import DatasetError

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Arrays:
    """A whole split as named columns of equal length, in file order.

    The last column is the label, int32 of shape (n,); the ones before it are what
    the network is called with, sample first.

    Raises:
        DatasetError: a column is missing or the lengths differ.
    """

    columns: Mapping[str, Array]

    def __post_init__(self) -> None:
        """Refuses columns that cannot belong to one split."""
        lengths = {name: len(column) for name, column in self.columns.items()}
        if len(lengths) < 2 or len(set(lengths.values())) != 1 or 0 in lengths.values():
            raise DatasetError(
                f"a split has columns of lengths {lengths}; expected at least one input and, last, "
                f"the label, all of one length above 0. Look at the loader and the files it read."
            )

    def __len__(self) -> int:
        """The number of samples."""
        return len(self.labels)

    @property
    def inputs(self) -> tuple[Array, ...]:
        """Every column but the label."""
        return tuple(self.columns.values())[:-1]

    @property
    def labels(self) -> Array:
        """The last column."""
        return tuple(self.columns.values())[-1]

    @property
    def described(self) -> str:
        """Names, types and shapes of the inputs, for people."""
        return ", ".join(
            f"{name} {column.dtype} (n, {', '.join(map(str, column.shape[1:]))})"
            for name, column in zip(self.columns, self.inputs)
        )

    @property
    def highest_label(self) -> int:
        """The highest label there is."""
        return int(self.labels.max())


@dataclass(frozen=True)
class Share:
    """What one opening of a stream shall give: these samples, in this order, in such batches.

    `indices` counts samples in file order and is this rank's share already; a source that cannot
    be read by index takes `rank` and `size`, and `seed`, which differs from epoch to epoch. A
    seed of None means measuring: nothing is shuffled or augmented.
    """

    indices: Sequence[int]
    batch_size: int
    seed: int | None
    rank: int = 0
    size: int = 1

    @property
    def batches(self) -> int:
        """How many batches that is; the last may be short when measuring."""
        return -(-len(self.indices) // self.batch_size)


@dataclass(frozen=True)
class Stream:
    """A whole split that is read while it is used, because it does not fit in memory.

    `open` gives a MindSpore dataset of the share, batched already, with these `columns`: the last
    is the label, int32, from 0 up to `classes`, exclusive. The same share gives the same batches,
    random augmentation included, or a training cannot be gone on with exactly.

    Raises:
        DatasetError: there is no sample, or no input beside the label.
    """

    samples: int
    columns: tuple[str, ...]
    classes: int
    open: Callable[[Share], Any]

    def __post_init__(self) -> None:
        """Refuses what cannot be a split."""
        if self.samples < 1 or len(self.columns) < 2:
            raise DatasetError(
                f"a stream has {self.samples} samples of columns {', '.join(self.columns)}; "
                f"expected at least one sample and, before the label, an input. Look at the loader "
                f"and the files it found."
            )

    def __len__(self) -> int:
        """The number of samples."""
        return self.samples

    @property
    def described(self) -> str:
        """The names of the inputs, for people."""
        return f"{', '.join(self.columns[:-1])} of the stream"

    @property
    def highest_label(self) -> int:
        """The highest label there may be."""
        return self.classes - 1


Data = Union[Arrays, Stream]
