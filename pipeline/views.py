"""What people see of a job: its plan before, its summary after."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pipeline import console, publish
from pipeline.clock import seconds_since
from pipeline.context import Context
from pipeline.job import Job
from pipeline.manifest import Manifest
from pipeline.masking import mask
from pipeline.runner import Outcome
from pipeline.steps import Step


def show_plan(context: Context, decided: Sequence[Step], *, is_result: bool) -> None:
    """The stages with what each would do or why it would not, and where things go."""
    table = Table(box=box.SIMPLE, pad_edge=False, expand=False)
    table.add_column("stage", no_wrap=True)
    table.add_column("from → to", style="dim")
    table.add_column("what it does")
    for step in decided:
        takes = ", ".join(step.stage.needs) or "·"
        makes = ", ".join(step.stage.makes) or "files"
        text = step.outlook.text if step.works else f"skipped: {step.reason}"
        style = "" if step.works else "dim"
        table.add_row(step.stage.name, f"{takes} → {makes}", Text(mask(text)), style=style)
    job = context.job
    facts = _facts(
        {
            "run": job.run_id,
            "on": f"cluster {job.cluster.name}, device {job.device.target}, seed {job.seed}",
            "data": str(context.data_dir),
            "results": str(context.folder),
            "export": _export_place(job),
        }
    )
    target = console.output() if is_result else console.errors()
    target.print(Group(facts, table))


def show_summary(outcome: Outcome, command: str) -> None:
    """How the run ended, what came out, where it is and what to type next."""
    manifest = outcome.manifest
    if outcome.was_done:
        _show_done(outcome, command)
        return
    style = {"complete": "bold green", "failed": "bold red"}.get(manifest.status, "bold yellow")
    lines = {"run": manifest.run_id, **_metrics(manifest), "results": str(outcome.folder)}
    exported = manifest.stage("export")
    if exported and exported.status == "done":
        lines["exported"] = str(exported.facts.get("url", ""))
    if manifest.error:
        lines["stage"] = manifest.error.stage or "between stages"
        lines["cause"] = manifest.error.message
        lines["log"] = str(outcome.folder / "run.log")
        lines["resume"] = command
    elif manifest.status == "complete":
        lines.update(_next_steps(manifest))
    title = Text(f"{manifest.status}", style=style)
    target = console.output() if manifest.status == "complete" else console.errors()
    target.print(Group(Text(""), title, Padding(_facts(lines), (0, 0, 0, 2), expand=False)))


def _show_done(outcome: Outcome, command: str) -> None:
    manifest = outcome.manifest
    age = console.human_seconds(seconds_since(manifest.finished or manifest.started))
    metrics = ", ".join(f"{name} {value}" for name, value in _metrics(manifest).items())
    console.say(
        f"already done: run {manifest.run_id}, finished {age} ago"
        f"{', ' + metrics if metrics else ''}; nothing to do.\n"
        f"  results  {outcome.folder}\n"
        f"  anew     {command} run.fresh=true"
    )


def _metrics(manifest: Manifest) -> dict[str, str]:
    names = ("accuracy", "loss")
    return {name: f"{manifest.metrics[name]:.4f}" for name in names if name in manifest.metrics}


def _next_steps(manifest: Manifest) -> dict[str, str]:
    mode, model, dataset = (manifest.job.get(name, "") for name in ("mode", "model", "dataset"))
    choice = f"model={model} dataset={dataset}"
    if any(artifact.path.startswith("checkpoints/") for artifact in manifest.artifacts):
        start = "python run.py mode=infer mode.checkpoint="
        return {"next": f"{start}{manifest.run_id} {choice}"}
    return {"next": f"python run.py mode=train {choice}"} if mode != "train" else {}


def _export_place(job: Job) -> str:
    if "export" not in job.mode.stages:
        return "nowhere: the job has no export stage"
    return mask(publish.url_of(job.cluster.export_url, job.run_id))


def _facts(lines: dict[str, str]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in lines.items():
        table.add_row(name, Text(mask(value)))
    return table
