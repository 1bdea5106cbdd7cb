"""In what runs differ: configuration, metrics, surroundings, data, and code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from pipeline.commands.runs.record import Run, is_less_better
from pipeline.disk.plain import flat as flat

# Written in C where PyYAML was built with libyaml.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ABSENT = "-"
# Every start has others, and they decide nothing.
_UNTELLING = ("host", "system")
_OF_THE_START = ("run.", "sweep.", "hooks", "tensorboard")

# One difference: what differs, and a text for each run.
Row = tuple[str, list[str]]


def config_of(run: Run) -> Mapping[str, Any]:
    """The run's composed job as it was written; empty where it cannot be read."""
    content = run.read("config.yaml")
    try:
        found = yaml.load(content, Loader=_LOADER) if content else None
    except (ValueError, yaml.YAMLError):
        return {}
    return found if isinstance(found, Mapping) else {}


def of_configuration(runs: Sequence[Run]) -> list[Row]:
    """The keys of config.yaml that differ among the runs."""
    found = [dict(flat(config_of(run))) for run in runs]
    return [row for row in _differing(found) if not row[0].startswith(_OF_THE_START)]


def of_surroundings(runs: Sequence[Run]) -> list[Row]:
    """What differs in versions, machine, inputs and code."""
    return _differing([dict(_surroundings(run)) for run in runs])


def metrics(runs: Sequence[Run]) -> list[tuple[str, list[float | None], set[int]]]:
    """Each metric with its value in every run, and the positions of the best, if one is better."""
    names = list(dict.fromkeys(name for run in runs for name in run.metrics))
    found = []
    for name in names:
        values = [run.metrics.get(name) for run in runs]
        found.append((name, values, _best(name, values)))
    return found


def _surroundings(run: Run) -> Iterator[tuple[str, Any]]:
    if run.manifest is None:
        return
    for name, value in flat(run.manifest.environment):
        if name not in _UNTELLING:
            yield name, str(value)[:10] if name == "git_commit" and value else value
    yield "ranks", run.manifest.launch.get("ranks", 1)
    for item in run.manifest.inputs:
        told = item.get("sha256") or item.get("etag") or item.get("size_bytes")
        yield f"input {item.get('name')}", str(told)[:12]
    for target, sha256 in run.manifest.sources.items():
        if sha256:
            yield f"code {target}", sha256[:12]


def _differing(found: Sequence[Mapping[str, Any]]) -> list[Row]:
    keys = list(dict.fromkeys(key for values in found for key in values))
    texts = {
        key: [_word(values[key]) if key in values else _ABSENT for values in found] for key in keys
    }
    return [(key, words) for key, words in texts.items() if len(set(words)) > 1]


def _word(value: Any) -> str:
    if isinstance(value, str):
        return value
    return yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True).split(
        "\n"
    )[0]


def _best(name: str, values: Sequence[float | None]) -> set[int]:
    known = [value for value in values if value is not None]
    if len(set(known)) < 2:
        return set()
    best = min(known) if is_less_better(name) else max(known)
    return {position for position, value in enumerate(values) if value == best}
