"""Folders of images, one subfolder per class, as ImageNet and most image sets are shared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from pipeline.data import Arrays
from pipeline.errors import DatasetError

# ImageNet's own figures, which most pretrained networks expect (torchvision and mindcv use them).
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png")
# Names that a split's folder goes by; ImageNet calls its test images "val".
_SPLITS = {"train": ("train", "training"), "test": ("test", "val", "validation")}
LARGEST_BYTES = 8_000_000_000


def load(
    folders: Sequence[Path], split: str, *, size: int, largest_bytes: int = LARGEST_BYTES
) -> Arrays:
    """The whole split in memory, classes in the order of their folders' names.

    Looks for `<split>/<class>/<image>` at the root of a folder or one folder deeper; `val` and
    `validation` serve as test. The shorter side is scaled to `size` pixels, the middle is cut out.

    Columns: image float32 (n, 3, size, size), normalised with ImageNet's mean and deviation;
    label int32 (n,).

    Raises:
        DatasetError: no folder holds the split, an image is damaged, or all images together are
            larger than `largest_bytes`.
    """
    root = find_split(folders, split)
    classes = sorted(path.name for path in root.iterdir() if path.is_dir())
    paths = [(path, label) for label, name in enumerate(classes) for path in _images(root / name)]
    if not paths:
        raise DatasetError(f"{root} holds no images ({', '.join(SUFFIXES)}).")
    needed_bytes = len(paths) * 3 * size * size * 4
    if needed_bytes > largest_bytes:
        raise DatasetError(
            f"{root}: {len(paths)} images of {size}x{size} need {needed_bytes / 1e9:.1f} GB of "
            f"memory; this loader takes up to {largest_bytes / 1e9:.1f} GB. Use fewer or smaller "
            f"images, or write +dataset.loader.largest_bytes=NUMBER."
        )
    images = np.empty((len(paths), 3, size, size), np.float32)
    for index, (path, _) in enumerate(paths):
        images[index] = _read(path, size)
    return Arrays({"image": images, "label": np.array([label for _, label in paths], np.int32)})


def find_split(folders: Sequence[Path], split: str) -> Path:
    """The folder of the split, which holds a folder per class.

    Raises:
        DatasetError: there is none; the message lists what there is instead.
    """
    names = _SPLITS.get(split, (split,))
    for folder in folders:
        for parent in (folder, *sorted(p for p in folder.glob("*") if p.is_dir())):
            for name in names:
                if (parent / name).is_dir():
                    return parent / name
    found = [path.name for folder in folders for path in sorted(folder.glob("*"))][:8]
    raise DatasetError(
        f"no {' or '.join(f'{name}/' for name in names)} with a folder per class lies in "
        f"{', '.join(map(str, folders))}; there is: {', '.join(found) or 'nothing'}."
    )


def _images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


def _read(path: Path, size: int) -> np.ndarray[tuple[int, int, int], np.dtype[np.float32]]:
    try:
        with Image.open(path) as opened:
            image = opened.convert("RGB")
    except (OSError, UnidentifiedImageError) as error:
        raise DatasetError(
            f"{path}: not an image that can be read ({error}); remove it or fetch the data anew."
        ) from error
    scale = size / min(image.size)
    width, height = (max(size, round(side * scale)) for side in image.size)
    left, top = (width - size) // 2, (height - size) // 2
    scaled = image.resize((width, height), Image.Resampling.BILINEAR)
    pixels = np.asarray(scaled.crop((left, top, left + size, top + size)), np.float32) / 255
    normalised = (pixels - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
    return np.ascontiguousarray(normalised.transpose(2, 0, 1))
