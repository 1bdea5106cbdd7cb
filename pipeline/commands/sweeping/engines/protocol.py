"""What a place that runs jobs must be able to do: start one from its file, ask it to end, tell how.

The process that it starts is always `python -m pipeline.child FILE`. It takes its run folder's
lock, writes its own verdict there, and needs nobody to stay alive for that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Order:
    """One job to start: its run's id and folder, its job file, where its output goes.

    `variables` are secrets that its process needs in its environment, and that no file may hold.
    `is_adopted` marks a run at work that nobody looks after any more: the process that is started
    waits for it, and what one is asked both are. `shared` is what it needs besides its file, under
    the same paths on whatever machine.
    """

    run_id: str
    folder: Path
    file: Path
    log: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    is_adopted: bool = False
    shared: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Ending:
    """How a process ended: its exit code, or minus the signal that killed it.

    `words`, where there are some, are what the engine knows of it besides.
    """

    exit_code: int
    words: str = ""


class Started(Protocol):
    """A job at work, or waiting in somebody's queue."""

    def ending(self) -> Ending | None:
        """How it ended; None while it has not."""

    def ask_to_end(self, number: int) -> None:
        """It hears this signal, and ends with what there is saved; asked again, sooner."""

    def kill(self) -> None:
        """It ends now."""


class Engine(Protocol):
    """A place that runs jobs."""

    def start(self, order: Order, slot: int) -> Started:
        """The job is at work there, or will be; `slot` is the number of its place among the busy.

        Raises:
            MindRunError: it cannot be started there.
        """

    def close(self) -> None:
        """Nothing more will be started."""
