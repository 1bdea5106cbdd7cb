"""Tables as train.csv and test.csv: one sample a line, its label in one of the columns."""

from __future__ import annotations

import csv
import gzip
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, Union

import numpy as np

from pipeline.data import Arrays
from pipeline.datasets import columns, search
from pipeline.errors import DatasetError

if TYPE_CHECKING:
    from pipeline.data import Array


def load(
    folders: Sequence[Path],
    split: str,
    *,
    label: Union[str, int],
    classes: Sequence[str] | None = None,
    shape: Sequence[int] | None = None,
    scale: float = 1.0,
    offset: float = 0.0,
    delimiter: str = ",",
) -> Arrays:
    """The whole split of `<split>.csv` (or .csv.gz), in the order of its lines.

    `label` is the name of a column in the first line, or its number from 0 in a file without such
    a line. Labels are whole numbers from 0, or the names in `classes`, in their order. All other
    columns are the input: float32 (n, columns) or (n, *shape), `value * scale + offset`.

    Raises:
        DatasetError: there is no such file or column, or a line that is no numbers.
    """
    path = search.shallowest(
        folders,
        lambda folder: _file_in(folder, split),
        wanted=f"{split}.csv (or .gz)",
        advice="Name the files train.csv and test.csv, or choose the loader that fits.",
    )
    has_names = isinstance(label, str)
    width, position = _columns(path, label, delimiter)
    others = [index for index in range(width) if index != position]
    values = _numbers(path, others, delimiter, skipped=int(has_names))
    names = None if classes is None else {name: float(n) for n, name in enumerate(classes)}
    found = _labels(path, position, delimiter, int(has_names), names)
    inputs = columns.numbers(values, shape, scale, offset, str(path))
    return Arrays({"input": inputs, "label": columns.labels(found, f"{path}: {label}")})


def _file_in(folder: Path, split: str) -> Path | None:
    paths = (folder / f"{split}.csv", folder / f"{split}.csv.gz")
    return next((path for path in paths if path.is_file()), None)


def _columns(path: Path, label: str | int, delimiter: str) -> tuple[int, int]:
    """How many columns there are, and which of them is the label."""
    with _opened(path) as file:
        first = next(csv.reader(file, delimiter=delimiter), [])
    if isinstance(label, str) and label in first:
        return len(first), first.index(label)
    if isinstance(label, int) and 0 <= label < len(first):
        return len(first), label
    shown = ", ".join(first[:8]) + (", …" if len(first) > 8 else "")
    raise DatasetError(
        f"{path} has no column {label!r}; its first line is: {shown or 'empty'}. Give "
        f"dataset.loader.label: a name in that line, or a number from 0 where there are no names."
    )


def _numbers(path: Path, wanted: Sequence[int], delimiter: str, *, skipped: int) -> Array:
    try:
        with _opened(path) as file:
            return np.loadtxt(
                file,
                np.float32,
                delimiter=delimiter,
                skiprows=skipped,
                usecols=wanted,
                ndmin=2,
                comments=None,
                quotechar='"',
            )
    except (ValueError, IndexError, OSError) as error:
        raise DatasetError(
            f"{path}: {error}; expected a number in every column but the label's."
        ) from error


def _labels(
    path: Path, position: int, delimiter: str, skipped: int, names: dict[str, float] | None
) -> Array:
    with _opened(path) as file:
        rows = itertools.islice(csv.reader(file, delimiter=delimiter), skipped, None)
        texts = [row[position].strip() for row in rows if row]
    try:
        return np.array([names[text] if names is not None else float(text) for text in texts])
    except (KeyError, ValueError) as error:
        expected = ", ".join(names) if names is not None else "a whole number"
        raise DatasetError(
            f"{path}: the label {error}; expected {expected}. Name them in their order with "
            f"dataset.loader.classes=[...]."
        ) from error


def _opened(path: Path) -> TextIO:
    opener = gzip.open if path.suffix == ".gz" else open
    # A spreadsheet begins its UTF-8 with a mark.
    return opener(path, "rt", encoding="utf-8-sig", newline="")
