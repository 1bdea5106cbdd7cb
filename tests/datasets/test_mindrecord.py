"""MindRecord files as a stream: order, decoding, and what is refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.data import Share
from pipeline.errors import DatasetError

pytestmark = pytest.mark.mindspore


def write(path: Path, kind: str, samples: int, parts: int = 1) -> None:
    """A file of red images whose brightness is ten times the label, or of plain vectors."""
    from mindspore.mindrecord import FileWriter

    field = {"type": "bytes"} if kind == "image" else {"type": "float32", "shape": [3]}
    writer = FileWriter(str(path), shard_num=parts)
    writer.add_schema({"data": field, "label": {"type": "int64"}}, "made by a test")
    rows = []
    for number in range(samples):
        buffer = io.BytesIO()
        Image.new("RGB", (8, 6), (10 * number, 0, 0)).save(buffer, "PNG")
        vector = np.full(3, number, np.float32)
        rows.append({"data": buffer.getvalue() if kind == "image" else vector, "label": number})
    writer.write_raw_data(rows)
    writer.commit()


def batches(folder: Path, share: Share, **arguments: object) -> list[list]:
    """Inputs and labels of each batch of the share."""
    from pipeline.datasets import mindrecord

    stream = mindrecord.load([folder], "train", classes=10, **arguments)
    assert len(stream) == 10
    opened = stream.open(share)
    return list(opened.create_tuple_iterator(num_epochs=1, output_numpy=True))


@pytest.mark.parametrize("parts", [1, 3])
def test_samples_come_in_the_order_asked_for(tmp_path: Path, parts: int) -> None:
    """Vectors come as they were stored, whichever part they lie in, labels as int32."""
    write(tmp_path / "train.mindrecord", "vector", 10, parts)

    found = batches(tmp_path, Share([7, 0, 9, 4, 4], 2, None))
    labels = [label for _, batch in found for label in batch.tolist()]

    assert len(set(labels)) == 4
    assert labels[3] == labels[4]
    assert all(np.array_equal(x[:, 0], y) for x, y in found)
    assert found[0][1].dtype == np.int32


def test_stored_images_are_decoded_scaled_and_normalised(tmp_path: Path) -> None:
    """A PNG becomes float32, channels first, of the size asked for."""
    write(tmp_path / "train.mindrecord", "image", 10)

    ((images, labels),) = batches(tmp_path, Share(range(10), 10, None), size=4)

    assert (images.shape, images.dtype) == ((10, 3, 4, 4), np.float32)
    assert np.allclose(images[:, 0, 0, 0], 10 * labels / 255, atol=1e-4)
    assert not images[:, 1:].any()


def test_what_is_refused(tmp_path: Path) -> None:
    """A missing split, a missing field and a damaged file are named."""
    from pipeline.datasets import mindrecord

    write(tmp_path / "train.mindrecord", "vector", 2)
    (tmp_path / "test.mindrecord").write_bytes(b"none")

    with pytest.raises(DatasetError, match=r"looked for val\*\.mindrecord"):
        mindrecord.load([tmp_path], "val", classes=2)
    with pytest.raises(DatasetError, match="has no field 'image'; there is: data, label"):
        mindrecord.load([tmp_path], "train", classes=2, image="image")
    with pytest.raises(DatasetError, match=r"test\.mindrecord"):
        mindrecord.load([tmp_path], "test", classes=2)
