"""What a relative path in the configuration counts from."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.origins import Origins

_HAS_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")


def anchored(
    mapping: Mapping[str, Any], origins: Origins, *, root: Path, current_folder: Path
) -> dict[str, Any]:
    """The configuration with every path absolute.

    A path typed on the command line counts from the folder the user stands in, one in YAML
    from the folder of run.py, so that a job means the same wherever it is started.
    """
    result = copy.deepcopy(dict(mapping))
    for holder, name, key in _places(result):
        text = holder[name]
        if isinstance(text, str) and text and is_path(text, key):
            base = current_folder if origins.within(key).is_command_line else root
            holder[name] = str(base / Path(text).expanduser())
    return result


def is_path(text: str, key: str) -> bool:
    """Whether the text at this key names a local path; a checkpoint may be a run's id too."""
    if _HAS_SCHEME.match(text):
        return False
    if key == "mode.checkpoint":
        return "/" in text or text.endswith(".ckpt")
    return True


def _places(mapping: dict[str, Any]) -> Iterator[tuple[Any, Any, str]]:
    """Every value that may be a path: what holds it, its name there, its key."""
    cluster, dataset = mapping.get("cluster"), mapping.get("dataset")
    if isinstance(cluster, dict):
        for name in ("data_dir", "output_dir", "export_url"):
            value = cluster.get(name)
            if isinstance(value, list):
                yield from ((value, i, f"cluster.{name}.{i}") for i in range(len(value)))
            elif name in cluster:
                yield cluster, name, f"cluster.{name}"
    archives = dataset.get("archives") if isinstance(dataset, dict) else None
    for index, archive in enumerate(archives if isinstance(archives, list) else []):
        if isinstance(archive, dict) and "url" in archive:
            yield archive, "url", f"dataset.archives.{index}.url"
    mode = mapping.get("mode")
    if isinstance(mode, dict) and "checkpoint" in mode:
        yield mode, "checkpoint", "mode.checkpoint"
