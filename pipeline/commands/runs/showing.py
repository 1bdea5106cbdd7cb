"""Everything about one run, on one screen."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.commands.runs.listing import STYLES, local_time
from pipeline.commands.runs.record import Run
from pipeline.disk.files import human_bytes
from pipeline.manifest import Manifest, StageRecord
from pipeline.messages import console, tables
from pipeline.messages.console import counted, human_seconds
from pipeline.messages.tables import Column
from pipeline.report.page import FILE_NAME as REPORT

_STAGE_STYLES = {"done": "green", "failed": "red", "skipped": "dim"}
_STAGES = (
    Column("stage", is_kept=True),
    Column("status", is_kept=True, styles=_STAGE_STYLES),
    Column("seconds", is_number=True, is_kept=True),
    Column("what", is_kept=True),
)
_WIDTH = 10


def as_plain(run: Run) -> dict[str, Any]:
    """The run for a program: what a list says of it, and its whole manifest."""
    whole = json.loads(run.manifest.as_json()) if run.manifest else None
    return {**run.as_plain(), "manifest": whole}


def show(run: Run) -> None:
    """Status, metrics, places, stages, inputs, what was made, and how to go on."""
    console.say(f"{run.id}  {run.status}", STYLES[run.status])
    if run.manifest is None:
        _say({"problem": run.problem, "place": run.place})
        return
    _say(dict(_facts(run, run.manifest)))
    _say(_metrics(run.manifest))
    rows = [_stage(record) for record in run.manifest.stages]
    if rows:
        console.say("")
        tables.show(_STAGES, rows)
    console.say("")
    _say({**_leavings(run.manifest), **_next(run, run.manifest)})


def _facts(run: Run, manifest: Manifest) -> Iterator[tuple[str, str]]:
    yield "when", _period(run, manifest)
    device = " ".join(filter(None, (run.fact("device"), _ranks(manifest))))
    yield "what", ", ".join(filter(None, (run.fact(n) for n in ("mode", "model", "dataset"))))
    yield "where", f"cluster {run.fact('cluster')}, {device}, {_versions(manifest.environment)}"
    yield "results", run.place
    if any(artifact.path == REPORT for artifact in manifest.artifacts):
        yield "report", f"{run.place}/{REPORT}"
    if run.exported:
        yield "exported", run.exported
    for item in manifest.inputs:
        sha256 = str(item.get("sha256") or "")[:12]
        size = human_bytes(item["size_bytes"]) if item.get("size_bytes") else ""
        words = (str(item.get("name")), size, f"sha256 {sha256}" if sha256 else "")
        yield "input", ", ".join(filter(None, words))


def _period(run: Run, manifest: Manifest) -> str:
    text, end = local_time(manifest.started), local_time(manifest.finished or "")
    if end:
        text += f" to {end[11:] if end[:10] == text[:10] else end}"
    took = "" if run.seconds is None else f", {human_seconds(run.seconds)} in its stages"
    attempt = f", attempt {manifest.attempt}" if manifest.attempt > 1 else ""
    return f"{text}{took}{attempt}"


def _ranks(manifest: Manifest) -> str:
    ranks = manifest.launch.get("ranks", 1)
    return f"with {ranks} ranks" if ranks != 1 else ""


def _versions(environment: Mapping[str, Any]) -> str:
    mindspore = environment.get("mindspore")
    words = [f"MindSpore {mindspore}" if mindspore else "", f"Python {environment.get('python')}"]
    commit = str(environment.get("git_commit") or "")
    if commit:
        changed = " with changes" if commit.endswith("+") else ""
        words.append(f"commit {commit[:10].rstrip('+')}{changed}")
    return ", ".join([*filter(None, words), f"on {environment.get('host')}"])


def _metrics(manifest: Manifest) -> dict[str, str]:
    return {name: f"{value:.6g}" for name, value in manifest.metrics.items()}


def _stage(record: StageRecord) -> list[str]:
    facts = ", ".join(f"{name} {_short(value)}" for name, value in record.facts.items())
    what = record.reason if record.reason else facts
    return [record.name, record.status, f"{record.seconds:.1f}", " ".join(what.split())]


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _leavings(manifest: Manifest) -> dict[str, str]:
    if not manifest.artifacts:
        return {"made": "nothing is listed"}
    total = sum(artifact.size_bytes for artifact in manifest.artifacts)
    checkpoints = sum(artifact.path.endswith(".ckpt") for artifact in manifest.artifacts)
    among = f", {counted(checkpoints, 'checkpoint')} among them" if checkpoints else ""
    return {"made": f"{counted(len(manifest.artifacts), 'file')}, {human_bytes(total)}{among}"}


def _next(run: Run, manifest: Manifest) -> dict[str, str]:
    lines = {}
    if manifest.error:
        stage = f" (stage {manifest.error.stage})" if manifest.error.stage else ""
        lines["error"] = f"{manifest.error.type}: {manifest.error.message}{stage}"
    if manifest.command:
        is_over = run.status in ("complete", "running") or run.is_aside
        lines["command" if is_over else "resume"] = manifest.command
    if run.read("config.yaml") is not None:
        lines["repeat"] = shlex.join(["python", "run.py", "repeat", run.place])
    return lines


def _say(lines: Mapping[str, str]) -> None:
    width = max([_WIDTH, *(len(name) + 2 for name in lines)])
    for name, text in lines.items():
        is_prose = name in ("error", "problem", "where")
        console.say_row(name, text, width=width, to_errors=False, is_prose=is_prose)
