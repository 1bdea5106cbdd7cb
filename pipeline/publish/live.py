"""The export while a run goes on: one thread that sends what is new and never holds up the work.

An interim manifest at the place says `running` and names what is verified there, so that the run
can go on from it on another machine at any time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.errors import MindRunError, StorageError
from pipeline.manifest import Artifact, Digests, Manifest
from pipeline.publish.backlog import Backlog
from pipeline.publish.carrier import Carrier
from pipeline.publish.pace import FIRST_WAIT_S, Accounts, Outage
from pipeline.publish.place import Place

# What one round sends at most, so that an ending need not wait for a long one.
_ROUND_BYTES, _ROUND_FILES = 8 << 20, 16
# After an ending's time is over, a thread that stands in a call gets this long to notice.
_LEAVE_S = 0.2


class _CutOffError(MindRunError):
    """There is no time left for what is being sent."""


class LiveExport:
    """Files of a run folder go to its place as they come; the thread starts with the first."""

    def __init__(
        self, place: Place, folder: Path, *, describe: Callable[[], Manifest], digests: Digests
    ) -> None:
        """`describe` gives the run's manifest as it stands; `digests` may be used by others too."""
        # It tries again by itself, for as long as the run goes on.
        self._place = replace(place, limits=replace(place.limits, retries=0))
        self._folder = folder
        self._describe, self._digests = describe, digests
        self._backlog, self._accounts = Backlog(), Accounts()
        self._outage = Outage(place.url)
        self._thread: threading.Thread | None = None
        self._carrier: Carrier | None = None
        self._replaced: set[str] = set()
        self._is_cut_off = threading.Event()

    def saved(self, path: Path) -> None:
        """The file is whole and will be sent; returns at once."""
        self._backlog.add(path.relative_to(self._folder).as_posix())
        self._start()

    def pruned(self, path: Path) -> None:
        """The file is gone here, and will be there once its successor is; returns at once."""
        self._backlog.prune(path.relative_to(self._folder).as_posix())
        self._start()

    def finish(self) -> None:
        """Nothing is sent any more; what was under way has come to its end."""
        self._backlog.close(at_once=True)
        if self._thread is not None:
            self._thread.join()
        # Whoever goes on from here keeps the ledger on the disk.
        self._thread, self._carrier = None, None

    def drain(self, names: Sequence[str], *, until_s: float) -> tuple[Artifact, ...]:
        """What of these files lies at the place, verified; sent as far as the time allows.

        `until_s` is on the monotonic clock. What is under way then is given up, and nothing is
        sent any more.
        """
        self._backlog.open()
        # Telling that an old file is there already takes time too.
        known = {a.path for a in self._carrier.verified(names)} if self._carrier else set()
        for name in sorted(names, key=known.__contains__):
            self._backlog.add(name)
        self._backlog.close(at_once=False)
        self._start()
        if self._thread is not None:
            self._thread.join(max(0.0, until_s - time.monotonic()))
            self._is_cut_off.set()
            self._backlog.close(at_once=True)
            self._thread.join(_LEAVE_S)
        return self._carrier.verified(names) if self._carrier is not None else ()

    def _start(self) -> None:
        is_at_work = self._thread is not None and self._thread.is_alive()
        if not is_at_work and not self._is_cut_off.is_set():
            self._thread = threading.Thread(target=self._work, name="exports", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while self._backlog.wait(self._accounts.due_in_s()):
            try:
                self._round(self._carrier or self._opened())
                self._outage.is_over()
            except _CutOffError:
                return
            except (MindRunError, OSError) as error:
                self._backlog.put_back()
                if not self._tries_again_after(error):
                    return

    def _round(self, carrier: Carrier) -> None:
        names = self._backlog.take(self._size, most_bytes=_ROUND_BYTES, most=_ROUND_FILES)
        # With the next manifest: until then the one that is there tells the truth.
        later = [] if self._backlog.is_closing else list(filter(carrier.replaces, names))
        sent_bytes, changed = carrier.send(name for name in names if name not in later)
        self._replaced.update(later)
        self._backlog.done()
        for name in changed:
            self._backlog.add(name)
        self._accounts.owe(sent_bytes + sum(map(self._size, later)))
        if not self._backlog.is_closing and self._accounts.due_in_s() == 0:
            self._settle_accounts(carrier)

    def _settle_accounts(self, carrier: Carrier) -> None:
        gone = self._backlog.removable()
        cost_bytes = carrier.send_accounts(sorted(self._replaced), without=gone)
        replaced_bytes = sum(map(self._size, self._replaced))
        self._accounts.sent(max(0, cost_bytes - replaced_bytes))
        self._replaced.clear()
        # Only now: what a manifest names must be there.
        for name in gone:
            carrier.remove(name)
            self._backlog.removed(name)

    def _opened(self) -> Carrier:
        carrier = Carrier(
            self._place,
            self._folder,
            describe=self._describe,
            digests=self._digests,
            go_on=self._go_on,
        )
        for name in carrier.open():
            self._backlog.prune(name)
        self._carrier = carrier
        return carrier

    def _tries_again_after(self, error: Exception) -> bool:
        wait_s = self._outage.goes_on(error)
        if not self._backlog.is_closing:
            return self._backlog.pause(wait_s)
        # An ending has no time for a place that refuses.
        is_passing = isinstance(error, StorageError) and error.is_passing
        return is_passing and not self._is_cut_off.wait(FIRST_WAIT_S / 2)

    def _go_on(self, moved_bytes: int) -> None:
        del moved_bytes
        if self._is_cut_off.is_set():
            raise _CutOffError

    def _size(self, name: str) -> int:
        try:
            return (self._folder / name).stat().st_size
        except FileNotFoundError:
            return 0
