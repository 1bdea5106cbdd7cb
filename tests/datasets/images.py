"""Small sets of images in the layouts of well-known ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def make_cifar10(folder: Path, *, images: int, classes: int = 10) -> dict[str, list[np.ndarray]]:
    """CIFAR-10's binary files with so many images each; gives their records by split.

    An image is noise, brighter the higher its label is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(1)
    written: dict[str, list[np.ndarray]] = {"train": [], "test": []}
    for name in [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]:
        labels = random.integers(0, classes, (images, 1))
        pixels = random.integers(0, 64, (images, 3072)) + labels * 190 // classes
        records = np.concatenate([labels, pixels], axis=1).astype(np.uint8)
        (folder / f"{name}.bin").write_bytes(records.tobytes())
        written["test" if name == "test_batch" else "train"] += list(records)
    return written


def make_image_folders(folder: Path, *, images: int, test_split: str = "val") -> None:
    """Photographs of two classes, darker and brighter, as ImageNet lays them out."""
    random = np.random.default_rng(1)
    for split in ("train", test_split):
        for name, level in (("n01440764", 40), ("n01443537", 170)):
            place = folder / split / name
            place.mkdir(parents=True)
            for number in range(images):
                pixels = random.integers(level, level + 60, (36 + number, 48, 3), np.uint8)
                Image.fromarray(pixels).save(place / f"{name}_{number}.JPEG")
