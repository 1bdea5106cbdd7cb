"""The loader: from the folders that were fetched to columns of numbers."""

import csv

import numpy as np

from pipeline.data import Arrays
from pipeline.errors import DatasetError


def load(folders, split):
    """Every fifth flower is for testing, the others for training.

    Columns: size float32 (n, 4) in centimetres; label int32 (n,).
    """
    path = next((p for folder in folders for p in sorted(folder.rglob("iris.csv"))), None)
    if path is None:
        raise DatasetError(f"no iris.csv lies in {', '.join(map(str, folders))}")
    with path.open(encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    kinds = sorted({row[4] for row in rows})
    chosen = [row for number, row in enumerate(rows) if (number % 5 == 0) == (split == "test")]
    return Arrays(
        {
            "size": np.array([row[:4] for row in chosen], np.float32),
            "label": np.array([kinds.index(row[4]) for row in chosen], np.int32),
        }
    )
