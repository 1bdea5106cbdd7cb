"""Whole jobs of ours, as a user starts them, and what their manifests tell."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path

from benchmarks.measure import ROOT

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


def stage_seconds(folder: Path) -> float:
    """What the stages of the job in this folder took together, as its manifest says."""
    manifest = next((folder / "outputs").glob("*/manifest.json"))
    stages = json.loads(manifest.read_text(encoding="utf-8"))["stages"]
    return float(sum(stage["seconds"] for stage in stages))


def event_seconds(folder: Path) -> float:
    """From the start of the run to the end of its last stage, as its events say, in ms.

    The manifest knows no seconds of a stage that is skipped; looking takes some all the same.
    """
    events = next((folder / "outputs").glob("*/events.jsonl"))
    times = {}
    for line in events.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        times[event["event"]] = datetime.fromisoformat(event["time"].replace("Z", "+00:00"))
    return (times["stage_ended"] - times["run_started"]).total_seconds()
