"""What a dataset's loader returns to training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import DatasetError

if TYPE_CHECKING:
    from typing import Any

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
