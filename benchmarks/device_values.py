"""Each value of conf/device/cpu.yaml beside what else it could be."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks import data, jobs, tools
from benchmarks.measure import Contestant, Timing, in_turn, wall_s, work_s
from benchmarks.results import Result, row
from benchmarks.setting import Setting

_IMAGES, _MANY_IMAGES = 4_800, 19_200
_GRAPHS = (1, 5, 25, 50, 100)
_MOST_ROUNDS = 2
_STREAMED = "dataset.loader={_target_: benchmarks.trainings.streamed.load, size: 32}"
_SHORT = ("mode.stages=[fetch,extract,build,train]", "mode.epochs=2", "device.steps_per_graph=1")
_HELD = "held in memory, one step a graph"
_CHOICES: Mapping[str, tuple[str, ...]] = {
    _HELD: (),
    "read while used, two threads": (_STREAMED,),
    "held, device.precision=O2": ("device.precision=O2",),
    "held, device.workers=2 with half the batch each": ("device.workers=2", "mode.batch_size=16"),
}


def measure(setting: Setting) -> Iterator[Result]:
    """One table for each value, by loops without a job around them where that is enough."""
    few = data.make(f"images-{_IMAGES}", setting.data)
    many = data.make(f"images-{_MANY_IMAGES}", setting.data)
    yield _instructions(setting, few)
    yield _graphs(setting, many)
    yield _data(setting, few)


def _instructions(setting: Setting, images: Path) -> Result:
    command = tools.trainer("bare", str(images), "{target}/weights.ckpt", "--steps-per-graph=1")
    chosen = jobs.device_variables()[jobs.INSTRUCTION_SET]
    names = {"as MindSpore comes": "", **{name: name for name in ("SSE41", "AVX", "AVX2")}}
    contestants = [
        Contestant(name, command, {jobs.INSTRUCTION_SET: value})
        if value
        else Contestant(name, tools.without_variable(jobs.INSTRUCTION_SET, command))
        for name, value in names.items()
    ]
    found = _found(setting, contestants)
    return Result(
        name="device_values",
        title=f"{jobs.INSTRUCTION_SET}: {_IMAGES // 32} steps of LeNet-5",
        explanation=(
            f"The second epoch of the bare loop on {_IMAGES:,} images; `device.env` sets {chosen}. "
            "As it comes, MindSpore 2.10 falls to a slow kernel for Conv2D where it finds AVX-512; "
            "without AVX-512 the rows are alike."
        ),
        rows=tuple(
            row(name, timing, other=found[chosen], seconds_of=work_s, is_ours=name == chosen)
            for name, timing in found.items()
        ),
        against=chosen,
    )


def _graphs(setting: Setting, images: Path) -> Result:
    contestants = [
        Contestant(
            _steps(count),
            tools.trainer(
                "bare", str(images), "{target}/weights.ckpt", f"--steps-per-graph={count}"
            ),
            jobs.device_variables(),
        )
        for count in _GRAPHS
    ]
    found = _found(setting, contestants)
    one = found[_steps(1)]
    rows = []
    for name, timing in found.items():
        # The whole process has two epochs; the rest is much the same but for the compiling.
        spent = (w - 2 * s for w, s in zip(timing.of(wall_s), timing.of(work_s)))
        found_row = row(name, timing, other=one, seconds_of=work_s, is_ours=name == _steps(25))
        note = f"start and compiling {statistics.median(spent):.1f} s"
        rows.append(dataclasses.replace(found_row, note=note))
    return Result(
        name="device_values",
        title=f"device.steps_per_graph: {_MANY_IMAGES // 32} steps of LeNet-5",
        explanation=(
            f"The second epoch of the bare loop on {_MANY_IMAGES:,} images. Longer graphs save "
            "Python's part of a step and take longer to compile; a signal waits until the graph "
            "at work has ended."
        ),
        rows=tuple(rows),
        against=_steps(1),
    )


def _data(setting: Setting, images: Path) -> Result:
    contestants = [
        Contestant(
            name,
            jobs.training(images, "{target}", *_SHORT, *choices),
            told_s=lambda folder: jobs.epoch_seconds(folder)[0],
        )
        for name, choices in _CHOICES.items()
    ]
    found = _found(setting, contestants)
    return Result(
        name="device_values",
        title=f"Data, precision and processes: {_IMAGES // 32} steps of LeNet-5",
        explanation=(
            f"The second epoch of the whole job on {_IMAGES:,} images, one step a graph. What is "
            "read while used passes through one fused operation in two threads, as data do that "
            "do not fit in memory. MindSpore has no data sink on a CPU."
        ),
        rows=tuple(
            row(name, timing, other=found[_HELD], seconds_of=work_s, is_ours=name == _HELD)
            for name, timing in found.items()
        ),
        against=_HELD,
    )


def _found(setting: Setting, contestants: list[Contestant]) -> dict[str, Timing]:
    rounds = min(setting.rounds, _MOST_ROUNDS)
    return in_turn(contestants, rounds=rounds, folder=setting.scratch, is_warm=True)


def _steps(count: int) -> str:
    return "1 step a graph" if count == 1 else f"{count} steps a graph"
