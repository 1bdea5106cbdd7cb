"""What an export sends while training goes on, and what it costs the training."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path

from benchmarks import data, jobs, server, tools
from benchmarks.measure import Contestant, Timing, in_turn, wall_s, work_s
from benchmarks.results import Goal, Result, Row, row
from benchmarks.setting import Setting
from benchmarks.trainings import COPIED_NAME

_EPOCHS = 20
_KIND = "images-1500"
_KEPT = 3
_ALL, _SOME = "MindRun, every checkpoint kept", f"MindRun, {_KEPT} checkpoints kept"
_SILENT = "MindRun, without export"
_SAMPLE_ALL = "samples' way, every checkpoint kept"
_SAMPLE_SOME = f"samples' way, {_KEPT} checkpoints kept"
_MOST_SENT, _MOST_BLOCKED_PERCENT = 1.1, 1.0
_BLOCKED_NAME = "blocked_s"


class _Received:
    """What has come from each, by the server's count or the script's own, in bytes."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint, self._before_bytes = endpoint, server.received_bytes(endpoint)
        self.sent_bytes: dict[str, int] = {}
        self.made_bytes = 0
        self.blocked_s: list[float] = []

    def note_job(self, name: str, target: Path) -> None:
        """This job has ended."""
        now_bytes = server.received_bytes(self._endpoint)
        self.sent_bytes[name] = now_bytes - self._before_bytes
        self._before_bytes = now_bytes
        self.blocked_s.append(float((target / _BLOCKED_NAME).read_text(encoding="utf-8")))
        if name == _ALL:
            # Nothing was pruned: what lies there is all that was made.
            files = target.glob("outputs/*/**/*")
            self.made_bytes = sum(
                path.stat().st_size
                for path in files
                if path.is_file() and not path.name.startswith(".")
            )

    def note_script(self, name: str, target: Path) -> None:
        """This script has ended."""
        self.sent_bytes[name] = int((target / COPIED_NAME).read_text(encoding="utf-8"))


def measure(setting: Setting) -> Iterator[Result]:
    """Twenty short epochs, to a server that counts."""
    images = data.make(_KIND, setting.data)
    with server.serving(setting.server_cores) as endpoint:
        received = _Received(endpoint)
        variables = server.variables(endpoint)
        contestants = list(_jobs(images, received, variables))
        found = in_turn(contestants, rounds=setting.rounds, folder=setting.scratch, is_warm=True)
        scripts = list(_scripts(images, received))
        found.update(in_turn(scripts, rounds=1, folder=setting.scratch, is_warm=True))
    yield _traffic(found, received)
    yield _cost(found, received)


def _jobs(images: Path, received: _Received, variables: dict[str, str]) -> Iterator[Contestant]:
    job = jobs.training(images, "{target}", f"mode.epochs={_EPOCHS}")[2:]
    watched = tools.trainer("watched", "{target}/" + _BLOCKED_NAME, *job)
    export = f"cluster.export_url=obs://{tools.BUCKET}/{{unique}}"
    for name, keep in ((_ALL, "null"), (_SOME, str(_KEPT))):
        yield Contestant(
            name,
            (*watched, export, f"mode.keep_checkpoints={keep}"),
            variables,
            check=lambda target, name=name: received.note_job(name, target),
            told_s=_epoch_s,
        )
    silent = (*watched, "mode.stages=[fetch,extract,build,train,evaluate]")
    yield Contestant(_SILENT, silent, told_s=_epoch_s)


def _scripts(images: Path, received: _Received) -> Iterator[Contestant]:
    for name, keep in ((_SAMPLE_ALL, _EPOCHS), (_SAMPLE_SOME, _KEPT)):
        words = (str(images), "{target}", f"--epochs={_EPOCHS}", f"--keep={keep}")
        # Instructions change no byte's size, and the minutes that it takes are no matter here.
        yield Contestant(
            name,
            tools.trainer("sample", *words),
            jobs.device_variables(),
            check=lambda target, name=name: received.note_script(name, target),
        )


def _epoch_s(folder: Path) -> float:
    return statistics.median(jobs.epoch_seconds(folder))


def _traffic(found: dict[str, Timing], received: _Received) -> Result:
    names = (_ALL, _SOME, _SAMPLE_ALL, _SAMPLE_SOME)
    shares = {name: received.sent_bytes[name] / received.made_bytes for name in names}
    return Result(
        name="export_traffic",
        quantity="sent_bytes",
        title=f"What {_EPOCHS} epochs of LeNet-5 send",
        explanation=(
            f"Each epoch leaves a checkpoint of half a megabyte; {received.made_bytes / 1e6:.1f} "
            "MB are made in all: everything in the run folder where nothing is removed. MindRun's "
            "bytes are those of the requests that arrive at an S3-compatible server, tables, "
            "logs and manifests included; the script in the samples' way copies its whole output "
            "folder at the end of every epoch, and counts what it copies."
        ),
        rows=tuple(
            Row(
                name,
                found[name].of(wall_s),
                sent_bytes=received.sent_bytes[name],
                note=f"{shares[name]:.2f} of what was made",
                is_ours=name in (_ALL, _SOME),
            )
            for name in names
        ),
        goals=tuple(
            Goal(f"bytes sent to bytes made, {name.partition(', ')[2]}", shares[name], _MOST_SENT)
            for name in (_ALL, _SOME)
        ),
    )


def _cost(found: dict[str, Timing], received: _Received) -> Result:
    names = (_ALL, _SOME, _SILENT)
    blocked_s = statistics.median(received.blocked_s) / _EPOCHS
    epoch_s = statistics.median([*found[_ALL].of(work_s), *found[_SOME].of(work_s)])
    return Result(
        name="export_traffic",
        title="An epoch of 46 steps while files are sent",
        explanation=(
            f"The median of {_EPOCHS - 1} epochs by the job's events, with a server to send to "
            "and with nothing to send. Files are sent by a thread of its own; what the "
            "training's thread spends on handing them over, waiting for locks included, is "
            "timed inside the calls. So short an epoch shows more of it than a long one."
        ),
        rows=tuple(
            row(name, found[name], other=found[_SILENT], seconds_of=work_s, is_ours=True)
            for name in names
        ),
        against=_SILENT,
        goals=(
            Goal(
                "share of an epoch spent on handing files over",
                100 * blocked_s / epoch_s,
                _MOST_BLOCKED_PERCENT,
                unit=" %",
            ),
        ),
    )
