"""What people see of a job: its plan before, its summary after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline import errors, publish
from pipeline.context import Context
from pipeline.disk.clock import seconds_since
from pipeline.job.job import Job
from pipeline.manifest import Failure, Manifest
from pipeline.messages import console
from pipeline.messages.masking import mask_url
from pipeline.running.outcome import Outcome
from pipeline.running.steps import Step

_ENDINGS = ("Terminated", "OutOfTime", "KeyboardInterrupt")
_REPORT = "report.html"
_STYLES = {"complete": "bold green", "failed": "bold red"}


def show_plan(
    context: Context, decided: Sequence[Step], *, is_result: bool, news: str = ""
) -> None:
    """Where things go, and the stages with what each would do or why it would not.

    `news` is what makes this run another one than those before it.
    """
    job = context.job
    facts = {
        "run": job.run_id,
        "on": f"cluster {job.cluster.name}, device {job.device.target}, seed {job.seed}",
        "data": str(context.data_dir),
        "results": str(context.folder),
        "export": _export_place(job),
    }
    if context.reason_to_start_anew:
        facts["anew"] = f"{context.reason_to_start_anew}; the earlier run is put aside"
    if news:
        facts["new"] = news
    _rows(facts, to_errors=not is_result)
    console.say("", to_errors=not is_result)
    width = max(len(step.stage.name) for step in decided) + 2
    for step in decided:
        console.say_row(
            step.stage.name,
            _said_of(step),
            width=width,
            to_errors=not is_result,
            is_prose=True,
            is_dim=not step.works,
        )
    console.say("", to_errors=not is_result)


def _said_of(step: Step) -> str:
    """What the stage would do or why it would not; one line for each of several inputs."""
    if step.works:
        return step.outlook.text
    is_done = step.outlook.state == "done"
    reasons = step.outlook.text.splitlines() if is_done else [step.reason]
    return "\n".join(f"skipped: {reason}" for reason in reasons)


def show_done(manifest: Manifest, folder: Path, command: str) -> None:
    """That there is nothing to do, since when, how good it is, and how to do it anew."""
    age = console.human_seconds(seconds_since(manifest.finished or manifest.started))
    metrics = "".join(f", {name} {value}" for name, value in _metrics(manifest).items())
    console.say(f"already done: run {manifest.run_id}, finished {age} ago{metrics}")
    places = {"results": str(folder), **_report(manifest, str(folder))}
    _rows({**places, "anew": f"{command} run.fresh=true"}, indent=2)


def show_summary(outcome: Outcome, *, command: str, next_command: str) -> None:
    """How the run ended, what came out, where it is and what to type next."""
    manifest, folder = outcome.manifest, str(outcome.folder)
    if outcome.was_done:
        show_done(manifest, outcome.folder, command)
        return
    lines = {"run": manifest.run_id, **_metrics(manifest), "results": folder}
    lines |= _report(manifest, folder)
    exported = manifest.stage("export")
    if exported and exported.status == "done":
        lines["exported"] = str(exported.facts.get("url", ""))
    if manifest.error:
        lines |= _failure(manifest.error, folder, command)
    elif next_command:
        lines["next"] = next_command
    is_good = manifest.status == "complete"
    console.say("", to_errors=not is_good)
    style = _STYLES.get(manifest.status, "bold yellow")
    console.say(manifest.status, style, to_errors=not is_good)
    _rows(lines, indent=2, to_errors=not is_good)


def _report(manifest: Manifest, folder: str) -> dict[str, str]:
    is_made = any(artifact.path == _REPORT for artifact in manifest.artifacts)
    return {"report": f"{folder}/{_REPORT}"} if is_made else {}


def _failure(error: Failure, folder: str, command: str) -> dict[str, str]:
    is_ours = hasattr(errors, error.type) or error.type in _ENDINGS
    return {
        "stage": error.stage or "between stages",
        "cause": error.message if is_ours else f"{error.type}: {error.message}",
        "log": f"{folder}/run.log",
        "resume": command,
    }


def _metrics(manifest: Manifest) -> dict[str, str]:
    names = ("accuracy", "loss")
    return {name: f"{manifest.metrics[name]:.4f}" for name in names if name in manifest.metrics}


def _export_place(job: Job) -> str:
    if "export" not in job.mode.stages:
        return "nowhere: the job has no export stage"
    if job.cluster.export_url is None:
        return "the platform collects the output folder"
    return mask_url(publish.url_of(job.cluster.export_url, job.run_id))


def _rows(lines: Mapping[str, str], *, indent: int = 0, to_errors: bool = False) -> None:
    width = indent + max(len(name) for name in lines) + 2
    for name, text in lines.items():
        is_prose = name == "cause"
        start = " " * indent + name
        console.say_row(start, text, width=width, to_errors=to_errors, is_prose=is_prose)
