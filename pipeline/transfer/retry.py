"""Trying again, for as long as it may help and not longer."""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from pipeline.errors import StorageError
from pipeline.storage import ObjectChangedError

log = logging.getLogger(__name__)

T = TypeVar("T")

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 8.0

# So many times more attempts has what fails while others of its group come through: of many
# thousand objects some meet every fault of a bad server several times in a row.
_LENIENCY = 4

# A message says what is wrong, then in sentences of its own what to do.
_SENTENCE = re.compile(r"\.(?: (?=[A-Z])|$)")

# An attempt that brought so much more was no failure: a long download may break many times.
PROGRESS_BYTES = 16 << 20


@dataclass(frozen=True)
class Limits:
    """How many transfers run at once, how often each is tried again, how long it may stall."""

    parallel: int
    retries: int
    stall_s: float

    @property
    def patience_s(self) -> float:
        """After attempts that took so long and moved nothing, no other one begins.

        One attempt can stand still more than once (asking, then reading), so that a
        count alone does not bound the time.
        """
        return self.stall_s * (self.retries + 0.25)


@dataclass
class Progress:
    """What an action has to show for itself so far, kept up to date by the action.

    `moved_bytes` is all that ever moved, `safe_bytes` what need not move again;
    `others` tells how many other actions of the group have come to their end; `told`
    holds what people were told already, of which one line for each object is enough.
    """

    moved_bytes: int = 0
    safe_bytes: int = 0
    others: Callable[[], int] = lambda: 0
    told: list[str] = field(default_factory=list)


def retry(
    action: Callable[[], T],
    *,
    limits: Limits,
    progress: Progress | None = None,
    sleep: Callable[[float], object] = time.sleep,
) -> T:
    """What `action` returns, tried again after each passing StorageError.

    The waits double up to a cap, with jitter so that many clients do not come back at
    the same moment. The count starts anew whenever PROGRESS_BYTES more are safe. There
    are more attempts while others of the group succeed.

    Raises:
        StorageError: of the last attempt; its text also says how many there were.
    """
    progress = progress or Progress()
    attempts, idle_s, others = 0, 0.0, progress.others()
    while True:
        moved_bytes, safe_bytes = progress.moved_bytes, progress.safe_bytes
        begun_s = time.monotonic()
        attempts += 1
        try:
            return action()
        except ObjectChangedError:
            # Asking for the same version again is in vain.
            raise
        except StorageError as error:
            has_moved = progress.moved_bytes > moved_bytes
            idle_s = 0.0 if has_moved else idle_s + time.monotonic() - begun_s
            if progress.safe_bytes >= safe_bytes + PROGRESS_BYTES:
                attempts = 1
            pause_s = wait_s(attempts)
            others, others_before = progress.others(), others
            is_alone = others == others_before
            longest = limits.retries * (1 if is_alone else _LENIENCY)
            is_over = attempts > longest or idle_s > limits.patience_s
            if not error.is_passing or (is_over and attempts == 1):
                raise
            if is_over:
                raise type(error)(f"{error} Gave up after {attempts} attempts.") from error
            _tell(str(error), pause_s, progress, is_alone=is_alone)
        sleep(pause_s)


def _tell(text: str, pause_s: float, progress: Progress, *, is_alone: bool) -> None:
    # One of many that come through is nothing to worry about.
    level = logging.WARNING if is_alone and not progress.told else logging.DEBUG
    if level == logging.WARNING:
        progress.told.append(text)
    # What people should do is for the end, when trying again was in vain.
    log.log(level, "%s. Trying again in %.1f s.", _SENTENCE.split(text)[0], pause_s)


def wait_s(attempts: int) -> float:
    """How long to wait after so many attempts: twice as long each time, up to a cap."""
    longest_s: float = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (attempts - 1))
    return longest_s * random.uniform(0.75, 1)
