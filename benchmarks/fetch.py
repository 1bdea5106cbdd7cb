"""Fetching from an S3-compatible server, beside the clients that people use for it."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks import data, server, tools
from benchmarks.measure import (
    Contestant,
    Timing,
    Usage,
    in_turn,
    ratio,
    wall_s,
    work_s,
)  # fmt: skip
from benchmarks.results import Goal, Result, Row, row
from benchmarks.setting import Setting

_OURS, _SDK, _S5CMD, _BOTO3 = "MindRun", "OBS SDK", "s5cmd", "boto3"
_SDK_PARTS = "OBS SDK, 8 parts at once"
_BUCKET = tools.BUCKET
_BIG_PART_BYTES = 50_000_000


def measure(setting: Setting) -> Iterator[Result]:
    """Many small objects, then a big one, from one server."""
    with server.serving(setting.server_cores) as endpoint:
        yield _small(setting, endpoint)
        yield _big(setting, endpoint, "big.bin")
        yield _big(setting, endpoint, server.PARTS_KEY)


def _small(setting: Setting, endpoint: str) -> Result:
    commands = {
        _OURS: tools.child("fetch_folder", f"obs://{_BUCKET}/small", "{target}/out"),
        _SDK: tools.child("sdk_folder", _BUCKET, "small/", "{target}/out"),
        _S5CMD: _s5cmd(endpoint, f"s3://{_BUCKET}/small/*", "{target}/out/"),
        _BOTO3: tools.child("boto3_folder", _BUCKET, "small/", "{target}/out"),
    }
    check = tools.holds(data.OBJECTS, data.OBJECTS * data.OBJECT_BYTES)
    found = _in_turn(setting, endpoint, commands, check)
    goals = [_cpu_goal(found)]
    if _S5CMD in found:
        goals.insert(0, _rate_goal(found, _S5CMD, 0.95, seconds_of=wall_s))
    return Result(
        name="fetch",
        title="Fetching 3,000 objects of 8 kB",
        explanation=(
            "From moto's server on the loopback, a process of its own. MindRun is "
            "`transfer.download_folder` with 16 transfers at once, sha256 and receipt of each "
            "object included; the OBS SDK and boto3 list, then fetch in 16 threads; s5cmd copies "
            "with its own defaults. Whole processes; CPU is that of the client alone."
        ),
        rows=_rows(found, _SDK),
        against=_SDK,
        goals=tuple(goals),
        notes=_notes(commands),
    )


def _big(setting: Setting, endpoint: str, key: str) -> Result:
    parts = (str(_BIG_PART_BYTES), "8")
    target = "{target}/big.bin"
    commands = {
        _OURS: tools.child("fetch_file", f"obs://{_BUCKET}/{key}", target),
        _SDK: tools.child("sdk_file", _BUCKET, key, target),
        _SDK_PARTS: tools.child("sdk_file", _BUCKET, key, target, *parts),
        _S5CMD: _s5cmd(endpoint, f"s3://{_BUCKET}/{key}", target),
        _BOTO3: tools.child("boto3_file", _BUCKET, key, target),
    }
    found = _in_turn(setting, endpoint, commands, tools.holds(1, data.BIG_BYTES))
    fastest = min((_SDK, _SDK_PARTS), key=lambda name: statistics.median(found[name].of(work_s)))
    is_moto = key != server.PARTS_KEY
    return Result(
        name="fetch",
        title=f"Fetching one object of 300 MB, {_PARTS_OF[is_moto]}",
        explanation=_BIG_BY_MOTO if is_moto else _BIG_WITHOUT_MOTO,
        rows=_rows(found, fastest),
        against=fastest,
        goals=(_rate_goal(found, fastest, 1.0, seconds_of=work_s),),
        notes=_notes(commands),
    )


_PARTS_OF = {True: "parts as moto serves them", False: "parts at no cost"}
_BIG_BY_MOTO = (
    "From the same server. MindRun is `transfer.download`, sha256 included; the OBS SDK is its "
    "`downloadFile` as it comes (parts of 5 MB, one after the other) and with parts of 50 MB, "
    "eight at once; boto3 and s5cmd as they come. moto reads the whole object for each part that "
    "it is asked for, which costs those who ask for many."
)
_BIG_WITHOUT_MOTO = (
    "As before, but for this one object the same server sends a part without reading the whole, "
    "as a real object storage would. Who asks for many parts pays nothing for it here."
)


def _s5cmd(endpoint: str, source: str, target: str) -> tuple[str, ...]:
    program = tools.s5cmd()
    return (str(program), "--endpoint-url", endpoint, "cp", source, target) if program else ()


def _in_turn(
    setting: Setting,
    endpoint: str,
    commands: Mapping[str, Sequence[str]],
    check: Callable[[Path], None],
) -> dict[str, Timing]:
    variables = server.variables(endpoint)
    contestants = [
        Contestant(name, command, variables, check=check)
        for name, command in commands.items()
        if command
    ]
    return in_turn(contestants, rounds=setting.rounds, folder=setting.scratch)


def _rows(found: Mapping[str, Timing], against: str) -> tuple[Row, ...]:
    reference = found[against]
    ours = found[_OURS]
    alone = row(f"{_OURS}, the call alone", ours, other=reference, seconds_of=work_s, is_ours=True)
    theirs = row(f"{against}, the call alone", reference, other=reference, seconds_of=work_s)
    whole = (
        row(name, timing, other=reference, is_ours=timing is ours) for name, timing in found.items()
    )
    return (alone, theirs, *whole)


def _rate_goal(
    found: Mapping[str, Timing], other: str, limit: float, *, seconds_of: Callable[[Usage], float]
) -> Goal:
    """The other's time over ours, of the calls alone or of whole processes."""
    rate = ratio(found[other].of(seconds_of), found[_OURS].of(seconds_of))
    what = "calls alone" if seconds_of is work_s else "whole processes"
    return Goal(f"rate, to that of {other} ({what})", rate, limit, is_least=True)


def _cpu_goal(found: Mapping[str, Timing]) -> Goal:
    return Goal(
        "CPU time, to the OBS SDK's", row("", found[_OURS], other=found[_SDK]).cpu_ratio or 0, 1.2
    )


def _notes(commands: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    missing = [name for name, command in commands.items() if not command]
    return tuple(
        f"left out: {name} is not installed; run: pip install 'mindrun[bench]'" for name in missing
    )
