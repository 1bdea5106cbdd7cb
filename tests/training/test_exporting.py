"""Model files: written, checked against the network itself, and refused where they differ."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pictures import dots, streamed

from pipeline.errors import DatasetError, ModelExportError

if TYPE_CHECKING:
    from pictures import MakeSession

pytestmark = pytest.mark.mindspore

BATCH = dots(50, seed=2)  # the test set of the sessions


def test_a_mindir_takes_any_number_of_samples(make_session: MakeSession, tmp_path: Path):
    """One file lies there, readable by all, and MindSpore computes the same logits with it."""
    import mindspore

    from pipeline.training import exporting

    session, path = make_session(), tmp_path / "exported" / "net.mindir"

    made = exporting.export(session, "mindir", path)

    cell = mindspore.nn.GraphCell(mindspore.load(str(path)))
    wanted = session.network(mindspore.Tensor(BATCH.inputs[0])).asnumpy()
    np.testing.assert_allclose(cell(mindspore.Tensor(BATCH.inputs[0])).asnumpy(), wanted, atol=1e-5)
    assert [file.name for file in path.parent.iterdir()] == ["net.mindir"]
    assert path.stat().st_mode & 0o444
    assert (made.batch, made.samples, made.size_bytes) == (None, 32, path.stat().st_size)
    assert made.difference <= made.tolerance == 1e-4
    assert (made.checked_by, made.not_checked) == (f"mindspore {mindspore.__version__}", None)


def test_an_onnx_file_is_checked_by_onnxruntime(make_session: MakeSession, tmp_path: Path):
    """It takes one sample, and each gives the network's logits."""
    import onnxruntime

    from pipeline.training import exporting

    path = tmp_path / "net.onnx"

    made = exporting.export(make_session(), "onnx", path)

    (entry,) = onnxruntime.InferenceSession(str(path)).get_inputs()
    assert entry.shape == [1, 1, 6, 6]
    assert (made.batch, made.samples, made.not_checked) == (1, 32, None)
    assert made.difference <= made.tolerance
    assert made.checked_by == f"onnxruntime {onnxruntime.__version__}"


def test_without_onnxruntime_the_file_is_said_to_be_unchecked(
    make_session: MakeSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """It is written all the same, and nothing is claimed of it."""
    from pipeline.training import exporting

    monkeypatch.setattr(exporting.importlib.util, "find_spec", lambda _: None)

    made = exporting.export(make_session(), "onnx", tmp_path / "net.onnx")

    assert (tmp_path / "net.onnx").stat().st_size == made.size_bytes > 0
    assert (made.difference, made.checked_by) == (None, None)
    assert made.not_checked == "onnxruntime is not installed"


@pytest.mark.parametrize("wrong", [0.1, float("nan")])
def test_a_file_that_computes_something_else_is_refused(
    make_session: MakeSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: float
):
    """Nothing is left of it."""
    from dataclasses import replace

    from pipeline.training import exporting

    read = exporting._FORMATS["mindir"].reader

    def misread(path: Path) -> exporting.Compute:
        compute = read(path)
        return lambda inputs: compute(inputs) + (wrong if len(inputs[0]) > 1 else 0)

    form = replace(exporting._FORMATS["mindir"], reader=misread)
    monkeypatch.setitem(exporting._FORMATS, "mindir", form)

    with pytest.raises(ModelExportError, match=r"net\.mindir: .* differ .* at most 1e-04"):
        exporting.export(make_session(), "mindir", tmp_path / "net.mindir")
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_onnx_cannot_hold_is_named(make_session: MakeSession, tmp_path: Path):
    """The message says which network and which format, and what to do."""
    from mindspore import nn, ops

    from pipeline.training import exporting

    class Odd(nn.Cell):
        """Sorts, which MindSpore's ONNX exporter does not know."""

        def __init__(self) -> None:
            super().__init__()
            self.dense = nn.Dense(36, 4)

        def construct(self, image):
            """Logits."""
            return self.dense(ops.erfinv(image.reshape(image.shape[0], -1) * 0.01))

    session = make_session(network=Odd())

    with pytest.raises(ModelExportError, match=r"Odd cannot be written .*export_formats"):
        exporting.export(session, "onnx", tmp_path / "net.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_stream_gives_samples_too(make_session: MakeSession, tmp_path: Path):
    """What is read while it is used is read once for the check."""
    from pipeline.training import exporting

    session = make_session(test=streamed(dots(40, seed=2)), train=None)

    made = exporting.export(session, "mindir", tmp_path / "net.mindir")

    assert (made.samples, made.batch) == (32, None)


def test_without_test_data_nothing_can_be_checked(make_session: MakeSession, tmp_path: Path):
    """Nothing is written then."""
    from pipeline.training import exporting

    with pytest.raises(DatasetError, match="no test data"):
        exporting.export(make_session(test=None), "mindir", tmp_path / "net.mindir")
    assert list(tmp_path.iterdir()) == []
