"""Starts MindSpore's scheduler and the ranks of a job on this machine, and ends them together.

msrun could start them, but it has no signal handling and takes most of a minute to notice that
a rank is gone; here a failure ends all within seconds, with that rank's last words.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO

from pipeline import errors
from pipeline.messages import console

POLL_S = 0.1
# What the first rank needs, after another is gone, to export what there is and write the record.
GRACE_S = 14.0
SELF_END_S = 2.0
LAUNCHER = "MINDRUN_LAUNCHER_PID"
# Codes of processes that ended in order, but early.
_ASKED_TO = (errors.OUT_OF_TIME, errors.INTERRUPTED, errors.TERMINATED)
_SCHEDULE = "from pipeline.training import cluster; cluster.schedule()"


@dataclass(frozen=True)
class Member:
    """One process of the job; the words of all but the first rank are kept in a file."""

    name: str
    process: subprocess.Popen[bytes]
    words: IO[bytes] | None

    @property
    def is_at_work(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    @property
    def has_failed(self) -> bool:
        """Whether it ended otherwise than well, or than as it was asked to."""
        return self.process.poll() not in (None, errors.DONE, *_ASKED_TO)

    @property
    def heard(self) -> int:
        """The signal that made it end, as it says; 0 if none did."""
        code = self.process.poll()
        return code - 128 if code in (errors.INTERRUPTED, errors.TERMINATED) else 0

    @property
    def could_not_tell(self) -> bool:
        """Whether it was killed."""
        return (self.process.poll() or 0) < 0

    @property
    def end(self) -> str:
        """How it ended, in words."""
        code = self.process.poll() or 0
        return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"

    def last_words(self, lines: int = 25) -> str:
        """The end of what it wrote."""
        if self.words is None:
            return ""
        self.words.seek(0)
        text = self.words.read().decode("utf-8", "replace")
        return "\n".join(text.strip().splitlines()[-lines:])


@dataclass
class Crew:
    """All processes of one job on this machine."""

    ranks: list[Member] = field(default_factory=list)
    scheduler: Member | None = None
    signalled: int = 0

    @property
    def everyone(self) -> list[Member]:
        """The ranks, and the scheduler, whose end is rather the effect of another's."""
        return [*self.ranks, *([self.scheduler] if self.scheduler else [])]

    def hear(self, number: int, frame: FrameType | None) -> None:
        """A signal for the job is a signal for every rank."""
        del frame
        self.signalled = self.signalled or number
        self.terminate()

    def terminate(self) -> None:
        """Every rank is asked to end."""
        for rank in self.ranks:
            if rank.is_at_work:
                rank.process.terminate()

    def clear(self) -> None:
        """Nobody is left."""
        for member in self.everyone:
            if member.is_at_work:
                member.process.kill()
            member.process.wait()
            if member.words:
                member.words.close()


def run(
    command: Sequence[str],
    *,
    size: int,
    environment: Mapping[str, str],
    tell: Callable[[str, str], object],
) -> int:
    """Runs the command as `size` ranks; gives the job's exit code. No process outlives this.

    `tell` hears who failed first and how, before the others are asked to end.
    """
    crew = Crew()
    heard = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.signal(number, crew.hear) for number in heard}
    with tempfile.TemporaryDirectory(prefix="mindrun-ranks-") as name:
        try:
            _start(crew, command, size=size, environment=environment, folder=Path(name))
            return _watch(crew, tell)
        finally:
            crew.clear()
            for number, handler in before.items():
                signal.signal(number, handler)


def _start(
    crew: Crew,
    command: Sequence[str],
    *,
    size: int,
    environment: Mapping[str, str],
    folder: Path,
) -> None:
    shared = {
        **environment,
        "MS_SCHED_HOST": "127.0.0.1",
        "MS_SCHED_PORT": str(_free_port()),
        "MS_WORKER_NUM": str(size),
        "RANK_SIZE": str(size),
        LAUNCHER: str(os.getpid()),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    # It waits from now on, the ranks join when the data are here: its own patience is endless.
    own = {"MS_ROLE": "MS_SCHED", "RANK_ID": "0", "MS_TOPO_TIMEOUT": "604800"}
    words = (folder / "scheduler").open("w+b")
    schedule = [sys.executable, "-c", _SCHEDULE]
    crew.scheduler = _begin("scheduler", schedule, {**shared, **own}, words)
    for number in range(size):
        own = {"MS_ROLE": "MS_WORKER", **dict.fromkeys(_NUMBERS, str(number))}
        spoken = (folder / f"rank-{number}").open("w+b") if number else None
        crew.ranks.append(_begin(f"rank-{number}", command, {**shared, **own}, spoken))


def _begin(
    name: str, command: Sequence[str], environment: Mapping[str, str], words: IO[bytes] | None
) -> Member:
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=words,
        stderr=subprocess.STDOUT if words else None,
        # Ctrl-C reaches the ranks once, through this process.
        start_new_session=True,
    )
    return Member(name, process, words)


_NUMBERS = ("RANK_ID", "MS_NODE_ID", "DEVICE_ID")


def _watch(crew: Crew, tell: Callable[[str, str], object]) -> int:
    """Waits for all ranks; when one fails or a signal comes, the rest get a last grace."""
    deadline_s, told_s, culprit, is_asked = 0.0, 0.0, None, False
    while any(rank.is_at_work for rank in crew.ranks):
        failed = next((member for member in crew.everyone if member.has_failed), None)
        heard = next((rank.heard for rank in crew.ranks if rank.heard), 0)
        if heard and not crew.signalled and culprit is None:
            # A platform may have told one rank alone.
            crew.hear(heard, None)
        if failed and culprit is None and not crew.signalled:
            culprit, told_s = failed, time.monotonic()
            if failed.could_not_tell or failed is not crew.ranks[0]:
                tell(failed.name, failed.end)
        # The others may find the failure by themselves, and then know more of it to record.
        if culprit and not is_asked and time.monotonic() - told_s > SELF_END_S:
            is_asked = True
            crew.terminate()
        # The first ends last; whoever stays then waits for nobody.
        is_over = not crew.ranks[0].is_at_work
        if (culprit or crew.signalled or is_over) and not deadline_s:
            deadline_s = time.monotonic() + SELF_END_S + GRACE_S
        if deadline_s and time.monotonic() > deadline_s:
            break
        time.sleep(POLL_S)
    if crew.signalled:
        return 128 + crew.signalled
    failed = culprit or next((rank for rank in crew.ranks if rank.has_failed), None)
    # Of an early end the first rank has said all there is to say.
    return _report(failed) if failed else crew.ranks[0].process.poll() or errors.DONE


def _report(member: Member) -> int:
    who, code = member.name.replace("-", " "), member.process.poll()
    console.say(f"{who} {member.end}; all ranks were ended", "red", to_errors=True)
    if member.last_words():
        console.say(member.last_words(), to_errors=True)
    return errors.WRONG_JOB if code == errors.WRONG_JOB else errors.FAILED


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
