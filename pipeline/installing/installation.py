"""Installs wheels into a private folder of this node, once; standard library and `packaging`.

Wheels are unpacked, not given to pip: pip may be missing or old on an image, takes seconds,
and with --target it also installs what the image has already.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import sys
import sysconfig
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from pipeline.disk.folders import inside
from pipeline.errors import DependencyError
from pipeline.installing import installed
from pipeline.installing.installed import Need

PATIENCE_S = 120.0

_LOOK_AGAIN_S = 0.05
_ABANDONED_S = 3600.0


def install(wheels_folder: Path, unmet: Sequence[Need], versions: Mapping[str, str]) -> Path:
    """The folder that holds what is unmet, and what that needs and `versions` lacks.

    It is there already, or is made now: complete or absent, by one of all processes that
    ask for it at the same time.

    Raises:
        DependencyError: a wheel is missing, damaged or made for another Python or machine, or
            no folder can be written.
    """
    paths = sorted(wheels_folder.glob("*.whl"))
    name = f"mindrun-packages-{_digest(paths, unmet, versions)}"

    def fill(folder: Path) -> None:
        started = time.monotonic()
        chosen = _choose(paths, [need.text for need in unmet], versions)
        for path in chosen:
            _unpack(path, folder)
        seconds = time.monotonic() - started
        sys.stderr.write(
            f"MindRun: installed {len(chosen)} packages from {wheels_folder} in {seconds:.1f} s\n"
        )

    problems = []
    for place in _places():
        try:
            return _once(place / name, fill)
        except OSError as error:
            problems.append(f"{place} ({error.strerror or error})")
    raise DependencyError(
        f"no folder can take the packages from {wheels_folder}: {', '.join(problems)}; set "
        f"MINDRUN_HOME to a folder that can be written and has 100 MB free."
    )


def _digest(paths: Sequence[Path], unmet: Sequence[Need], versions: Mapping[str, str]) -> str:
    """Differs with the wheels, the Python, the user, and with what the image has of them."""
    facts = [
        sys.version,
        sysconfig.get_platform(),
        str(os.getuid()),
        *(need.text for need in unmet),
    ]
    digest = hashlib.sha256()
    for path in paths:
        name = installed.normalised(path.name.split("-")[0])
        facts += [path.name, versions.get(name, "")]
        digest.update(path.read_bytes())
    digest.update("\n".join(facts).encode())
    return digest.hexdigest()[:16]


def _places() -> list[Path]:
    named = os.environ.get("MINDRUN_HOME")
    if named:
        with contextlib.suppress(OSError):  # It is told with the others when none will do.
            Path(named).mkdir(parents=True, exist_ok=True)
    texts = (named, "/cache", os.environ.get("TMPDIR"), "/tmp")
    return list(dict.fromkeys(Path(text).absolute() for text in texts if text))


def _once(folder: Path, fill: Callable[[Path], None]) -> Path:
    """`folder`, filled by one process while the others wait for it."""
    if _is_usable(folder):
        return folder
    with _alone(folder.with_name(f".{folder.name}.lock")):
        if _is_usable(folder):
            return folder
        prefix = f".{folder.name}.part"
        _sweep(folder.parent, prefix)
        workshop = Path(tempfile.mkdtemp(prefix=prefix, dir=folder.parent))
        try:
            fill(workshop)
            workshop.rename(folder)
        except OSError:
            # Another process that had waited long enough may have been faster.
            if not _is_usable(folder):
                raise
        finally:
            shutil.rmtree(workshop, ignore_errors=True)
    return folder


def _is_usable(folder: Path) -> bool:
    """Whether it is there: complete because renamed, and put there by nobody else.

    Raises:
        OSError: another user has put it there, or compiled packages cannot be loaded there.
    """
    if os.statvfs(folder.parent).f_flag & getattr(os, "ST_NOEXEC", 0):
        raise OSError("mounted noexec")
    try:
        owner = folder.lstat().st_uid
    except FileNotFoundError:
        return False
    if owner != os.getuid():
        raise OSError(f"{folder.name} there belongs to another user")
    return True


@contextlib.contextmanager
def _alone(lock_path: Path) -> Iterator[None]:
    """Holds the lock, or goes on without it after a while.

    The kernel frees a killed holder's lock. The rename decides in any case: waiting only
    saves doing the same work twice.
    """
    with lock_path.open("a") as file:
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end and _is_taken(file.fileno()):
            time.sleep(_LOOK_AGAIN_S)
        yield


def _is_taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # Some network file systems know no locks.
        return False
    return False


def _sweep(place: Path, prefix: str) -> None:
    """Removes what killed processes left here; young ones may still be in use."""
    for leftover in place.glob(f"{prefix}*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - leftover.stat().st_mtime > _ABANDONED_S:
                shutil.rmtree(leftover, ignore_errors=True)


def _choose(paths: Sequence[Path], texts: Sequence[str], versions: Mapping[str, str]) -> list[Path]:
    """The wheels to unpack; `packaging` is borrowed from its wheel, and given back."""
    borrowed = [str(path) for path in paths if path.name.startswith("packaging-")][-1:]
    before = set(sys.modules)
    sys.path[:0] = borrowed
    try:
        from pipeline.installing import wheels

        return [wheel.path for wheel in wheels.choose(paths, texts, versions)]
    except ModuleNotFoundError as error:
        raise DependencyError(
            f"wheels/ has no {error.name}, without which nothing of it can be installed; make it "
            f"with `{installed.bundle_command()}` in a clone on a machine with internet."
        ) from error
    finally:
        del sys.path[: len(borrowed)]
        for name in set(sys.modules) - before:
            if name.split(".")[0] == "packaging" or name == "pipeline.installing.wheels":
                del sys.modules[name]


def _unpack(wheel_path: Path, folder: Path) -> None:
    """Puts the wheel's packages into the folder; scripts and headers are left out."""
    try:
        with zipfile.ZipFile(wheel_path) as archive:
            for member in archive.infolist():
                name = _importable(member.filename)
                if name and not member.is_dir():
                    path = folder / inside(name, origin=wheel_path.name)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(archive.read(member))
    except zipfile.BadZipFile as error:
        raise DependencyError(
            f"{wheel_path} is damaged ({error}); copy the bundle here again, in binary form."
        ) from error


def _importable(name: str) -> str | None:
    """Where a member of a wheel belongs below the folder; None for what is not imported."""
    first, _, rest = name.partition("/")
    if not first.endswith(".data"):
        return name
    kind, _, below = rest.partition("/")
    return below if kind in {"purelib", "platlib"} else None
