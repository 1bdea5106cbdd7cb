"""Makes digits.zip from scikit-learn's copy of the digits; the same members every time.

Run it as `python -m pipeline.datasets.digits.make_digits`; it needs scikit-learn.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.datasets import idx

if TYPE_CHECKING:
    from pipeline.data import Array

ZIP_PATH = Path(__file__).with_name("digits.zip")
SEED = 1
TRAIN_IMAGES = 1437
_MADE = (1998, 7, 1, 0, 0, 0)  # when the set was given to UCI


def make() -> bytes:
    """The archive's bytes: 1,437 training and 360 test images, 8x8, as IDX files."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    labels = digits.target.astype(np.uint8)
    # Philox's raw numbers are the same in every numpy; shuffles are not promised to be.
    order = np.argsort(np.random.Philox(key=SEED).random_raw(len(labels)), kind="stable")
    train, test = order[:TRAIN_IMAGES], order[TRAIN_IMAGES:]
    return _zip(
        {
            "train/train-images-idx3-ubyte": images[train],
            "train/train-labels-idx1-ubyte": labels[train],
            "test/t10k-images-idx3-ubyte": images[test],
            "test/t10k-labels-idx1-ubyte": labels[test],
        }
    )


def _zip(arrays: dict[str, Array]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(name, date_time=_MADE)
            member.create_system = 3
            member.external_attr = 0o644 << 16
            archive.writestr(member, idx.encode(array), zipfile.ZIP_DEFLATED, compresslevel=9)
    return buffer.getvalue()


if __name__ == "__main__":
    ZIP_PATH.write_bytes(make())
