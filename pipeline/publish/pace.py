"""How often the live export sends what it would send anew each time, and how often it tries."""

from __future__ import annotations

import logging
import time

from pipeline.messages.masking import mask

log = logging.getLogger(__name__)

# Tables, logs and the manifest grow with every epoch: sent each time, they would grow with the
# square. They get this share of the bytes of everything else, and are sent this often anyway.
ACCOUNTS_SHARE = 0.05
ACCOUNTS_EVERY_S = 30.0
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0


class Accounts:
    """Whether it is time to send the accounts: the manifest, tables and logs."""

    def __init__(self) -> None:
        self._is_owed = False
        self._allowance_bytes = self._cost_bytes = 0.0
        self._last_s = time.monotonic()

    def owe(self, sent_bytes: int) -> None:
        """So much else has been sent since; or something was removed."""
        self._is_owed = True
        self._allowance_bytes += ACCOUNTS_SHARE * sent_bytes

    def due_in_s(self) -> float | None:
        """When they are due, if ever; the first are at once."""
        if not self._is_owed:
            return None
        if self._allowance_bytes >= self._cost_bytes:
            return 0.0
        return max(0.0, self._last_s + ACCOUNTS_EVERY_S - time.monotonic())

    def sent(self, cost_bytes: int) -> None:
        """They were, and that took so much."""
        self._is_owed = False
        self._allowance_bytes = max(0.0, self._allowance_bytes - cost_bytes)
        self._cost_bytes, self._last_s = float(cost_bytes), time.monotonic()


class Outage:
    """A time in which a place refuses or cannot be reached: told once, however long it lasts."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._wait_s = 0.0

    def goes_on(self, error: Exception) -> float:
        """How long to wait after this failure."""
        tell = log.debug if self._wait_s else log.warning
        tell("%s The job goes on; what is new is sent once that works again.", mask(str(error)))
        self._wait_s = min(LONGEST_WAIT_S, max(FIRST_WAIT_S, 2 * self._wait_s))
        return self._wait_s

    def is_over(self) -> None:
        """Sending works."""
        if self._wait_s:
            log.info("%s can be written again", self._url)
        self._wait_s = 0.0
