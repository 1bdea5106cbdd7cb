"""What a platform says, in flags and variables, as one Launch.

What each flag and variable means stands in the `launch` tables of conf/cluster/*.yaml; every
cluster reads every table, because platforms pass each other's names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from pipeline.configuration.arguments import Setting
from pipeline.configuration.brought import Brought, at_hand, in_mount, items_of, place_of
from pipeline.storage import is_url

LOCAL = "local"
_MOUNTED = "MOUNT"
# The role of flags that are a platform's own affair: kept for the record, reported by nobody.
_IGNORED = "ignored"


@dataclass(frozen=True)
class Launch:
    """What a launch brings; empty where nothing was launched.

    Datasets and models lie at a URL or, where the platform put them on this machine already, at
    a local path. `settings` are keys of the configuration that flags of the tables set; `rest` is
    what was typed besides.
    """

    cluster: str = LOCAL
    detected_by: str = "nothing was launched"
    datasets: tuple[Brought, ...] = ()
    models: tuple[Brought, ...] = ()
    checkpoint: str = ""
    export_url: str = ""
    output_dir: str = ""
    device: str = ""
    settings: tuple[Setting, ...] = ()
    rest: tuple[Setting, ...] = ()

    @property
    def is_launched(self) -> bool:
        """Whether a platform said anything at all."""
        return self.cluster != LOCAL


@dataclass(frozen=True)
class Tables:
    """The `launch` parts of all cluster files, in the order of their priority."""

    clusters: tuple[Mapping[str, Any], ...]

    @classmethod
    def read(cls, folders: Iterable[Path]) -> Tables:
        """Reads cluster/*.yaml of each conf folder as plain YAML; the first of a name counts."""
        found: dict[str, Mapping[str, Any]] = {}
        for folder in folders:
            for path in sorted((folder / "cluster").glob("*.yaml")):
                loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
                if isinstance(loaded, dict) and isinstance(loaded.get("launch"), dict):
                    found.setdefault(path.stem, {**loaded, "choice": path.stem})
        return cls(tuple(sorted(found.values(), key=lambda c: float(c.get("priority", 1000)))))

    def merged(self, part: str) -> dict[str, str]:
        """One table of `flags` or `variables`; the cluster of higher priority names the role."""
        merged: dict[str, str] = {}
        for cluster in self.clusters:
            for name, role in (cluster["launch"].get(part) or {}).items():
                merged.setdefault(str(name), str(role))
        return merged


@dataclass
class _Said:
    """What was said per role, the strongest last, with the flags as they came."""

    flags: dict[str, str]
    variables: Mapping[str, str]
    roles: dict[str, list[Setting]] = field(default_factory=dict)
    settings: list[Setting] = field(default_factory=list)

    def take(self, role: str, setting: Setting) -> None:
        if role == _IGNORED:
            kept = replace(setting, key=f"platform.{setting.key}", sign="++", is_flag=False)
            self.settings.append(kept)
        elif "." in role:
            self.settings.append(replace(setting, key=role, is_flag=True))
        else:
            self.roles.setdefault(role, []).append(setting)

    def last(self, role: str) -> str:
        """What the strongest said, if it said anything."""
        texts = [s.value or "" for s in self.roles.get(role, [])]
        return next((text for text in reversed(texts) if text.strip()), "")


def read(settings: Sequence[Setting], variables: Mapping[str, str], tables: Tables) -> Launch:
    """The launch that flags and variables describe; flags beat variables, later ones earlier."""
    flag_roles, variable_roles = tables.merged("flags"), tables.merged("variables")
    said = _Said({}, variables)
    for name, role in variable_roles.items():
        if variables.get(name):
            source = f"the environment variable {name}"
            said.take(role, Setting(name, name, variables[name], source=source))
    rest = []
    typed = {setting.key for setting in settings if setting.is_flag}
    for setting in (*_stand_ins(variables, typed), *settings):
        role = _role(setting, flag_roles)
        if setting.is_flag:
            said.flags[setting.key] = setting.value or ""
        if role:
            said.take(role, setting)
        else:
            rest.append(setting)
    cluster, reason = _detect(said, tables)
    return _launch(said, cluster, reason, tuple(rest))


def _role(setting: Setting, roles: Mapping[str, str]) -> str:
    """The role of a flag, by its name or else by a pattern such as `grampus_*`."""
    if not setting.is_flag:
        return ""
    exact = roles.get(setting.key, "")
    return exact or next((r for name, r in roles.items() if fnmatchcase(setting.key, name)), "")


def _launch(said: _Said, cluster: str, reason: str, rest: tuple[Setting, ...]) -> Launch:
    is_mounted = said.last("method").strip().upper() == _MOUNTED
    # data_url repeats one of several; it counts only where there are no others.
    datasets = items_of(said.last("datasets")) or items_of(said.last("dataset"))
    models = items_of(said.last("models"))
    if is_mounted:
        datasets = in_mount(datasets, said.last("dataset_mount"))
        models = in_mount(models, said.last("model_mount"))
    return Launch(
        cluster=cluster,
        detected_by=reason,
        datasets=tuple(map(at_hand, datasets)),
        models=tuple(map(at_hand, models)),
        checkpoint=place_of(said.last("checkpoint")),
        export_url=place_of(said.last("export_url")),
        output_dir=said.last("output_dir"),
        device=said.last("device").strip().lower(),
        settings=tuple(said.settings),
        rest=rest,
    )


def _stand_ins(variables: Mapping[str, str], typed: set[str]) -> list[Setting]:
    """MA_INPUTS and MA_OUTPUTS say in JSON what flags say elsewhere; typed flags count more."""
    found = []
    for name, part in (("MA_INPUTS", "inputs"), ("MA_OUTPUTS", "outputs")):
        try:
            listed = json.loads(variables.get(name) or "{}")
            items = listed.get(part, []) if isinstance(listed, dict) else listed
            pairs = [(i["parameter"]["label"], i["parameter"]["value"]) for i in items]
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        found += [
            Setting(f"--{label}={value}", str(label), str(value), is_flag=True, source=name)
            for label, value in pairs
            if label not in typed
        ]
    return found


def _detect(said: _Said, tables: Tables) -> tuple[str, str]:
    for cluster in tables.clusters:
        for condition in cluster["launch"].get("detect") or []:
            reason = _reason(condition, said)
            if reason:
                return str(cluster["choice"]), reason
    return LOCAL, "nothing was launched"


def _reason(condition: Mapping[str, Any], said: _Said) -> str:
    """Why the condition holds, in words; empty when it does not. All its clauses must hold."""
    reasons = []
    if "variables" in condition:
        matched = [_match(pattern, said.variables) for pattern in condition["variables"]]
        if not all(matched):
            return ""
        reasons.append(f"{' and '.join(filter(None, matched))} is set")
    if "flags" in condition:
        wants_bucket = condition.get("bucket_urls") is True
        candidates = {n: v for n, v in said.flags.items() if not wants_bucket or _has_bucket(v)}
        matched = [_match(pattern, candidates) for pattern in condition["flags"]]
        if not any(matched):
            return ""
        reasons.append(f"--{next(filter(None, matched))} was passed")
    if "text" in condition:
        matched = [name for name, value in said.flags.items() if condition["text"] in value]
        if not matched:
            return ""
        reasons.append(f"--{matched[0]} speaks of {condition['text']}")
    if condition.get("bucket_urls") is False and any(map(_has_bucket, said.flags.values())):
        return ""
    return ", ".join(reasons)


def _match(pattern: str, names: Mapping[str, str]) -> str:
    return next((name for name in names if fnmatchcase(name, pattern) and names[name]), "")


def _has_bucket(value: str) -> bool:
    return any(is_url(i.url) and i.url.startswith("obs://") for i in items_of(value))
