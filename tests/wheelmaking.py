"""Tiny wheels for tests, and a wheel of the installed `packaging`."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from importlib.metadata import version as installed_version
from pathlib import Path

import packaging


def make_wheel(
    folder: Path,
    name: str,
    version: str,
    *,
    requires: Sequence[str] = (),
    tag: str = "py3-none-any",
    python: str = ">=3.9",
) -> Path:
    """A wheel with one module of that name, whose VERSION tells which one was imported."""
    files = {f"{name}.py": f"VERSION = {version!r}\n"}
    return _write(folder, f"{name}-{version}", tag, files, requires, python)


def make_packaging_wheel(folder: Path) -> Path:
    """The real thing, which reads the other wheels."""
    source = Path(packaging.__file__).parent
    files = {f"packaging/{p.name}": p.read_text(encoding="utf-8") for p in source.glob("*.py")}
    stem = f"packaging-{installed_version('packaging')}"
    return _write(folder, stem, "py3-none-any", files, (), "")


def _write(
    folder: Path,
    stem: str,
    tag: str,
    files: dict[str, str],
    requires: Sequence[str],
    python: str,
) -> Path:
    name, version = stem.split("-")
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {text}" for text in requires]
    lines += [f"Requires-Python: {python}"] if python else []
    about = f"{stem}.dist-info"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file_name, text in files.items():
            archive.writestr(file_name, text)
        archive.writestr(f"{about}/METADATA", "\n".join(lines) + "\n")
        wheel = f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n"
        archive.writestr(f"{about}/WHEEL", wheel)
        archive.writestr(f"{about}/RECORD", "")
    return path
