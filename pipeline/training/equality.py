"""Whether two checkpoint files hold the same training state, bit by bit.

Files of two equal trainings differ, for they also hold how long each epoch took.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mindspore import Parameter

from pipeline.training import parameters

# Holds the rows with their times; everything else in it is compared where it is recorded, too.
_TELLING_TIMES = "progress"


def differing(path: Path, other_path: Path) -> list[str]:
    """The names of parameters that are not the same in both files, in order; empty if all are.

    Raises:
        CheckpointError: a file cannot be read.
    """
    found, others = parameters.read(path), parameters.read(other_path)
    names = sorted({*found, *others} - {_TELLING_TIMES})
    return [name for name in names if not _is_same(name, found, others)]


def _is_same(name: str, found: Mapping[str, Parameter], others: Mapping[str, Parameter]) -> bool:
    if name not in found or name not in others:
        return False
    value, other = found[name], others[name]
    if value.shape != other.shape or value.dtype != other.dtype:
        return False
    # As bytes, so that a NaN is equal to itself.
    return bool(_bytes(value) == _bytes(other))


def _bytes(value: Parameter) -> bytes:
    import mindspore

    # numpy has no bfloat16; every one of them is a float32, too.
    is_known = value.dtype != getattr(mindspore, "bfloat16", None)
    return bytes((value if is_known else value.astype(mindspore.float32)).asnumpy().tobytes())
