"""What is true of this process, this machine and this code when a run starts."""

from __future__ import annotations

import os
import platform
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.context import Context
from pipeline.installing import installed
from pipeline.job import component, placeholders
from pipeline.job.job import Job

# Variables that change what is computed, or how; those of a cluster's meeting place change always.
_DECIDING = re.compile(
    r"(MS|OMP|KMP|MKL|ONEDNN|DNNL|OPENBLAS|CUDA|NCCL|ASCEND|HCCL)_(?!SCHED|ROLE|NODE|WORKER_IP).*"
)
_INSTRUCTIONS = re.compile(r"avx\w*|fma|f16c|amx_\w+|sve2?|asimd\w*|bf16|i8mm")
_PACKAGES = {"site-packages", "dist-packages"}
_OURS = Path(__file__).resolve().parents[2]


def of_process() -> dict[str, Any]:
    """Python and everything that can be imported with it, by the names of distributions."""
    return {
        "python": platform.python_version(),
        "executable": sys.executable,
        # In texts, for a package such as asttokens has a name like a secret's.
        "packages": [f"{n}=={v}" for n, v in sorted(installed.versions(sys.path).items())],
    }


def of_machine() -> dict[str, Any]:
    """The machine, with what of it decides the last bits of a sum."""
    cpu = _cpu_info()
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "host": socket.gethostname(),
        "system": platform.platform(),
        "machine": platform.machine(),
        "processor": cpu.get("model name", platform.processor()),
        "instructions": sorted(filter(_INSTRUCTIONS.fullmatch, _flags(cpu))),
        "cores": os.cpu_count(),
        "usable_cores": usable,
    }


def of_device(context: Context) -> dict[str, Any]:
    """What the job computes on, and the variables that reach into that."""
    device = context.job.device
    variables = {n: v for n, v in os.environ.items() if _DECIDING.fullmatch(n)}
    return {
        "target": device.target,
        "precision": device.precision,
        "ranks": context.here.size,
        "steps_per_graph": device.steps_per_graph,
        "data_sink": device.data_sink,
        "variables": dict(sorted({**device.env, **variables}.items())),
    }


def sources(job: Job) -> dict[str, dict[str, str]]:
    """The files that the job's dotted names and its script consist of, with their digests."""
    script = placeholders.script_in(job.mode.command or (), job.root)
    found = {}
    for target, sha256 in job.sources.items():
        beside = script.parent / target if script else None
        is_of_script = beside is not None and beside.is_file()
        path = beside if is_of_script else component.source_of(target) if sha256 else None
        if path is not None:
            found[target] = {"path": str(path.resolve()), "sha256": sha256}
    return found


def code_outside(job: Job) -> Iterator[tuple[Path, list[Path]]]:
    """Each folder with code that is not the project's, and the job's files there.

    MindRun itself is such code where a project of somebody's uses it as a library. What is
    installed counts as a package, whose version is told.
    """
    folders: dict[Path, list[Path]] = {}
    root = job.root.resolve()
    paths = [Path(source["path"]) for source in sources(job).values()]
    for path in paths:
        if not _is_below(path, root) and not _is_below(path, _OURS) and not _is_installed(path):
            folders.setdefault(path.parent, []).append(path)
    if not _is_below(_OURS, root) and not _is_installed(_OURS):
        folders[_OURS] = [path for path in paths if _is_below(path, _OURS)]
    yield from folders.items()


def code_inside(job: Job) -> list[Path]:
    """The job's files in the project."""
    root = job.root.resolve()
    paths = [Path(source["path"]) for source in sources(job).values()]
    return [path for path in paths if _is_below(path, root)]


def _is_below(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents


def _is_installed(path: Path) -> bool:
    return bool(_PACKAGES & set(path.parts))


def _cpu_info() -> dict[str, str]:
    """What Linux tells about the first core; nothing elsewhere."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    lines = text.partition("\n\n")[0].splitlines()
    pairs = (line.partition(":") for line in lines)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _flags(cpu: dict[str, str]) -> list[str]:
    return (cpu.get("flags") or cpu.get("Features") or "").split()
