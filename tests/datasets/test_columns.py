"""The loaders for arrays and tables: npz files, CSV files, and what they refuse."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.datasets import csv_table, npz
from pipeline.errors import DatasetError

IMAGES = np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 4, 4)


def test_a_split_of_its_own_file(tmp_path: Path) -> None:
    """Inputs are scaled and shaped, labels whole numbers, in the order of the file."""
    np.savez(tmp_path / "train.npz", x=IMAGES, y=np.array([[3], [1]]))

    found = npz.load([tmp_path], "train", shape=[1, 4, 4], scale=1 / 255)

    assert found.columns["x"].shape == (2, 1, 4, 4)
    assert found.columns["x"].dtype == np.float32
    assert np.allclose(found.columns["x"].reshape(2, 4, 4), IMAGES / 255)
    assert (found.labels.tolist(), found.labels.dtype) == ([3, 1], np.int32)


def test_both_splits_in_one_file_further_down(tmp_path: Path) -> None:
    """As Keras shares MNIST: x_train, y_train, x_test, y_test."""
    place = tmp_path / "top" / "deep"
    place.mkdir(parents=True)
    named = {"x_train": IMAGES, "y_train": [0, 1], "x_test": IMAGES[:1], "y_test": [1]}
    np.savez_compressed(place / "mnist.npz", **named)

    assert len(npz.load([tmp_path], "train")) == 2
    assert npz.load([tmp_path], "test").labels.tolist() == [1]


def test_several_inputs(tmp_path: Path) -> None:
    """The network is called with each of them, in the order given."""
    np.savez(tmp_path / "train.npz", b=np.ones((3, 2)), a=np.zeros((3, 5)), kind=[0, 1, 2])

    found = npz.load([tmp_path], "train", inputs=["b", "a"], label="kind")

    assert [column.shape for column in found.inputs] == [(3, 2), (3, 5)]


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ({"x": IMAGES, "z": [0, 1]}, "has no array 'y'; there is: x, z"),
        ({"x": IMAGES, "y": [[0, 1], [1, 0]]}, "for one-hot rows"),
        ({"x": IMAGES, "y": [0.5, 1]}, "expected whole numbers from 0"),
        ({"x": IMAGES, "y": [-1, 1]}, "expected whole numbers from 0"),
        ({"x": np.array(["a", "b"]), "y": [0, 1]}, "expected numbers, sample first"),
        ({"x": IMAGES[:1], "y": [0, 1]}, "all of one length"),
    ],
)
def test_arrays_that_cannot_be_used(tmp_path: Path, named: dict, words: str) -> None:
    """What is wrong is told with the file, the array and what was expected."""
    np.savez(tmp_path / "train.npz", **named)

    with pytest.raises(DatasetError, match=words):
        npz.load([tmp_path], "train")


def test_a_shape_that_does_not_fit(tmp_path: Path) -> None:
    """The message names both shapes."""
    np.savez(tmp_path / "train.npz", x=IMAGES, y=[0, 1])

    with pytest.raises(DatasetError, match=r"samples of shape \(4, 4\).*\(1, 5, 5\)"):
        npz.load([tmp_path], "train", shape=[1, 5, 5])


@pytest.mark.parametrize("kind", ["pickle", "damage", "npy"])
def test_a_file_that_is_no_npz(tmp_path: Path, kind: str) -> None:
    """Objects that could run code, damage and single arrays are refused by the file's name."""
    path = tmp_path / "train.npz"
    if kind == "pickle":
        np.savez(path, x=np.array([{}], dtype=object), y=[0])
    elif kind == "damage":
        np.savez(path, x=IMAGES, y=[0, 1])
        path.write_bytes(path.read_bytes()[:-40])
    else:
        with path.open("wb") as file:
            np.save(file, IMAGES)

    with pytest.raises(DatasetError, match=r"train\.npz"):
        npz.load([tmp_path], "train")


def test_a_table_with_names(tmp_path: Path) -> None:
    """The label may be a word and stand anywhere; quotes, blanks and a spreadsheet's mark do."""
    text = '\ufeffwidth,"kind, of it",height\n1.5, cat,2\n"3",dog,4e1\n'
    (tmp_path / "test.csv").write_text(text, encoding="utf-8")

    found = csv_table.load([tmp_path], "test", label="kind, of it", classes=["dog", "cat"])

    assert found.inputs[0].tolist() == [[1.5, 2.0], [3.0, 40.0]]
    assert found.labels.tolist() == [1, 0]


def test_a_packed_table_without_names(tmp_path: Path) -> None:
    """The label's place is a number from 0, and each line's rest becomes one sample's shape."""
    packed = gzip.compress(b"7,0,1,2,3\n1,4,5,6,7\n")
    (tmp_path / "train.csv.gz").write_bytes(packed)

    found = csv_table.load([tmp_path], "train", label=0, shape=[1, 2, 2], scale=0.5, offset=1.0)

    assert found.inputs[0].tolist() == [[[[1.0, 1.5], [2.0, 2.5]]], [[[3.0, 3.5], [4.0, 4.5]]]]
    assert found.labels.tolist() == [7, 1]


@pytest.mark.parametrize(
    ("text", "label", "words"),
    [
        ("a,b\n1,2\n", "c", "has no column 'c'; its first line is: a, b"),
        ("1,2\n", 5, "has no column 5"),
        ("", 0, "its first line is: empty"),
        ("a,b\n1,x\n", "a", "expected a number in every column"),
        ("a,b\n1,2,3\n4\n", "a", "expected a number in every column"),
        ("a,b\nx,2\n", "a", "expected a whole number"),
    ],
)
def test_tables_that_cannot_be_used(
    tmp_path: Path, text: str, label: str | int, words: str
) -> None:
    """What is wrong is told with the file and what was expected."""
    (tmp_path / "train.csv").write_text(text)

    with pytest.raises(DatasetError, match=words):
        csv_table.load([tmp_path], "train", label=label)


@given(
    values=arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 5), st.integers(1, 4)),
        elements=st.floats(-1e6, 1e6, width=32),
    ),
    data=st.data(),
)
def test_a_table_gives_back_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, values: np.ndarray, data: st.DataObject
) -> None:
    """Numbers come through exactly, wherever the label stands."""
    folder = tmp_path_factory.mktemp("table")
    place = data.draw(st.integers(0, values.shape[1]))
    labels = data.draw(st.lists(st.integers(0, 9), min_size=len(values), max_size=len(values)))
    rows = [[*map(repr, map(float, row))] for row in values]
    for row, label in zip(rows, labels):
        row.insert(place, str(label))
    (folder / "train.csv").write_text("".join(",".join(row) + "\n" for row in rows))

    found = csv_table.load([folder], "train", label=place)

    assert np.array_equal(found.inputs[0], values)
    assert found.labels.tolist() == labels
