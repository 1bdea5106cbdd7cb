"""Commands to type next, made of what was typed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from pipeline.configuration.arguments import Arguments, Setting
from pipeline.job.job import Job
from pipeline.manifest import Manifest

# Where things lie and what they are; what a mode or a run is called does not carry over.
_LASTING = ("cluster", "dataset", "model", "device", "experiment", "seed")


def resume(found: Arguments, start_file: str) -> str:
    """The command that goes on with this run: the same one, without starting anew."""
    kept = (setting for setting in found.settings if setting.key != "run.fresh")
    return _command(found, start_file, kept)


def following(found: Arguments, start_file: str, *, job: Job, manifest: Manifest) -> str:
    """What is most worth doing after this run was completed: a command, or a job on a platform."""
    if job.mode.command is not None:
        # What a script has done, and what could follow, is known to its author.
        return ""
    if job.launched.is_launch:
        # What the platform passed is known to nobody who types.
        mode, *checkpoint = _next_mode(job, manifest)
        model = ", and this run's results as its model" if checkpoint else ""
        return f"a job on the platform with the parameter {mode}{model}"
    kept = (setting for setting in found.settings if _root(setting) in _LASTING)
    return _command(found, start_file, kept, *_next_mode(job, manifest))


def _next_mode(job: Job, manifest: Manifest) -> tuple[str, ...]:
    if any(artifact.path.startswith("checkpoints/") for artifact in manifest.artifacts):
        return "mode=infer", f"mode.checkpoint={manifest.run_id}"
    if job.mode.checkpoint is None:
        return ("mode=train",)
    mode = "evaluate" if "infer" in job.mode.stages else "infer"
    return f"mode={mode}", f"mode.checkpoint={job.mode.checkpoint}"


def _command(found: Arguments, start_file: str, kept: Iterable[Setting], *added: str) -> str:
    words = ["python", start_file, *(["-m"] if found.is_multirun else [])]
    for folder in found.config_dirs:
        words += ["--config-dir", folder]
    for setting in kept:
        words += _words(setting)
    return shlex.join([*words, *added])


def _words(setting: Setting) -> list[str]:
    if setting.is_exact:
        return ["--text", f"{setting.sign}{setting.key}={setting.value}"]
    if setting.is_flag:
        return [f"--{setting.key}" + ("" if setting.value is None else f"={setting.value}")]
    return [setting.token]


def _root(setting: Setting) -> str:
    return re.split(r"[./@\[]", setting.key)[0]
