"""Versions of what is installed, told from its metadata: nothing heavy is imported."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.commands.doctor.asking import Check, ask
from pipeline.commands.doctor.finding import Finding, ok, problem, warning
from pipeline.job.job import Job
from pipeline.running import surroundings
from pipeline.storage import moxing

# A start of the helper that imports moxing: TensorFlow may come with it.
_LONGEST_S = 20.0
_PYTHONS = ((3, 9), (3, 12))
_TRIED = ((2, 7), (2, 10))
_LIBRARIES = ("hydra-core", "omegaconf", "pydantic")
_OPTIONAL = ("isal", "py7zr", "zstandard")
_OBS_VARIABLES = (
    "OBS_ENDPOINT",
    "OBS_ACCESS_KEY_ID",
    "OBS_SECRET_ACCESS_KEY",
    "OBS_SECURITY_TOKEN",
)


def findings(job: Job, variables: Mapping[str, str]) -> Iterator[Finding]:
    """Python, MindSpore and the libraries, and the two ways to OBS."""
    found = surroundings.describe(job)
    yield _python()
    yield _mindspore(job, found["mindspore"])
    yield _numpy(found["numpy"])
    yield ok("libraries", ", ".join(f"{name} {found[name]}" for name in _LIBRARIES))
    lacking = [name for name in _OPTIONAL if not _version(name)]
    if lacking:
        hint = f"pip install {' '.join(lacking)} brings them"
        yield ok("optional", f"not installed: {', '.join(lacking)}; {hint}")
    yield from ask([Check("moxing", _moxing)], longest_s=_LONGEST_S)
    yield _sdk()
    yield ok("variables", _variables(variables))
    yield ok("code", f"git commit {found['git_commit']}" if found["git_commit"] else "no git")


def _python() -> Finding:
    version = "{}.{}.{}".format(*sys.version_info[:3])
    if _PYTHONS[0] <= sys.version_info[:2] <= _PYTHONS[1]:
        return ok("Python", f"{version}, {sys.executable}")
    return problem("Python", f"{version}; expected 3.9 to 3.12: choose another python or image")


def _mindspore(job: Job, version: str | None) -> Finding:
    if version is None:
        if "build" not in job.mode.stages:
            return ok("MindSpore", "not installed; the stages of this job need none")
        remedy = "run: pip install mindspore, or choose an image that has it"
        return problem("MindSpore", f"not installed, but the stage 'build' needs it; {remedy}")
    if _TRIED[0] <= _numbers(version) <= _TRIED[1]:
        return ok("MindSpore", version)
    return warning("MindSpore", f"{version}; 2.7 to 2.10 were tried, others may work or not")


def _numpy(version: str | None) -> Finding:
    if version is None:
        return warning("numpy", "not installed; MindSpore needs it: pip install 'numpy<2'")
    if _numbers(version) < (2, 0):
        return ok("numpy", version)
    remedy = "run: pip install 'numpy<2'"
    return problem("numpy", f"{version}; expected below 2, with which MindSpore fails; {remedy}")


def _moxing() -> Finding:
    if not moxing.is_installed():
        return ok("moxing", "absent, as everywhere but in platform images")
    reason = moxing.problem()
    if not reason:
        return ok("moxing", "Huawei's own; it moves everything to and from OBS")
    remedy = "PyPI's moxing is an unrelated package; run: pip uninstall moxing"
    return warning("moxing", f"{reason} {remedy}")


def _sdk() -> Finding:
    version = _version("esdk-obs-python")
    if version and importlib.util.find_spec("obs"):
        return ok("OBS SDK", f"esdk-obs-python {version}")
    hint = "obs:// without moxing needs it: pip install esdk-obs-python"
    return ok("OBS SDK", f"not installed; {hint}")


def _variables(variables: Mapping[str, str]) -> str:
    """Names alone: what they hold is nobody's business."""
    is_set = [name for name in _OBS_VARIABLES if variables.get(name, "").strip()]
    lacking = [name for name in _OBS_VARIABLES if name not in is_set]
    parts = [f"set: {', '.join(is_set)}" if is_set else ""]
    parts += [f"not set: {', '.join(lacking)}" if lacking else ""]
    return "; ".join(filter(None, parts))


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[Any, ...]:
    """The first two numbers of a version.

    >>> _numbers("2.10.0rc1")
    (2, 10)
    """
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])
