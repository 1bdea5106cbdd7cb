"""Whether a sweep lists its jobs, or lets somebody choose them while it goes."""

from __future__ import annotations

from pathlib import Path

from pipeline.commands.sweeping import command
from pipeline.commands.sweeping.searching import command as searching
from pipeline.commands.sweeping.searching import parting
from pipeline.commands.sweeping.searching.parting import Parted
from pipeline.configuration.arguments import Arguments
from pipeline.errors import ConfigError


def main(found: Arguments, root: Path) -> int:
    """The jobs of the command line are run, or with `plan` shown; gives the exit code.

    Raises:
        ConfigError: a job is wrong; nothing was written.
        RunBusyError: another process runs this very sweep.
    """
    parted = _parted(found, root)
    if parted is not None and parted.is_search:
        return searching.main(found, parted, root)
    return command.main(found, root)


def _parted(found: Arguments, root: Path) -> Parted | None:
    """The command line without its sweeps; None where it cannot be read, which is told later."""
    try:
        return parting.part(found, root=root, current_folder=Path.cwd())
    except ConfigError:
        return None
