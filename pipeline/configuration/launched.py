"""A launch in terms of the configuration: choices, keys, and the list of archives."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.configuration.arguments import Setting
from pipeline.configuration.brought import Brought
from pipeline.configuration.launch import LOCAL, Launch
from pipeline.job.job import Job, Launched
from pipeline.messages.masking import mask
from pipeline.storage import is_url

# The official samples' data; what a launch brings is read like them unless a dataset is chosen.
_SAMPLES_DATASET = "mnist"
_DEVICES = {"ascend": "ascend", "npu": "ascend", "gpu": "gpu", "cuda": "gpu", "cpu": "cpu"}
# What names a platform's job, the same one when the platform starts it again.
_JOB_VARIABLES = ("JOB_ID", "BATCH_JOB_ID", "MA_VJ_NAME")
_ASCEND_VARIABLES = ("ASCEND_DEVICE_ID", "ASCEND_VISIBLE_DEVICES", "ASCEND_RT_VISIBLE_DEVICES")


def choices_of(
    launch: Launch, typed: set[str], variables: Mapping[str, str], devices: Path = Path("/dev")
) -> list[Setting]:
    """The group choices that follow from the launch, where nobody typed another."""
    source = f"the launch ({launch.detected_by})"
    found = {"cluster": launch.cluster} if launch.cluster != LOCAL else {}
    found.update({"device": _device(launch, variables, devices)})
    if launch.datasets:
        found["dataset"] = _SAMPLES_DATASET
    return [
        Setting(f"{group}={choice}", group, choice, source=source)
        for group, choice in found.items()
        if group not in typed and choice
    ]


def values_of(launch: Launch, kept: Sequence[dict[str, Any]], *, collects: bool) -> list[Setting]:
    """The keys that the launch sets, weaker than anything typed.

    `kept` are archives of the chosen dataset that the launch does not replace; `collects` says
    that the platform takes the output folder itself where no export place is named.
    """
    source = f"the launch ({launch.detected_by})"
    found = []
    if launch.datasets:
        archives = _with_names_of_their_own([*kept, *map(_archive, launch.datasets)])
        found.append(_setting("dataset.archives", json.dumps(archives, ensure_ascii=False), source))
    if launch.export_url:
        found.append(_setting("cluster.export_url", launch.export_url, source))
    elif collects and launch.is_launched:
        found.append(_setting("cluster.export_url", "null", source))
    if launch.output_dir:
        found.append(_setting("cluster.output_dir", launch.output_dir, source))
    return [*found, *launch.settings]


def mounts_of(archives: Any) -> list[dict[str, Any]]:
    """The archives of the chosen dataset that are mounts and really there."""
    listed = archives if isinstance(archives, list) else []
    entries = [dict(item) for item in listed if isinstance(item, Mapping)]
    return [e for e in entries if e.get("mount") is True and Path(str(e.get("url"))).is_dir()]


def facts_of(
    launch: Launch,
    notes: Sequence[str],
    variables: Mapping[str, str],
    *,
    settings: Sequence[Mapping[str, Any]],
) -> Launched:
    """What stages need to know of the launch."""
    named = (variables.get(name, "") for name in _JOB_VARIABLES)
    job = next(filter(None, named), mask(launch.export_url))
    return Launched(
        detected_by=launch.detected_by,
        is_launch=launch.is_launched,
        checkpoint=launch.checkpoint,
        models=tuple(model.url for model in launch.models),
        brings_data=bool(launch.datasets),
        notes=tuple(notes),
        settings=tuple(settings),
        job=job if launch.is_launched else "",
    )


def notes_of(launch: Launch, job: Job) -> list[str]:
    """What people should hear about the launch before the job starts."""
    notes: list[str] = []
    export_url = job.cluster.export_url
    if not launch.is_launched:
        return notes
    chosen = job.cluster.name
    how = f"cluster {launch.cluster}, because {launch.detected_by}"
    notes.append(how if chosen == launch.cluster else f"cluster {chosen} was chosen; found: {how}")
    if launch.datasets:
        notes.append(f"the launch brings data, read as dataset={job.dataset.name}")
    else:
        notes.append(f"the launch brings no data; the job's own are used: {job.dataset.name}")
    if job.device.target == "CPU" and launch.device != "cpu":
        notes.append("no NPU was found on this platform: the job runs on the CPU, slowly")
    if not launch.export_url and export_url is None:
        notes.append(
            "the launch names no export place: nothing leaves this container before the job ends, "
            "when the platform collects the output folder"
        )
    elif not launch.export_url:
        notes.append(
            f"the launch names no export place: results stay on this machine, in {export_url}; "
            f"name one with --train_url or cluster.export_url"
        )
    return notes


def _device(launch: Launch, variables: Mapping[str, str], devices: Path) -> str:
    if launch.device:
        return _DEVICES.get(launch.device, launch.device)
    has_card = any(devices.glob("davinci[0-9]*"))
    is_ascend = has_card or any(variables.get(name) for name in _ASCEND_VARIABLES)
    return "ascend" if is_ascend else ""


def _archive(item: Brought) -> dict[str, Any]:
    is_folder_here = not is_url(item.url) and Path(item.url).is_dir()
    return {"url": item.url, "name": item.name, "mount": is_folder_here}


def _with_names_of_their_own(archives: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Two datasets of one name would land in one place."""
    seen: dict[str, int] = {}
    for archive in archives:
        name = archive["name"]
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            archive["name"] = f"{seen[name]}-{name}"
    return archives


def _setting(key: str, value: str, source: str) -> Setting:
    return Setting(f"{key}={value}", key, value, source=source)
