"""Whole jobs of ours, as a user starts them, and what their manifests tell."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path

import yaml

from benchmarks.measure import ROOT

# Which instructions MindSpore's convolutions use.
INSTRUCTION_SET = "ONEDNN_MAX_CPU_ISA"

_LIMITS = ("bytes=1_000_000_000_000", "members=10_000_000", "ratio=1000")


def fetch_and_extract(url: str, name: str, sha256: str, folder: str) -> tuple[str, ...]:
    """The command of a job that fetches and unpacks one archive into `folder`."""
    archive = {"url": url, "name": name, "sha256": sha256}
    return (
        sys.executable,
        str(ROOT / "run.py"),
        "mode.stages=[fetch,extract]",
        f"dataset.archives={json.dumps([archive])}",
        *(f"dataset.limits.{limit}" for limit in _LIMITS),
        f"cluster.data_dir={folder}/data",
        f"cluster.output_dir={folder}/outputs",
        f"cluster.export_url={folder}/exports",
    )


def default(folder: str, *choices: str) -> tuple[str, ...]:
    """The command of the default job with these choices, leaving all in `folder`."""
    return (
        sys.executable,
        str(ROOT / "run.py"),
        f"cluster.data_dir={folder}/data",
        f"cluster.output_dir={folder}/outputs",
        f"cluster.export_url={folder}/exports",
        *choices,
    )


def training(images: Path, folder: str, *choices: str) -> tuple[str, ...]:
    """The command of a job that trains LeNet-5 on a folder of images, leaving all in `folder`."""
    mount = {"url": str(images), "name": "images", "mount": True}
    choices = ("dataset=mnist", f"dataset.archives={json.dumps([mount])}", *choices)
    return default(folder, *choices)


def device_variables() -> dict[str, str]:
    """What the job sets in its environment before it imports MindSpore, on a CPU."""
    device = yaml.safe_load((ROOT / "conf" / "device" / "cpu.yaml").read_text(encoding="utf-8"))
    return {name: str(value) for name, value in device["env"].items()}


def epoch_seconds(folder: Path) -> tuple[float, ...]:
    """What each epoch after the first took, from the end of the one before.

    By the events of the job in this folder, whose times are in ms: an epoch ends when its
    checkpoint is saved, given to the export, and told.
    """
    ends = [when for name, when in _events(folder) if name == "epoch"]
    return tuple((end - before).total_seconds() for before, end in zip(ends, ends[1:]))


def count_epochs(folder: Path) -> int:
    """How many epochs the job in this folder has finished."""
    return sum(name == "epoch" for name, _ in _events(folder))


def stage_seconds(folder: Path) -> float:
    """What the stages of the job in this folder took together, as its manifest says."""
    manifest = next((folder / "outputs").glob("*/manifest.json"))
    stages = json.loads(manifest.read_text(encoding="utf-8"))["stages"]
    return float(sum(stage["seconds"] for stage in stages))


def event_seconds(folder: Path) -> float:
    """From the start of the run to the end of its last stage, as its events say, in ms.

    The manifest knows no seconds of a stage that is skipped; looking takes some all the same.
    """
    times = dict(_events(folder))
    return (times["stage_ended"] - times["run_started"]).total_seconds()


def _events(folder: Path) -> list[tuple[str, datetime]]:
    path = next((folder / "outputs").glob("*/events.jsonl"))
    events = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [
        (event["event"], datetime.fromisoformat(event["time"].replace("Z", "+00:00")))
        for event in events
    ]
