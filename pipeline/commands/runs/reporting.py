"""The page of a past run: found in its folder, or made of what lies there."""

from __future__ import annotations

from pathlib import Path

from pipeline.commands.runs.record import Run
from pipeline.disk.files import write_atomically
from pipeline.errors import ConfigError, Mistake
from pipeline.manifest import Manifest
from pipeline.report import page
from pipeline.storage import is_url

# What a page starts with.
_PAGE = b"<!doctype html>"


def page_of(run: Run, wanted: str) -> Path:
    """Where the page of the run is: in the file that is wanted, else in its folder.

    A page that its run has made is left as it is, for the run's record vouches for it.

    Raises:
        ConfigError: nothing is known of the run, it has no folder on this machine, or what is
            wanted is there already and no page.
    """
    if run.manifest is None:
        raise ConfigError([Mistake(run.id, run.problem, "", "its record is what a page shows")])
    manifest = run.manifest.replaced(status=run.status)
    if wanted:
        path = _free(Path.cwd() / wanted)
        write_atomically(path, page.made(manifest, run.read))
        return path
    if is_url(run.place):
        remedy = "write --report=FILE, which makes it here"
        raise ConfigError([Mistake("--report", f"{run.place} is no folder", "", remedy)])
    return _in_folder(Path(run.place), manifest)


def _free(path: Path) -> Path:
    """The path, where nothing but a page is lost by writing it.

    Raises:
        ConfigError: a folder or another file is there.
    """
    remedy = f"write --report={path.with_suffix('.html').name}, or another file that is not there"
    if path.is_dir():
        raise ConfigError([Mistake("--report", f"{path} is a folder", "", remedy)])
    if path.is_file():
        with path.open("rb") as file:
            is_page = not (head := file.read(len(_PAGE))) or head.lower() == _PAGE
        if not is_page:
            problem = f"{path} is there and is no page; it is left as it is"
            raise ConfigError([Mistake("--report", problem, "", remedy)])
    return path


def _in_folder(folder: Path, manifest: Manifest) -> Path:
    path = folder / page.FILE_NAME
    is_its_own = path.is_file() and manifest.status != "running"
    return path if is_its_own else page.write(folder, manifest)
