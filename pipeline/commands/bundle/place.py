"""Where a bundle lands: complete or absent, and never over something else."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

from pipeline.disk.files import replacing, sha256_of, write_json
from pipeline.errors import ConfigError, Mistake

RECORD_NAME = "wheels/bundle.json"

# The same content gives the same zip, byte for byte.
_MADE_AT = (1980, 1, 1, 0, 0, 0)


def zip_path_of(folder: Path) -> Path:
    """Where the zip of a bundle lies: beside it."""
    return folder.with_name(f"{folder.name}.zip")


def refuse_others(folder: Path) -> None:
    """Nothing lies there but, perhaps, an earlier bundle as it was made.

    Raises:
        ConfigError: something that would be lost does; the message names it.
    """
    problem = ""
    if folder.is_dir() and any(folder.iterdir()):
        problem = _foreign(folder)
    elif folder.is_file() or zip_path_of(folder).exists():
        problem = "is taken: there is a file of that name, or a zip"
    if problem:
        remedy = "choose another --output, or move away what is there"
        raise ConfigError([Mistake(f"--output {folder}", problem, remedy=remedy)])


def _foreign(folder: Path) -> str:
    try:
        made = json.loads((folder / RECORD_NAME).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError):
        return "exists, and is not a bundle that this command has made"
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        if name != RECORD_NAME and sha256_of(path) != made.get(name):
            return f"holds {name}, which was added or changed after the bundle was made"
    return ""


def write_record(folder: Path, **facts: str) -> None:
    """The bundle says for what it is, and what belongs to it."""
    digests = {path.relative_to(folder).as_posix(): sha256_of(path) for path in _files(folder)}
    write_json(folder / RECORD_NAME, {**facts, "files": digests})


def size_bytes(folder: Path) -> int:
    """What all files in the folder come to."""
    return sum(path.stat().st_size for path in _files(folder))


def write_zip(folder: Path, zip_path: Path) -> None:
    """The zip holds what the folder holds, at its top."""
    with replacing(zip_path) as temporary_path, zipfile.ZipFile(temporary_path, "w") as archive:
        for path in _files(folder):
            info = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _MADE_AT)
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, path.read_bytes())


def take_place(new: Path, folder: Path) -> None:
    """`new` becomes `folder`; a git repository that somebody made in it goes on there.

    Nothing is removed before the new folder is in place and has the repository.
    """
    old = _aside(folder)
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    finish_earlier(folder)


def finish_earlier(folder: Path) -> None:
    """What a killed process has left between the old folder and the new one is put right."""
    old = _aside(folder)
    if not old.exists():
        return
    if not folder.exists():
        old.rename(folder)
        return
    if (old / ".git").exists():
        (old / ".git").rename(folder / ".git")
    shutil.rmtree(old)


def _aside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and inside.parts[0] != ".git" and "__pycache__" not in inside.parts:
            yield path
