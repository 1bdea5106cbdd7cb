"""How much memory the largest jobs need at their peak."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from benchmarks import data, server, tools
from benchmarks.measure import Contestant, in_turn
from benchmarks.results import Goal, Result, Row
from benchmarks.setting import Setting

_MEMBERS = 100_000
_MOST_MB = 150.0
_MOST_ROUNDS = 2


class _Task(NamedTuple):
    name: str
    command: tuple[str, ...]
    files: int
    size_bytes: int


def measure(setting: Setting) -> Iterator[Result]:
    """The peak of the process that does it, Python included."""
    with server.serving(setting.server_cores) as endpoint:
        variables = server.variables(endpoint)
        contestants = [
            Contestant(
                task.name, task.command, variables, check=tools.holds(task.files, task.size_bytes)
            )
            for task in _tasks(setting)
        ]
        rounds = min(setting.rounds, _MOST_ROUNDS)
        found = in_turn(contestants, rounds=rounds, folder=setting.scratch)
    peaks = {name: timing.peak_bytes or 0 for name, timing in found.items()}
    yield Result(
        name="memory",
        quantity="peak_bytes",
        title="Memory at its peak",
        explanation=(
            "The largest resident size, as the operating system counts it, of a process of its own "
            "which does this and nothing else, Python and its libraries included; the largest of "
            f"{rounds} rounds."
        ),
        rows=tuple(
            Row(name, timing.of(lambda u: u.wall_s), peak_bytes=peaks[name], is_ours=True)
            for name, timing in found.items()
        ),
        goals=tuple(Goal(name, peak / 1e6, _MOST_MB, unit=" MB") for name, peak in peaks.items()),
    )


def _tasks(setting: Setting) -> Iterator[_Task]:
    bucket = setting.data / tools.BUCKET
    many = data.make(f"members-{_MEMBERS}.zip", bucket)
    size_bytes = _MEMBERS * data.MEMBER_BYTES
    yield _Task("unpack 100,000 members", _extract(many), _MEMBERS, size_bytes)
    for kind in ("arrays.zip", "arrays.tar.gz"):
        archive = data.make(kind, bucket)
        files, size_bytes = data.contents(archive)
        yield _Task(
            f"unpack {kind}, {size_bytes / 1e6:.0f} MB", _extract(archive), files, size_bytes
        )
    small = tools.child("fetch_folder", f"obs://{tools.BUCKET}/small", "{target}/out")
    yield _Task("fetch 3,000 objects", small, data.OBJECTS, data.OBJECTS * data.OBJECT_BYTES)
    big = tools.child("fetch_file", f"obs://{tools.BUCKET}/big.bin", "{target}/big.bin")
    yield _Task("fetch one object of 300 MB", big, 1, data.BIG_BYTES)


def _extract(archive: object) -> tuple[str, ...]:
    return tools.child("extract", str(archive), "{target}/out")
