"""Unpacking, and fetching with unpacking, beside the tools that people use for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import data, jobs, tools
from benchmarks.measure import ROOT, Contestant, Timing, Usage, in_turn, wall_s, work_s
from benchmarks.results import Goal, Result, Row, row
from benchmarks.setting import Setting

_OURS = "MindRun"
_FAST_DOUBLE = "c2net.prepare, fastest copy"
_TITLES = {
    "pictures.zip": "20,000 small pictures in a zip",
    "arrays.zip": "100 arrays in a zip",
    "arrays.tar.gz": "100 arrays in a tar.gz",
}
# At most these ratios: of unpacking to unzip's time, of fetching and unpacking to c2net's.
_GOALS = {"pictures.zip": (0.90, 0.65), "arrays.zip": (0.30, 0.40)}


def measure(setting: Setting) -> Iterator[Result]:
    """Unpacking alone, of each archive; then fetching and unpacking, of each."""
    for kind in _TITLES:
        archive = data.make(kind, setting.data / tools.BUCKET)
        files, size_bytes = data.contents(archive)
        yield _unpacking(setting, archive, files, size_bytes)
    if not tools.has_package("c2net"):
        raise tools.MissingError("c2net is not installed; run: pip install 'mindrun[bench]'")
    for kind in _TITLES:
        archive = setting.data / tools.BUCKET / kind
        yield _preparing(setting, archive, *data.contents(archive))


def _unpacking(setting: Setting, archive: Path, files: int, size_bytes: int) -> Result:
    check = tools.holds(files, size_bytes)
    ours = tools.child("extract", str(archive), "{target}/out")
    others = list(tools.unpackers(archive, check))
    contestants = [Contestant(_OURS, ours, check=check), *others]
    found = in_turn(contestants, rounds=setting.rounds, folder=setting.scratch)
    against = "unzip" if "unzip" in found else others[0].name
    mine, reference = found[_OURS], found[against]
    alone = _ours("unpacking alone", mine, reference, work_s)
    whole = _ours("whole process", mine, reference, wall_s)
    rows = [alone, whole, *(row(o.name, found[o.name], other=reference) for o in others)]
    limit = _GOALS.get(archive.name, (0.0, 0.0))[0]
    goals = [Goal("time of unpacking alone, to unzip's", alone.ratio or 0, limit)]
    return Result(
        name="unpack",
        title=f"Unpacking {_TITLES[archive.name]}",
        explanation=(
            f"{_size(archive)}, {files} files, {size_bytes / 1e6:.0f} MB unpacked, read from the "
            "page cache. MindRun's first row is `pipeline.archives.extract` alone, with every "
            "checksum, limit and name checked; the tools' rows are their whole processes, as is "
            "MindRun's second row, which also starts Python. Ratios are to "
            f"{against}'s whole process."
        ),
        rows=tuple(rows),
        against=against,
        goals=tuple(goals) if limit and against == "unzip" else (),
        notes=tuple(tools.missing(archive)),
    )


def _preparing(setting: Setting, archive: Path, files: int, size_bytes: int) -> Result:
    digest = data.digest(archive)
    ours = Contestant(
        _OURS,
        jobs.fetch_and_extract(str(archive), archive.name, digest, "{target}"),
        check=tools.holds(files, size_bytes, below="data/datasets"),
        told_s=jobs.stage_seconds,
    )
    alone = Contestant(
        "alone",
        tools.child("fetch_and_extract", str(archive), digest, "{target}"),
        check=tools.holds(files, size_bytes, below="out"),
    )
    check = tools.holds(files, size_bytes)
    others = [
        tools.c2net(archive, tools.DOUBLES, check, name="c2net.prepare"),
        tools.c2net(archive, ROOT / "benchmarks" / "doubles", check, name=_FAST_DOUBLE),
    ]
    found = in_turn([ours, alone, *others], rounds=setting.rounds, folder=setting.scratch)
    reference = found["c2net.prepare"]
    rows = [
        _ours("both stages", found[_OURS], reference, work_s),
        _ours("the calls alone", found["alone"], reference, work_s),
        *(row(o.name, found[o.name], other=reference, seconds_of=work_s) for o in others),
        _ours("python run.py as a whole", found[_OURS], reference, wall_s),
    ]
    limit = _GOALS.get(archive.name, (0.0, 0.0))[1]
    goals = [Goal("time of both stages, to c2net.prepare's", rows[0].ratio or 0, limit)]
    return Result(
        name="unpack",
        title=f"Fetching and unpacking {_TITLES[archive.name]}",
        explanation=_WHAT_PREPARING_DOES,
        rows=tuple(rows),
        against="c2net.prepare",
        goals=tuple(goals) if limit else (),
    )


def _ours(
    what: str, timing: Timing, reference: Timing, seconds_of: Callable[[Usage], float]
) -> Row:
    return row(f"{_OURS}, {what}", timing, other=reference, seconds_of=seconds_of, is_ours=True)


_WHAT_PREPARING_DOES = (
    "The archive lies in a folder that stands for the bucket. MindRun: the seconds of the stages "
    "`fetch` and `extract` in the manifest of `python run.py`, which copy it, compare its sha256 "
    "with the declared one, check every name, limit and checksum, put folders in place atomically "
    "and write receipts; *the calls alone* are `transfer.download` and `archives.extract` "
    "without a job around them. c2net: the seconds of the call `prepare()` of PyPI's c2net, which "
    "copies the archive with moxing and calls `shutil.unpack_archive`, without any sha256. "
    "Huawei's moxing exists only on the platform; the tests' stand-in, which copies in 64 kB "
    "steps, takes its place, and in the row *fastest copy* one that calls `shutil.copyfile`. The "
    "last row is all of `python run.py`, composing and checking the job included, to "
    "c2net.prepare's whole process."
)


def _size(archive: Path) -> str:
    return f"{archive.stat().st_size / 1e6:.0f} MB"
