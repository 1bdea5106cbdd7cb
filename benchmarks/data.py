"""The data that is unpacked, fetched and learnt from: made here, the same bytes every time.

Run as a process of its own (python -m benchmarks.data KIND PATH), so that what making it
takes of memory is not counted as that of what is measured.
"""

from __future__ import annotations

import hashlib
import io
import random
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import MeasuringError, run

SEED = 20_000
PICTURES, PICTURE_FOLDERS = 20_000, 100
ARRAYS, ARRAY_VALUES = 100, 1_000_000
OBJECTS, OBJECT_BYTES = 3_000, 8_000
BIG_BYTES = 300_000_000
MEMBER_BYTES = 1_000
IMAGE_SIZE, IMAGE_CLASSES = 28, 10

# Any member with the same time gives the same archive.
_WHEN = (2020, 1, 1, 0, 0, 0)


def make(kind: str, folder: Path) -> Path:
    """The archive, or the folder of images, of this kind; one that is there is taken as it is."""
    path = folder / kind
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{kind}.part"
        run([sys.executable, "-m", "benchmarks.data", kind, str(part)], folder=folder)
        part.rename(path)
    return path


def contents(archive: Path) -> tuple[int, int]:
    """How many files the archive holds, and their bytes."""
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as opened:
            sizes = [info.file_size for info in opened.infolist()]
    else:
        with tarfile.open(archive) as opened_tar:
            sizes = [member.size for member in opened_tar]
    return len(sizes), sum(sizes)


def digest(archive: Path) -> str:
    """The archive's sha256, in a few bytes of memory."""
    found = hashlib.sha256()
    with archive.open("rb") as file:
        while chunk := file.read(1 << 20):
            found.update(chunk)
    return found.hexdigest()


def pictures() -> Iterator[tuple[str, bytes]]:
    """Small files like JPEGs: a head that all share, then bytes that nothing makes smaller."""
    made = random.Random(SEED)
    head = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + made.randbytes(620)
    for number in range(PICTURES):
        folder = number % PICTURE_FOLDERS
        body = made.randbytes(made.randrange(1_000, 4_000))
        yield f"train/{folder:03d}/{number:05d}.jpg", head + body + b"\xff\xd9"


def arrays() -> Iterator[tuple[str, bytes]]:
    """Arrays of grey values in float32, nearly half of them background, as .npy files."""
    import numpy as np

    made = np.random.default_rng(SEED)
    for number in range(ARRAYS):
        values = made.integers(0, 256, ARRAY_VALUES).astype(np.float32) / np.float32(255)
        values[made.random(ARRAY_VALUES) < 0.45] = 0
        file = io.BytesIO()
        np.save(file, values)
        yield f"arrays/{number:03d}.npy", file.getvalue()


def members(count: int) -> Iterator[tuple[str, bytes]]:
    """So many files of 1 kB."""
    made = random.Random(SEED)
    for number in range(count):
        yield f"{number // 1000:03d}/{number:06d}.bin", made.randbytes(MEMBER_BYTES)


def objects() -> Iterator[tuple[str, bytes]]:
    """The small objects of the bucket."""
    made = random.Random(SEED)
    for number in range(OBJECTS):
        yield f"small/{number % 30:02d}/{number:04d}.bin", made.randbytes(OBJECT_BYTES)


def check_objects(folder: Path) -> None:
    """Raises MeasuringError unless all small objects lie below the folder, byte for byte."""
    for key, content in objects():
        path = folder / "out" / key[len("small/") :]
        if not path.is_file() or path.read_bytes() != content:
            raise MeasuringError(f"{path} does not hold what the server has under {key}")


def big_object() -> bytes:
    """The big object of the bucket."""
    made = random.Random(SEED)
    return b"".join(made.randbytes(1_000_000) for _ in range(BIG_BYTES // 1_000_000))


def images(count: int, folder: Path) -> None:
    """So many grey images to learn from, and a sixth of that to test, in MNIST's layout.

    Each is the pattern of its class under as much noise.
    """
    import numpy as np

    from pipeline.datasets import idx

    made = np.random.default_rng(SEED)
    patterns = made.integers(0, 256, (IMAGE_CLASSES, IMAGE_SIZE, IMAGE_SIZE))
    for split, name, size in (("train", "train", count), ("test", "t10k", count // 6)):
        (folder / split).mkdir(parents=True, exist_ok=True)
        labels = made.integers(0, IMAGE_CLASSES, size, dtype=np.uint8)
        noise = made.integers(0, 256, (size, IMAGE_SIZE, IMAGE_SIZE))
        levels = ((patterns[labels] + noise) // 2).astype(np.uint8)
        idx.write(folder / split / f"{name}-images-idx3-ubyte", levels)
        idx.write(folder / split / f"{name}-labels-idx1-ubyte", labels)


def _zip(path: Path, files: Iterator[tuple[str, bytes]]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            info = zipfile.ZipInfo(name, _WHEN)
            info.external_attr = 0o644 << 16
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)


def _tar(path: Path, files: Iterator[tuple[str, bytes]]) -> None:
    with tarfile.open(path, "w:gz", compresslevel=6) as archive:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def _make(kind: str, path: Path) -> None:
    if kind == "pictures.zip":
        _zip(path, pictures())
    elif kind == "arrays.zip":
        _zip(path, arrays())
    elif kind == "arrays.tar.gz":
        _tar(path, arrays())
    elif kind.startswith("images-"):
        images(int(kind.partition("-")[2]), path)
    else:
        _zip(path, members(int(kind.partition("-")[2].partition(".")[0])))


if __name__ == "__main__":
    _make(sys.argv[1], Path(sys.argv[2]))
