"""Takes files of a run folder to its place while the run goes on, and vouches for them there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline import transfer
from pipeline.disk.files import is_temporary
from pipeline.errors import ObjectMissingError
from pipeline.manifest import FILE_NAME, Artifact, Digests, Manifest, growing_in, is_growing
from pipeline.publish.ledger import Ledger
from pipeline.publish.place import Place
from pipeline.publish.sending import is_interim, put_manifest


@dataclass(frozen=True)
class _Look:
    """A file as it was when it was looked at."""

    path: Path
    artifact: Artifact
    state: tuple[int, ...]

    @property
    def is_still_so(self) -> bool:
        """Whether nobody has written, replaced or removed it since."""
        return _state(self.path) == self.state


class Carrier:
    """One run folder and its place; for one thread."""

    def __init__(
        self,
        place: Place,
        folder: Path,
        *,
        describe: Callable[[], Manifest],
        digests: Digests,
        go_on: Callable[[int], object],
    ) -> None:
        """`go_on` is called while bytes move, and raises where there is no time left."""
        self._place, self._folder = place, folder
        self._describe, self._digests, self._go_on = describe, digests, go_on
        self._ledger = Ledger.read(folder, place.url)
        self._growing: dict[str, tuple[int, ...]] = {}

    def open(self) -> list[str]:
        """What is known of the place is true; names what lies there and no longer here.

        A manifest there that is not of this attempt, or says complete, gives way at once.
        """
        ledger, found = self._ledger, self._place.listing()
        ledger.compare(found)
        if FILE_NAME in found:
            older = self._place.manifest()
            ledger.note_older(older)
            ledger.write()
            if not is_interim(self._place, older, self._describe().attempt):
                self._put_manifest(without=())
        return [name for name in ledger.sent if not (self._folder / name).is_file()]

    def send(self, names: Iterable[str]) -> tuple[int, list[str]]:
        """These files lie at the place; gives the bytes sent, and what changed meanwhile.

        Those that do not grow are vouched for, unless they have changed.
        """
        looks = {look.artifact.path: look for look in map(self._look, names) if look is not None}
        new = {n: k for n, k in looks.items() if self._ledger.lacks(k.artifact)}
        self._ledger.forget(new)
        self._upload(new)
        changed = [n for n, look in new.items() if not is_growing(n) and not look.is_still_so]
        sent = {n: look.artifact for n, look in new.items() if n not in changed}
        self._ledger.note(a for n, a in sent.items() if not is_growing(n))
        return sum(look.artifact.size_bytes for look in new.values()), changed

    def replaces(self, name: str) -> bool:
        """Whether sending it would take away what a manifest there may name."""
        return name in self._ledger.sent

    def send_accounts(self, replaced: Iterable[str], *, without: Collection[str]) -> int:
        """Tables, logs, what was replaced, and the manifest lie there; gives the bytes sent."""
        at_top = (path.name for path in sorted(self._folder.iterdir()) if path.is_file())
        tables = [n for n in at_top if n != FILE_NAME and not is_temporary(n) and not is_growing(n)]
        states = {name: _state(self._folder / name) for name in growing_in(self._folder)}
        logs = [name for name, state in states.items() if self._growing.get(name) != state]
        sent_bytes, _ = self.send({**dict.fromkeys(replaced), **dict.fromkeys([*tables, *logs])})
        self._growing.update(states)
        return sent_bytes + self._put_manifest(without=without)

    def remove(self, name: str) -> None:
        """Nothing lies at the place under a name that this run has sent there."""
        if name in self._ledger.sent or name in self._ledger.stale:
            self._place.delete(name)
            self._ledger.forget([name])
            self._ledger.stale.discard(name)
            self._ledger.write()

    def verified(self, names: Iterable[str]) -> tuple[Artifact, ...]:
        """What of these lies at the place, in the order of names."""
        sent = dict(self._ledger.sent)
        return tuple(sent[name] for name in sorted(set(names)) if name in sent)

    def _look(self, name: str) -> _Look | None:
        """None where there is no such file any more."""
        path = self._folder / name
        state = _state(path)
        try:
            # Nobody vouches for what grows, so that nobody needs its digest.
            sha256 = "" if is_growing(name) else self._digests.of(path)
            return _Look(path, Artifact(path=name, size_bytes=state[0], sha256=sha256), state)
        except (FileNotFoundError, IndexError):
            return None

    def _upload(self, looks: dict[str, _Look]) -> None:
        files = {name: look.path for name, look in looks.items()}
        try:
            transfer.upload(
                self._place.storage, files, limits=self._place.limits, on_bytes=self._go_on
            )
        except ObjectMissingError:
            left = {n: look for n, look in looks.items() if look.path.is_file()}
            if len(left) == len(looks):
                raise
            # A file was pruned on its way.
            self._upload(left)
        self._go_on(0)

    def _put_manifest(self, *, without: Collection[str]) -> int:
        sent = {n: a for n, a in sorted(self._ledger.sent.items()) if n not in without}
        as_it_stands = self._describe().replaced(
            status="running", finished=None, artifacts=tuple(sent.values()), error=None
        )
        self._go_on(0)
        put_manifest(self._place, self._folder, as_it_stands)
        return len(as_it_stands.as_json())


def _state(path: Path) -> tuple[int, ...]:
    """What changes when somebody writes or replaces the file; empty where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return ()
    return found.st_size, found.st_mtime_ns, found.st_ino
