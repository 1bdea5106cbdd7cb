"""Whether a repeated run came out like the first: metrics, epochs, results, weights."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.commands.runs import Run
from pipeline.commands.runs.curves import rows_of
from pipeline.context import OUTPUT
from pipeline.errors import CheckpointError
from pipeline.manifest import Manifest
from pipeline.running import completion

SAME, DIFFERS, UNKNOWN = "same", "differs", "not compared"

# How fast a machine was is no result.
_TIMES = ("seconds", "samples_per_s")
# Whole files, byte by byte.
_FILES = ("predictions.csv",)
_CHECKPOINTS = "checkpoints/"
_INPUTS = "input data"
_SHOWN = 3


@dataclass(frozen=True)
class Finding:
    """One thing compared: what it is, whether it is the same, and the difference in words."""

    what: str
    verdict: str
    detail: str = ""


def compare(first: Run, again: Run) -> list[Finding]:
    """Everything of the two runs that should be the same, in the order of their making."""
    return [
        *_inputs(first.manifest, again.manifest),
        *_rows(rows_of(first), rows_of(again)),
        *_weights(first, again),
        *_metrics(first.metrics, again.metrics),
        *_report(first, again),
        *_files(first, again),
        *_outputs(first, again),
    ]


def are_results(findings: Sequence[Finding]) -> bool:
    """Whether anything that a job made was compared, and not only what it was given."""
    return any(found.what != _INPUTS for found in findings)


def _inputs(first: Manifest | None, again: Manifest | None) -> Iterator[Finding]:
    before, now = (manifest.inputs if manifest else () for manifest in (first, again))
    if before or now:
        different = completion.differences(before, now)
        yield _finding(_INPUTS, is_same=not different, detail="; ".join(different))


def _rows(
    first: Sequence[Mapping[str, Any]], again: Sequence[Mapping[str, Any]]
) -> Iterator[Finding]:
    if not first and not again:
        return
    if len(first) != len(again):
        detail = f"{len(first)} epochs, then {len(again)}"
        yield Finding("epochs in metrics.jsonl", DIFFERS, detail)
    names = dict.fromkeys(name for row in (*first, *again) for name in row)
    for name in names:
        if name in (*_TIMES, "epoch"):
            continue
        pairs = [(a["epoch"], a.get(name), b.get(name)) for a, b in zip(first, again)]
        other = next((pair for pair in pairs if pair[1] != pair[2]), None)
        detail = f"first in epoch {other[0]}: {other[1]}, then {other[2]}" if other else ""
        yield _finding(f"{name} of each epoch", is_same=other is None, detail=detail)


def _metrics(first: Mapping[str, float], again: Mapping[str, float]) -> Iterator[Finding]:
    for name in dict.fromkeys((*first, *again)):
        was, now = first.get(name), again.get(name)
        is_same = was == now
        detail = f"{was}" if is_same else f"{was}, then {now}"
        yield _finding(f"metric {name}", is_same=is_same, detail=detail)


def _report(first: Run, again: Run) -> Iterator[Finding]:
    """The per-class table and the confusion matrix; a checkpoint file's digest is no result."""
    found = [_without_checkpoint(run.read("metrics.json")) for run in (first, again)]
    if any(found):
        names = [
            name for name in {**found[0], **found[1]} if found[0].get(name) != found[1].get(name)
        ]
        yield _finding("metrics.json", is_same=not names, detail=", ".join(names))


def _files(first: Run, again: Run) -> Iterator[Finding]:
    for name in _FILES:
        was, now = first.read(name), again.read(name)
        if was is None and now is None:
            continue
        lines = [(content or b"").splitlines() for content in (was, now)]
        other = sum(a != b for a, b in zip(*lines)) + abs(len(lines[0]) - len(lines[1]))
        yield _finding(name, is_same=was == now, detail=f"{other} lines" if other else "")


def _outputs(first: Run, again: Run) -> Iterator[Finding]:
    """What a script wrote, byte by byte; nothing else knows what in it is a result."""
    before, now = _digests(first), _digests(again)
    if before or now:
        names = sorted(n for n in {**before, **now} if before.get(n) != now.get(n))
        more = ", …" if len(names) > _SHOWN else ""
        detail = f"{len(names)} of {len({**before, **now})}: {', '.join(names[:_SHOWN])}{more}"
        yield _finding("files of the script", is_same=not names, detail=detail if names else "")


def _digests(run: Run) -> dict[str, str]:
    artifacts = run.manifest.artifacts if run.manifest else ()
    return {found.path: found.sha256 for found in artifacts if found.path.startswith(f"{OUTPUT}/")}


def _weights(first: Run, again: Run) -> Iterator[Finding]:
    before, now = _checkpoints(first), _checkpoints(again)
    for name in sorted({*before, *now}, key=lambda name: (len(name), name)):
        what = f"weights in {name.rpartition('/')[2]}"
        if name not in before or name not in now:
            yield Finding(
                what, DIFFERS, f"only the {'first' if name in before else 'second'} has it"
            )
        else:
            yield _weights_of(what, name, first, again)


def _weights_of(what: str, name: str, first: Run, again: Run) -> Finding:
    # Here only: it needs MindSpore, which a run that made checkpoints has.
    from pipeline.training import equality

    with tempfile.TemporaryDirectory() as folder:
        try:
            paths = [_file_of(run, name, Path(folder)) for run in (first, again)]
            different = equality.differing(*paths)
        except (CheckpointError, FileNotFoundError) as error:
            return Finding(what, UNKNOWN, str(error))
    more = ", …" if len(different) > _SHOWN else ""
    listed = f"{len(different)} of its parameters: {', '.join(different[:_SHOWN])}{more}"
    return _finding(what, is_same=not different, detail=listed if different else "")


def _file_of(run: Run, name: str, folder: Path) -> Path:
    """The file of the run on this machine, brought here where it is not."""
    path = Path(run.place) / name
    if path.is_file():
        return path
    content = run.read(name)
    if content is None:
        raise FileNotFoundError(f"{run.place}/{name} is gone")
    copy = folder / f"{len(list(folder.iterdir()))}.ckpt"
    copy.write_bytes(content)
    return copy


def _checkpoints(run: Run) -> set[str]:
    artifacts = run.manifest.artifacts if run.manifest else ()
    paths = (artifact.path for artifact in artifacts)
    return {path for path in paths if path.startswith(_CHECKPOINTS) and path.endswith(".ckpt")}


def _without_checkpoint(content: bytes | None) -> dict[str, Any]:
    try:
        found = json.loads(content or b"{}")
    except ValueError:
        return {}
    pairs = found.items() if isinstance(found, dict) else ()
    return {name: value for name, value in pairs if name != "checkpoint"}


def _finding(what: str, *, is_same: bool, detail: str = "") -> Finding:
    return Finding(what, SAME if is_same else DIFFERS, detail)
