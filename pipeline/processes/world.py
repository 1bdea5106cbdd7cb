"""Which of many processes this one is, as platforms, msrun and mpirun tell by variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.errors import ConfigError, Mistake

# MindSpore's dynamic cluster: the scheduler runs the same command and does none of its work.
ROLE = "MS_ROLE"
SCHEDULER = "MS_SCHED"


@dataclass(frozen=True)
class World:
    """All processes of a job: this one's rank from 0, how many there are, its device here."""

    rank: int = 0
    size: int = 1
    device: int | None = None

    @property
    def is_first(self) -> bool:
        """Whether this process keeps the run's record."""
        return self.rank == 0

    @property
    def has_company(self) -> bool:
        """Whether there is another process."""
        return self.size > 1


ALONE = World()


def read(names: Mapping[str, Sequence[str]], variables: Mapping[str, str]) -> World:
    """The world that the variables describe; without them this process is alone.

    Raises:
        ConfigError: a variable holds no number, or the rank is not below the size.
    """
    size = _number("size", names, variables, 1)
    rank = _number("rank", names, variables, 0)
    if size < 1 or not 0 <= rank < size:
        problem = f"rank {rank} of {size}: expected a rank from 0 to below the size"
        remedy = "look at the variables that the launcher sets"
        raise ConfigError([Mistake("cluster.world", problem, "the environment", remedy)])
    device = _number("device", names, variables, -1)
    return World(rank, size, device if device >= 0 else None)


def is_scheduler(variables: Mapping[str, str]) -> bool:
    """Whether this process is MindSpore's scheduler, started by msrun with the same command."""
    return variables.get(ROLE) == SCHEDULER


def is_inside(names: Mapping[str, Sequence[str]], variables: Mapping[str, str]) -> bool:
    """Whether somebody else decides how many processes there are."""
    return ROLE in variables or any(variables.get(name) for name in names.get("size", ()))


def _number(
    part: str, names: Mapping[str, Sequence[str]], variables: Mapping[str, str], default: int
) -> int:
    for name in names.get(part, ()):
        text = variables.get(name, "").strip()
        if not text:
            continue
        try:
            return int(text)
        except ValueError as error:
            problem = f"the variable {name} holds {text!r}; expected a whole number"
            raise ConfigError([Mistake(f"cluster.world.{part}", problem)]) from error
    return default
