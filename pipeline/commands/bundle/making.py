"""Makes a bundle: looks first, then downloads, then puts it in its place at once."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

from pipeline import errors
from pipeline.commands.bundle import content, place, registry
from pipeline.commands.bundle.content import LIST_NAME, Content
from pipeline.commands.bundle.options import Options, read_options
from pipeline.commands.bundle.registry import Target
from pipeline.disk.files import human_bytes, naming_full_disk
from pipeline.errors import ConfigError, Mistake
from pipeline.messages import console

# Platforms take no more code than this.
LARGEST_BYTES = 50_000_000

_PINS_NAME = "constraints.txt"


@dataclass(frozen=True)
class Made:
    """A finished bundle: the folder, the same as a zip, and what the folder holds."""

    folder: Path
    zip_path: Path
    size_bytes: int
    wheels: int


def main(arguments: Sequence[str], root: Path) -> int:
    """Does `python run.py bundle` with these arguments; gives the exit code.

    Raises:
        MindRunError: as `read_options` and `make` do.
    """
    options = read_options(arguments, Path.cwd())
    made = make(options, root)
    holds = f"{human_bytes(made.size_bytes)} with {made.wheels} wheels"
    console.say(f"bundle for {options.target}: {holds}", "bold green")
    console.say(f"  folder  {made.folder} (commit what it holds as a branch)")
    console.say(f"  zip     {made.zip_path} (the same, {human_bytes(_size(made.zip_path))})")
    console.say("  its README.md says how to start it")
    return errors.DONE


def make(options: Options, root: Path) -> Made:
    """The bundle is in its place, folder and zip; an earlier one of ours there is replaced.

    Raises:
        ConfigError: something cannot be included, is too large, or is in the way.
        DependencyError: no fitting wheel can be had.
        StorageError: the package registry cannot be reached.
        DiskFullError: no space is left.
    """
    root, target = root.resolve(), options.target
    default = root / "dist" / f"bundle-py{target.python.replace('.', '')}-{target.arch}"
    folder = (options.output or default).resolve()
    place.finish_earlier(folder)
    found = _checked(options, root, folder)
    needs, pins = _read(root / LIST_NAME), _read(root / _PINS_NAME)
    with naming_full_disk(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{folder.name}.part"
        with tempfile.TemporaryDirectory(prefix=prefix, dir=folder.parent) as workshop:
            new = Path(workshop, "files")
            _copy(found, new)
            wheels = registry.download(needs, pins, target, new / "wheels")
            _write_texts(root, found, target, new)
            size_bytes = place.size_bytes(new)
            place.take_place(new, folder)
        zip_path = place.zip_path_of(folder)
        place.write_zip(folder, zip_path)
    return Made(folder, zip_path, size_bytes, len(wheels))


def _checked(options: Options, root: Path, folder: Path) -> Content:
    """What goes in, after everything that can be wrong has been looked at."""
    mistakes: list[Mistake] = []
    found: Content = {}
    try:
        found = content.gather(root, options.includes)
    except ConfigError as error:
        mistakes += error.mistakes
    try:
        place.refuse_others(folder)
    except ConfigError as error:
        mistakes += error.mistakes
    mistakes += content.too_large(found, LARGEST_BYTES)
    sources = {root / "conf", root / "pipeline", *(path.resolve() for path in options.includes)}
    for source in sources - {root, *root.parents}:
        if source == folder or source in folder.parents:
            problem = f"lies in {source}, which goes into the bundle"
            mistakes.append(Mistake(f"--output {folder}", problem, remedy="choose another"))
    for name in (LIST_NAME, _PINS_NAME):
        if not (root / name).is_file():
            problem = "is not there, and says which packages a bundle needs"
            remedy = "start the command in a clone; a bundle cannot make another"
            mistakes.append(Mistake(str(root / name), problem, remedy=remedy))
    if mistakes:
        raise ConfigError(mistakes)
    return found


def _read(path: Path) -> list[Requirement]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line.strip() and line[0] not in "#-"]


def _copy(found: Content, folder: Path) -> None:
    (folder / "wheels").mkdir(parents=True)
    for name, source in found.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)


def _write_texts(root: Path, found: Content, target: Target, folder: Path) -> None:
    # Not at the top, where a preset image would run pip on it, with internet or without.
    shutil.copyfile(root / LIST_NAME, folder / "wheels" / LIST_NAME)
    (folder / "README.md").write_text(content.readme(target), encoding="utf-8")
    (folder / ".gitignore").write_text(content.ignore_rules(found), encoding="utf-8")
    place.write_record(folder, python=target.python, arch=target.arch)


def _size(path: Path) -> int:
    return path.stat().st_size
