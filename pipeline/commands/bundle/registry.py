"""Wheels for another Python and machine, from the package registry that pip is set up for.

pip evaluates markers for the Python it runs under. So it is asked for single wheels only;
what needs what is read from the wheels, for the target.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pipeline.disk.files import free_space, human_bytes
from pipeline.errors import DependencyError, DiskFullError, StorageError
from pipeline.installing import wheels
from pipeline.installing.wheels import Wheel

PYTHONS = ("3.9", "3.10", "3.11", "3.12")
ARCHES = ("aarch64", "x86_64")

logger = logging.getLogger(__name__)

# These exist as source only; each is pure Python, so that its wheel can be built here.
_SOURCE_ONLY = frozenset({"antlr4-python3-runtime"})
_PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")
_CALM = ("--quiet", "--progress-bar", "off", "--retries", "2", "--timeout", "15", "--no-deps")
_PIP_LIMIT_S = 900
_NO_CONNECTION = ("Connection", "Max retries", "Temporary failure", "timed out", "ProxyError")


@dataclass(frozen=True)
class Target:
    """The Python, as `3.9`, and the Linux machine that wheels are for."""

    python: str
    arch: str

    @property
    def environment(self) -> dict[str, str]:
        """What markers such as `python_version < "3.11"` are evaluated with."""
        return {
            "implementation_name": "cpython",
            "os_name": "posix",
            "platform_machine": self.arch,
            "platform_python_implementation": "CPython",
            "platform_system": "Linux",
            # Which patch release it is does not show; a late one meets every `>= 3.9.x`.
            "python_full_version": f"{self.python}.99",
            "python_version": self.python,
            "sys_platform": "linux",
        }

    @property
    def pip_flags(self) -> list[str]:
        """How pip is told to look for this target's wheels."""
        abi = f"cp{self.python.replace('.', '')}"
        # Images with an old glibc run these, too. Old pips do not know that they are the same.
        platforms = (f"manylinux2014_{self.arch}", f"manylinux_2_17_{self.arch}")
        flags = ["--only-binary", ":all:", "--implementation", "cp"]
        flags += ["--python-version", self.python]
        for name in (abi, "abi3", "none"):
            flags += ["--abi", name]
        for name in platforms:
            flags += ["--platform", name]
        return flags

    def __str__(self) -> str:
        """The target for people."""
        return f"Python {self.python} on {self.arch}"


def download(
    needs: Iterable[Requirement], pins: Iterable[Requirement], target: Target, folder: Path
) -> list[Wheel]:
    """The wheels that `needs` need on the target, downloaded into the folder.

    A distribution without a pin comes in the newest version that fits.

    Raises:
        StorageError: the registry cannot be reached.
        DependencyError: it has no wheel for the target, or pip is missing.
        DiskFullError: no space is left.
    """
    pinned: dict[str, Requirement] = {
        canonicalize_name(pin.name): pin
        for pin in pins
        if pin.marker is None or pin.marker.evaluate({"extra": "", **target.environment})
    }

    def get(requirements: Sequence[Requirement]) -> list[Wheel]:
        before = set(folder.glob("*.whl"))
        _fetch([_wanted(r, pinned) for r in requirements], target, folder)
        new = [wheels.read(path) for path in sorted(set(folder.glob("*.whl")) - before)]
        for wheel in new:
            size = human_bytes(wheel.path.stat().st_size)
            logger.info("downloaded %s %s (%s)", wheel.name, wheel.version, size)
        return new

    return wheels.closure(filter(wheels.is_ours, needs), get, target.environment)


def _wanted(requirement: Requirement, pinned: Mapping[str, Requirement]) -> str:
    pin = pinned.get(canonicalize_name(requirement.name))
    return f"{requirement.name}{pin.specifier if pin else requirement.specifier}"


def _fetch(wanted: Sequence[str], target: Target, folder: Path) -> None:
    def is_source_only(text: str) -> bool:
        return canonicalize_name(Requirement(text).name) in _SOURCE_ONLY

    as_wheels = [text for text in wanted if not is_source_only(text)]
    as_source = [text for text in wanted if is_source_only(text)]
    if as_wheels:
        flags = ["download", *_CALM, *target.pip_flags, "--dest", str(folder)]
        _run_pip([*flags, *as_wheels], target, folder)
    if as_source:
        flags = ["wheel", *_CALM, "--use-pep517", "--wheel-dir", str(folder)]
        _run_pip([*flags, *as_source], target, folder)


def _run_pip(arguments: Sequence[str], target: Target, folder: Path) -> None:
    try:
        done = subprocess.run(
            [*_PIP, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PIP_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise StorageError(
            f"pip has not come to an end within {_PIP_LIMIT_S} s; look at the connection to the "
            f"package registry, then start the same command again."
        ) from error
    if done.returncode:
        _explain(done.stdout + done.stderr, target, folder)


def _explain(said: str, target: Target, folder: Path) -> None:
    """Raises what pip's words mean."""
    lines = [line.removeprefix("ERROR: ") for line in said.splitlines() if "ERROR: " in line]
    cause = next((line for line in lines if "requirement" in line), lines[-1] if lines else said)
    if "No module named pip" in said:
        raise DependencyError(
            f"{sys.executable} has no pip, which fetches the wheels; do "
            f"`{sys.executable} -m ensurepip`, or start this with a Python that has it."
        )
    if "No space left" in said:
        raise DiskFullError(
            f"no disk space left for the wheels in {folder.parent} ({free_space(folder)} free "
            f"there) or for pip's temporary files; free some, or choose another --output."
        )
    if any(sign in said for sign in _NO_CONNECTION):
        raise StorageError(
            "the package registry cannot be reached; make the bundle on a machine with internet, "
            "or tell pip of a mirror (PIP_INDEX_URL) or a proxy (HTTPS_PROXY)."
        )
    raise DependencyError(
        f"pip found no fitting wheel for {target}: {cause.strip()}. Look at the version in "
        f"constraints.txt, or try another --python."
    )
