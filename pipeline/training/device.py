"""MindSpore's first import: version, mode, device, seed, and where its litter lands.

Names that are newer than MindSpore 2.2 are looked up here and nowhere else.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import os
import platform
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import DependencyError, DeviceError
from pipeline.training import interrupts

TARGETS = ("CPU", "GPU", "Ascend")
PRECISIONS = ("O0", "O1", "O2", "O3")
OLDEST_VERSION = (2, 2)

_INSTRUCTION_SET = "ONEDNN_MAX_CPU_ISA"
# Where MindSpore puts analyze_fail.ir, kernel_meta and its caches; the current folder without.
_LITTER_VARIABLES = ("MS_OM_PATH", "MS_COMPILER_CACHE_PATH", "ASCEND_WORK_PATH")


@dataclass(frozen=True)
class Engine:
    """What decides, besides the job, the exact bits that training computes."""

    mindspore: str
    target: str
    instruction_set: str
    machine: str
    # Sums are split among the cores, and rounding depends on where; 0 is "not recorded".
    cores: int = 0


@interrupts.heard()
def prepare(
    target: str, *, precision: str, seed: int, scratch: Path, device_id: int | None = None
) -> Engine:
    """MindSpore is imported, runs graphs on `target`, is seeded, and writes only below `scratch`.

    Variables such as ONEDNN_MAX_CPU_ISA count only if they are set before the first call. The
    device's number on this machine is for Ascend and GPU; a CPU is shared by all ranks.

    Raises:
        DependencyError: MindSpore is missing, broken or too old, or numpy is too new for it.
        DeviceError: this MindSpore cannot use the target.
    """
    if target not in TARGETS or precision not in PRECISIONS:
        raise DeviceError(
            f"device target {target!r} with precision {precision!r}: expected a target of "
            f"{', '.join(TARGETS)} and a precision of {', '.join(PRECISIONS)}."
        )
    scratch.mkdir(parents=True, exist_ok=True)
    for name in _LITTER_VARIABLES:
        os.environ[name] = str(scratch.resolve())
    use(target, device_id=device_id).set_seed(seed)
    return engine()


def use(target: str, *, device_id: int | None = None) -> Any:
    """The module mindspore, imported quietly, which runs graphs on the target.

    Raises:
        DependencyError: MindSpore is missing, broken or too old, or numpy is too new for it.
        DeviceError: this MindSpore cannot use the target.
    """
    # Its warnings speak of private matters; errors stay, and a user's own level wins.
    os.environ.setdefault("GLOG_v", "3")
    # Half imported, MindSpore aborts the process at its end, whatever the exit code was to be.
    with interrupts.held():
        mindspore = _import_mindspore()
        mindspore.set_context(mode=mindspore.GRAPH_MODE)
        _set_target(mindspore, target, None if target == "CPU" else device_id)
    return mindspore


@contextlib.contextmanager
def in_scratch() -> Iterator[None]:
    """The current folder is where `prepare` lets MindSpore leave what nobody reads.

    Mixed precision writes the source of a rewritten network there, and reads it later. That source
    puts folders with a math.py in front of Python's own modules; afterwards they are not there.
    """
    folder, places = Path.cwd(), list(sys.path)
    os.chdir(os.environ.get(_LITTER_VARIABLES[0], folder))
    try:
        yield
    finally:
        os.chdir(folder)
        sys.path[:] = places


def engine() -> Engine:
    """What MindSpore runs on now; `prepare` was called before."""
    mindspore = _import_mindspore()
    return Engine(
        mindspore=mindspore.__version__,
        target=mindspore.get_context("device_target"),
        instruction_set=os.environ.get(_INSTRUCTION_SET, "default"),
        machine=platform.machine(),
        cores=_usable_cores(),
    )


def _import_mindspore() -> Any:
    try:
        _check_numpy()
        mindspore = importlib.import_module("mindspore")
    except (ImportError, importlib.metadata.PackageNotFoundError) as error:
        raise DependencyError(
            f"MindSpore cannot be imported by this Python: {error}. "
            f"Do `pip install mindspore`, or choose a platform image that has it."
        ) from error
    numbers = tuple(int(number) for number in re.findall(r"\d+", mindspore.__version__)[:2])
    if numbers < OLDEST_VERSION:
        raise DependencyError(
            f"MindSpore {mindspore.__version__} is too old; expected 2.2 or newer. "
            f"Do `pip install --upgrade mindspore`, or choose a newer platform image."
        )
    return mindspore


def _check_numpy() -> None:
    version = importlib.metadata.version("numpy")
    if int(version.split(".")[0]) >= 2:
        raise DependencyError(
            f"numpy {version} breaks MindSpore (scalars and products fail); expected numpy 1. "
            f"Do `pip install 'numpy<2'`."
        )


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _set_target(mindspore: Any, target: str, device_id: int | None) -> None:
    try:
        # set_device came with 2.5; before, both were part of the context.
        if hasattr(mindspore, "set_device"):
            mindspore.set_device(target, device_id)
        elif device_id is None:
            mindspore.set_context(device_target=target)
        else:
            mindspore.set_context(device_target=target, device_id=device_id)
    except (RuntimeError, ValueError) as error:
        raise DeviceError(
            f"MindSpore {mindspore.__version__} cannot use device target {target}: "
            f"{first_sentence(error)} Choose device=cpu, or a MindSpore and a driver for {target}."
        ) from error


def first_sentence(error: BaseException) -> str:
    """The part of MindSpore's message that people can use; hints and C++ call stacks follow it.

    >>> first_sentence(RuntimeError("Unsupported device target GPU. Please check whether ..."))
    'Unsupported device target GPU.'
    """
    text = str(error).split("\n\n-")[0].strip(" \n'") or type(error).__name__
    return re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0]
