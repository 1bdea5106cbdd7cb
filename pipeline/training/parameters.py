"""Parameters between networks and MindSpore's checkpoint files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import mindspore
from mindspore import Parameter, Tensor

from pipeline.errors import CheckpointError
from pipeline.messages.spelling import first_of
from pipeline.training.device import first_sentence

# What MindSpore's optimizers and callbacks save beside weights and per-weight state.
_STATE_NAMES = {
    *("global_step", "learning_rate", "momentum", "epoch", "step", "seed", "epoch_num", "step_num"),
    # What `keeping` adds.
    "progress",
    *(
        "beta1_power",
        "beta2_power",
        "scale_sense",
        "current_iterator_step",
        "last_overflow_iterator_step",
    ),
}
_SHOWN_NAMES = 8


def read(path: Path) -> dict[str, Parameter]:
    """Every parameter in a checkpoint file, by name; its CRC is checked where it has one.

    Raises:
        CheckpointError: there is no such file, or it cannot be read.
    """
    if not path.is_file():
        raise CheckpointError(
            f"there is no checkpoint {path}; expected a .ckpt file. Check its path."
        )
    try:
        loaded = mindspore.load_checkpoint(str(path), crc_check=True)
    except (ValueError, RuntimeError, TypeError, OSError) as error:
        reason = first_sentence(error.__cause__ or error)
        raise CheckpointError(
            f"{path}: not a checkpoint that MindSpore can read ({reason}); expected a whole .ckpt "
            f"file. Fetch or make it again."
        ) from error
    return {name: value for name, value in loaded.items() if isinstance(value, Parameter)}


def write(path: Path, parameters: Iterable[Parameter], numbers: Mapping[str, int]) -> None:
    """The file holds the parameters, and the numbers as int32 of no dimension, with a CRC."""
    entries = [{"name": parameter.name, "data": parameter} for parameter in parameters]
    mindspore.save_checkpoint(entries, str(path), append_dict=dict(numbers), crc_check=True)


def fill(targets: Mapping[str, Parameter], path: Path, *, remedy: str = "") -> None:
    """Every target holds the file's parameter of that name; optimizer state in it may be left over.

    `remedy` is what else may be done where they do not fit.

    Raises:
        CheckpointError: names or shapes do not fit; all are listed, and nothing changed.
    """
    found = read(path)
    problems = _mismatches(targets, found)
    if problems:
        raise CheckpointError(
            f"{path} does not fit the network: {'; '.join(problems)}. "
            f"Choose the model and dataset it was trained with, or another checkpoint"
            f"{remedy and '; '}{remedy}."
        )
    for name, target in targets.items():
        target.set_data(Tensor(found[name].asnumpy(), target.dtype))


def fill_fitting(targets: Mapping[str, Parameter], path: Path) -> list[str]:
    """Each target that the file has, in its shape, holds its value; what does not fit is told.

    Raises:
        CheckpointError: nothing fits at all, and nothing changed.
    """
    found = read(path)
    fitting = [n for n in targets if n in found and found[n].shape == targets[n].shape]
    problems = _mismatches(targets, found)
    if not fitting:
        raise CheckpointError(
            f"nothing in {path} fits the network: {'; '.join(problems)}. Choose a checkpoint of "
            f"the same kind of network."
        )
    for name in fitting:
        targets[name].set_data(Tensor(found[name].asnumpy(), targets[name].dtype))
    return problems


def _mismatches(targets: Mapping[str, Parameter], found: Mapping[str, Parameter]) -> list[str]:
    missing = [name for name in targets if name not in found]
    extra = [name for name in found if name not in targets and not _is_state(name, targets)]
    shapes = [
        f"{name} is {tuple(found[name].shape)} in the file, {tuple(target.shape)} in the network"
        for name, target in targets.items()
        if name in found and tuple(found[name].shape) != tuple(target.shape)
    ]
    return [
        *([f"missing in the file: {first_of(missing, _SHOWN_NAMES)}"] if missing else []),
        *([f"unknown to the network: {first_of(extra, _SHOWN_NAMES)}"] if extra else []),
        *([f"other shapes: {first_of(shapes, _SHOWN_NAMES)}"] if shapes else []),
    ]


def _is_state(name: str, targets: Mapping[str, Parameter]) -> bool:
    # Optimizers name a weight's state with a prefix: moments.conv1.weight, mu_conv1.weight.
    return name in _STATE_NAMES or any(
        name.endswith((f".{target}", f"_{target}")) and "." not in name[: -len(target) - 1]
        for target in targets
    )
