"""The network as a file that other programs run: written, read back, and compared.

MindIR is MindSpore's own format, ONNX the one that most inference engines read.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import mindspore
import numpy as np
from mindspore import Tensor, nn

from pipeline.data import Arrays, Data, Share
from pipeline.disk.files import naming_full_disk, replacing
from pipeline.errors import DatasetError, ModelExportError
from pipeline.training import denormals, interrupts
from pipeline.training.device import first_sentence
from pipeline.training.session import Session

if TYPE_CHECKING:
    from pipeline.data import Array

    Compute = Callable[[Sequence[Array]], Array]

# The largest difference to the network's own logits, as a share of the largest of these (or of 1).
TOLERANCE, HALF_PRECISION_TOLERANCE = 1e-4, 1e-2
# A format that takes one sample at a time is called so often, and a check need not take minutes.
MOST_SAMPLES = 32


@dataclass(frozen=True)
class Exported:
    """A model file and what came of its check; `batch` is None where it takes any number.

    `difference` is the largest one to the network's own logits, as a share of the largest of
    these; without a check it is None, and `not_checked` says why.
    """

    format: str
    path: str
    size_bytes: int
    batch: int | None
    samples: int
    tolerance: float
    difference: float | None
    checked_by: str | None
    not_checked: str | None


@interrupts.heard()
@denormals.flushed()
def export(session: Session, name: str, path: Path) -> Exported:
    """The file holds the network in the format of this name, checked with samples of the test set.

    Raises:
        DatasetError: there is no test set.
        ModelExportError: the network cannot be written so, or the file computes something else.
        DiskFullError: no space is left for it.
    """
    form, samples = _FORMATS[name], _samples(session.test)
    logits = session.network.set_train(False)(*map(Tensor, samples)).asnumpy()
    with _folder_beside(path) as folder:
        written_path = _write(session.network, name, folder / path.name, samples)
        compute = form.reader(written_path) if importlib.util.find_spec(form.program) else None
        exported = Exported(
            format=name,
            path=path.name,
            size_bytes=written_path.stat().st_size,
            batch=None if form.takes_any else 1,
            samples=len(logits),
            tolerance=TOLERANCE if session.precision == "O0" else HALF_PRECISION_TOLERANCE,
            difference=_difference(form, compute, samples, logits) if compute else None,
            checked_by=_version(form.program) if compute else None,
            not_checked=None if compute else f"{form.program} is not installed",
        )
        _refuse_difference(exported)
        with replacing(path) as temporary_path:
            written_path.replace(temporary_path)
    return exported


def _samples(data: Data | None) -> list[Array]:
    """The inputs of the first samples."""
    if data is None:
        raise DatasetError(
            "the session has no test data; expected some, to check model files with. Build it "
            "with a test split."
        )
    if isinstance(data, Arrays):
        return [column[:MOST_SAMPLES] for column in data.inputs]
    share = Share(range(min(MOST_SAMPLES, len(data))), MOST_SAMPLES, seed=None)
    opened = data.open(share).create_tuple_iterator(num_epochs=1, output_numpy=True)
    return list(next(iter(opened)))[:-1]


def _by_mindspore(path: Path) -> Compute:
    cell = nn.GraphCell(mindspore.load(str(path)))
    return lambda inputs: np.asarray(cell(*map(Tensor, inputs)).asnumpy())


def _by_onnxruntime(path: Path) -> Compute:
    onnxruntime = importlib.import_module("onnxruntime")
    runtime = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [entry.name for entry in runtime.get_inputs()]
    return lambda inputs: np.asarray(runtime.run(None, dict(zip(names, inputs)))[0])


@dataclass(frozen=True)
class _Format:
    """Which program reads it, how, and whether a file takes any number of samples or one."""

    program: str
    reader: Callable[[Path], Compute]
    takes_any: bool


_FORMATS = {
    "mindir": _Format("mindspore", _by_mindspore, takes_any=True),
    # MindSpore's exporter refuses an open batch dimension here.
    "onnx": _Format("onnxruntime", _by_onnxruntime, takes_any=False),
}


@contextlib.contextmanager
def _folder_beside(path: Path) -> Iterator[Path]:
    """A folder on the same disk, for what MindSpore makes on the way."""
    with naming_full_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{path.name}.tmp"
        with tempfile.TemporaryDirectory(prefix=prefix, dir=path.parent) as folder:
            yield Path(folder)


def _write(network: nn.Cell, name: str, path: Path, inputs: Sequence[Array]) -> Path:
    """The one file that MindSpore makes of the network, alone in its folder."""
    examples = [_example(column, takes_any=_FORMATS[name].takes_any) for column in inputs]
    try:
        mindspore.export(network, *examples, file_name=str(path), file_format=name.upper())
    except (ValueError, TypeError, RuntimeError) as error:
        raise ModelExportError(
            f"the network {type(network).__name__} cannot be written as {name}: "
            f"{first_sentence(error)} Expected operators that MindSpore {mindspore.__version__} "
            f"can write so. Leave {name} out of mode.export_formats, or change the network."
        ) from error
    made = sorted(file.name for file in path.parent.rglob("*") if file.is_file())
    if made != [path.name]:
        raise ModelExportError(
            f"MindSpore wrote the network as {len(made)} files ({', '.join(made[:5])}); expected "
            f"{path.name} alone. It splits models above 1 GB, which cannot be exported here: "
            f"leave {name} out of mode.export_formats."
        )
    return path


def _example(column: Array, *, takes_any: bool) -> Tensor:
    """What tells MindSpore an input's shape: any number of samples, else one."""
    first = Tensor(column[:1])
    return Tensor(shape=[None, *first.shape[1:]], dtype=first.dtype) if takes_any else first


def _difference(form: _Format, compute: Compute, inputs: Sequence[Array], logits: Array) -> float:
    """The largest difference, as a share of the largest logit; NaN where one is no number."""
    # What takes any number is asked for all at once, and for one.
    count = 1 if form.takes_any else len(logits)
    parts = [slice(i, i + 1) for i in range(count)] + [slice(None)] * form.takes_any
    apart = [
        np.abs(compute([column[part] for column in inputs]) - logits[part]).max() for part in parts
    ]
    return float(np.max(apart) / max(1.0, np.abs(logits).max()))


def _refuse_difference(exported: Exported) -> None:
    difference = exported.difference
    # A NaN is not at most anything.
    if difference is not None and not difference <= exported.tolerance:
        raise ModelExportError(
            f"{exported.path}: in {exported.checked_by} its logits differ from the network's by "
            f"{difference:.1e} of the largest, over {exported.samples} samples; expected at most "
            f"{exported.tolerance:.0e}. Leave {exported.format} out of mode.export_formats, or "
            f"change the network."
        )


def _version(program: str) -> str:
    return f"{program} {importlib.import_module(program).__version__}"
