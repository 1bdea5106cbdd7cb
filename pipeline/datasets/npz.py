"""NumPy's .npz files: train.npz and test.npz, or one file with the arrays of both splits."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.data import Arrays
from pipeline.datasets import columns, search
from pipeline.errors import DatasetError

if TYPE_CHECKING:
    from pipeline.data import Array

SPLITS = ("train", "test")


def load(
    folders: Sequence[Path],
    split: str,
    *,
    inputs: Sequence[str] = ("x",),
    label: str = "y",
    shape: Sequence[int] | None = None,
    scale: float = 1.0,
    offset: float = 0.0,
) -> Arrays:
    """The whole split, in the order of the file.

    Looks for `<split>.npz` with arrays called as `inputs` and `label` say, else for any .npz with
    `<name>_<split>`, such as `x_train` (Keras's mnist.npz). Inputs become float32,
    `x * scale + offset`, each sample of `shape` where one is given; the label becomes int32 (n,).

    Raises:
        DatasetError: no file holds the split, an array is missing, or it cannot be used.
    """
    path, ending = search.shallowest(
        folders,
        lambda folder: _file_in(folder, split, label),
        wanted=f"{split}.npz with {label!r}, or an .npz with {f'{label}_{split}'!r}",
        advice="Say with dataset.loader.label and .inputs what the arrays are called.",
    )
    with _opened(path) as arrays:
        found = {name: _array(arrays, f"{name}{ending}", path) for name in (*inputs, label)}
    prepared = {
        name: columns.numbers(found[name], shape, scale, offset, f"{path}: {name}")
        for name in inputs
    }
    return Arrays({**prepared, label: columns.labels(found[label], f"{path}: {label}")})


def _file_in(folder: Path, split: str, label: str) -> tuple[Path, str] | None:
    """The file with the split, and what its arrays' names end with."""
    own = folder / f"{split}.npz"
    if own.is_file():
        return own, ""
    if folder.is_dir():
        for path in sorted(folder.glob("*.npz")):
            with _opened(path) as arrays:
                if f"{label}_{split}" in arrays.files:
                    return path, f"_{split}"
    return None


@contextmanager
def _opened(path: Path) -> Iterator[np.lib.npyio.NpzFile]:
    with path.open("rb") as file:
        try:
            # Pickled objects could run code.
            opened = np.load(file, allow_pickle=False)
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise DatasetError(f"{path}: no .npz that can be read ({error}).") from error
        if not isinstance(opened, np.lib.npyio.NpzFile):
            raise DatasetError(f"{path}: one array, expected an .npz with several, by name.")
        yield opened


def _array(arrays: np.lib.npyio.NpzFile, name: str, path: Path) -> Array:
    if name not in arrays.files:
        there = ", ".join(arrays.files) or "nothing"
        raise DatasetError(
            f"{path} has no array {name!r}; there is: {there}. Name them with "
            f"dataset.loader.inputs and dataset.loader.label."
        )
    try:
        return np.asarray(arrays[name])
    except (OSError, ValueError, zipfile.BadZipFile, zipfile.LargeZipFile) as error:
        raise DatasetError(f"{path}: {name} cannot be read ({error}); fetch it anew.") from error
