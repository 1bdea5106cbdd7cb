"""Training LeNet-5: the whole job beside loops of MindSpore's and PyTorch's own."""

from __future__ import annotations

import dataclasses
import shutil
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks import data, jobs, tools
from benchmarks.machine import has_avx512
from benchmarks.measure import Contestant, Timing, in_turn, ratio, run, work_s
from benchmarks.results import Goal, Result, row
from benchmarks.setting import Setting

KIND = "images-60000"
_OURS, _SILENT = "MindRun, the whole job", "MindRun, without export"
_BARE, _EAGER = "bare MindSpore loop", "PyTorch, eager"
_SAMPLE = "script in the samples' way"
_MOST_OF_SAMPLE_AVX512, _MOST_OF_SAMPLE = 0.065, 0.6
_MOST_OF_BARE, _MOST_OF_EAGER = 1.10, 0.85
# Two epochs of it take minutes.
_ROUNDS_OF_SAMPLE = 1


def measure(setting: Setting) -> Iterator[Result]:
    """The second epoch of each; the first one has compiled and warmed up."""
    images = data.make(KIND, setting.data)
    kept = setting.scratch / "weights"
    kept.mkdir()
    found = in_turn(
        list(_contestants(images, kept)),
        rounds=setting.rounds,
        folder=setting.scratch,
        is_warm=True,
    )
    run(tools.trainer("compare", str(kept / "bare.ckpt"), str(kept / "job.ckpt")), folder=kept)
    command = tools.trainer("sample", str(images), "{target}")
    sample = Contestant(_SAMPLE, tools.without_variable(jobs.INSTRUCTION_SET, command))
    found.update(in_turn([sample], rounds=_ROUNDS_OF_SAMPLE, folder=setting.scratch, is_warm=True))
    yield _result(found)


def _contestants(images: Path, kept: Path) -> Iterator[Contestant]:
    def keep(target: Path) -> None:
        shutil.copy(next(target.glob("outputs/*/checkpoints/lenet5-2.ckpt")), kept / "job.ckpt")

    job = jobs.training(images, "{target}", "mode.epochs=2")
    yield Contestant(_OURS, job, check=keep, told_s=_second_s)
    bare = tools.trainer("bare", str(images), str(kept / "bare.ckpt"))
    yield Contestant(_BARE, bare, jobs.device_variables())
    silent = (*job, "mode.stages=[fetch,extract,build,train,evaluate]")
    yield Contestant(_SILENT, silent, told_s=_second_s)
    if tools.has_package("torch"):
        yield Contestant(_EAGER, tools.trainer("eager", str(images)))


def _second_s(folder: Path) -> float:
    return jobs.epoch_seconds(folder)[0]


def _result(found: Mapping[str, Timing]) -> Result:
    seconds = {name: timing.of(work_s) for name, timing in found.items()}
    ours = seconds[_OURS]
    goals = [
        Goal("time to the bare loop's", ratio(ours, seconds[_BARE]), _MOST_OF_BARE),
        Goal(
            "time to that of the samples' way",
            statistics.median(ours) / statistics.median(seconds[_SAMPLE]),
            _MOST_OF_SAMPLE_AVX512 if has_avx512() else _MOST_OF_SAMPLE,
        ),
    ]
    notes = []
    if _EAGER in seconds:
        goals.append(Goal("time to PyTorch's", ratio(ours, seconds[_EAGER]), _MOST_OF_EAGER))
    else:
        notes.append("left out: PyTorch is not installed (pip install torch)")
    rows = {
        name: row(name, timing, other=found[_BARE], seconds_of=work_s, is_ours=name in _ALL_OURS)
        for name, timing in found.items()
    }
    # Its one round has no partner.
    slower = statistics.median(seconds[_SAMPLE]) / statistics.median(seconds[_BARE])
    rows[_SAMPLE] = dataclasses.replace(rows[_SAMPLE], ratio=slower)
    return Result(
        name="training",
        title="An epoch of LeNet-5 on 60,000 images",
        explanation=_EXPLANATION,
        rows=tuple(rows.values()),
        against=_BARE,
        goals=tuple(goals),
        notes=tuple(notes),
    )


_ALL_OURS = (_OURS, _SILENT)
_EXPLANATION = (
    "Images of 28x28 in MNIST's layout, in batches of 32; the second epoch, because graphs are "
    "compiled in the first. *The whole job* is `python run.py`: its epoch lasts from the end of "
    "the one before to its own, in `events.jsonl`, with metrics, progress, checkpoint and live "
    "export to a local folder. The *bare loop* is the fastest we know to write: the same "
    "network, batches and device values, one graph of 25 steps after the other, and nothing "
    "else; that its weights after two epochs are the job's, bit by bit, is checked each time. "
    "The *script* prepares images with one operation after the other in one worker, prints each "
    "loss, copies its whole output folder at the end of every epoch, and leaves MindSpore's "
    f"environment as it is; being slow it has {_ROUNDS_OF_SAMPLE} round, and is compared by "
    "medians. *PyTorch* runs the same network eagerly on the same batches, held in memory."
)
