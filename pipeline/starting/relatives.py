"""What makes a new run another one than the latest of the same mode, network and data."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from pipeline import manifest
from pipeline.archives import stem
from pipeline.configuration.identity import UNDECIDING
from pipeline.context import Context
from pipeline.messages.masking import masked
from pipeline.messages.spelling import first_of

_MOST = 4
_DECIDING = ("dataset", "model", "mode", "device", "seed")
# Written in C where PyYAML was built with libyaml; a plan waits for it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def difference(context: Context, config: Mapping[str, Any]) -> str:
    """In which keys and sources a run that is not there yet differs from its latest relative.

    Empty where there is no relative, or the run has a chosen name; `config` is the composed job.
    """
    job = context.job
    if context.previous or job.run.id:
        return ""
    folder = _latest(context.output_dir, job.run_id)
    if folder is None:
        return ""
    words = [*_keys(_config_of(folder), masked(config)), *_sources(folder, job.sources)]
    if not words:
        return ""
    return f"a new run; differs from {folder.name} in {first_of(words, _MOST)}"


def _latest(output_dir: Path, run_id: str) -> Path | None:
    """The run folder written to last whose name differs in the digest alone."""
    name = re.compile(re.escape(run_id.rpartition("-")[0]) + r"-[0-9a-f]{8}")
    if not output_dir.is_dir():
        return None
    kin = [e.name for e in os.scandir(output_dir) if name.fullmatch(e.name) and e.name != run_id]
    records = [output_dir / each / manifest.FILE_NAME for each in kin]
    written = {path.parent: path.stat().st_mtime_ns for path in records if path.is_file()}
    return max(written, key=lambda folder: written[folder], default=None)


def _config_of(folder: Path) -> Mapping[str, Any]:
    try:
        text = (folder / "config.yaml").read_text(encoding="utf-8")
        found = yaml.load(text, Loader=_LOADER)
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return found if isinstance(found, Mapping) else {}


def _keys(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    if not before:
        return
    old, new = dict(_flat(before)), dict(_flat(now))
    for key in {**new, **old}:
        if key not in old:
            yield f"{key} ({_word(new[key])}, new)"
        elif key not in new:
            yield f"{key} (gone, was {_word(old[key])})"
        elif old[key] != new[key]:
            yield f"{key} ({_word(new[key])}, was {_word(old[key])})"


def _flat(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every value that decides a result, by its dotted key."""
    for name in _DECIDING:
        yield from _values(name, config.get(name))
    dataset = config.get("dataset")
    archives = dataset.get("archives") if isinstance(dataset, Mapping) else None
    for index, archive in enumerate(archives or []):
        yield f"dataset.archives.{index}", archive.get("sha256") or stem(str(archive.get("name")))


def _values(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    if key in UNDECIDING:
        return
    if not isinstance(value, Mapping):
        yield key, value
        return
    for name, item in value.items():
        yield from _values(f"{key}.{name}", item)


def _sources(folder: Path, now: Mapping[str, str]) -> Iterator[str]:
    record = manifest.read(folder)
    before = record.sources if record else {}
    for target in sorted(before.keys() & now.keys()):
        if before[target] != now[target]:
            yield f"the code of {target.rpartition('.')[0]}"


def _word(value: Any) -> str:
    text = "null" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
