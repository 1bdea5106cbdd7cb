"""What a relative path in the configuration counts from."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.configuration import homes
from pipeline.configuration.origins import Origins
from pipeline.job.job import is_checkpoint_path
from pipeline.storage import is_url


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
        if isinstance(text, str) and text and _is_path(text, key):
            path = _at_home(Path(text))
            if origins.is_typed(key):
                holder[name] = str(current_folder / path)
            else:
                # Data that come with MindRun lie with it, everything else with run.py.
                is_input = key.startswith("dataset.")
                holder[name] = str(homes.shipped(path, root) if is_input else root / path)
    return result


def _at_home(path: Path) -> Path:
    """The path with `~` replaced, where there is such a home."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def _is_path(text: str, key: str) -> bool:
    return is_checkpoint_path(text) if key.startswith("mode.") else not is_url(text)


def _places(mapping: dict[str, Any]) -> Iterator[tuple[Any, Any, str]]:
    """Every value that may be a path: what holds it, its name there, its key."""
    cluster, dataset = mapping.get("cluster"), mapping.get("dataset")
    if isinstance(cluster, dict):
        for name in ("data_dir", "output_dir", "tensorboard_dir", "export_url"):
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
    for name in ("checkpoint", "resume"):
        if isinstance(mode, dict) and name in mode:
            yield mode, name, f"mode.{name}"
