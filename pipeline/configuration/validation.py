"""All that can be said against a job before anything runs, in a person's words."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline import stage
from pipeline.configuration.origins import Origins
from pipeline.errors import ConfigError, Mistake
from pipeline.job import component
from pipeline.job.calls import Call
from pipeline.job.fields import is_dotted_name
from pipeline.job.job import Job
from pipeline.job.manners import arguments_at, call_at, components_in, is_component
from pipeline.job.mode import Mode
from pipeline.job.probe import probe
from pipeline.messages.masking import learn, mask, masked
from pipeline.messages.spelling import did_you_mean, shown

_MAPPING = "expected a mapping, such as {a: 1}"
_WORDS = {
    "missing": "a value is missing",
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "bool_type": "expected true or false",
    "string_type": "expected text",
    "string_unicode": "expected text in UTF-8",
    "tuple_type": "expected a list, such as [a,b]",
    **dict.fromkeys(("mapping_type", "dict_type", "model_type"), _MAPPING),
    "finite_number": "expected a finite number",
    "string_too_short": "expected some text",
    "too_short": "expected at least one entry",
}
_RANGES = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}


def validate(
    mapping: Mapping[str, Any], origins: Origins, mistakes: Sequence[Mistake], *, root: Path
) -> Job:
    """The frozen job.

    Raises:
        ConfigError: with the mistakes found so far and all found here.
    """
    found = list(mistakes)
    job = None
    try:
        job = job_of(mapping, root=root)
    except ValidationError as error:
        known = {mistake.key for mistake in found}
        found += [m for m in _explain_all(error, mapping, origins) if m.key not in known]
    further = [*_component_mistakes(mapping, origins), *_stage_mistakes(mapping, origins)]
    known = {mistake.key for mistake in found}
    found += [mistake for mistake in further if mistake.key not in known]
    if found or job is None:
        raise ConfigError(found)
    return job


def job_of(mapping: Mapping[str, Any], *, root: Path) -> Job:
    """The job of a composed mapping; the masking knows from now on what in its URLs is secret.

    Raises:
        ValidationError: a value is not what belongs there.
    """
    learn(mapping)
    return Job.model_validate({**_with_all_stages(mapping), "root": root})


def uncertain_calls(job: Job) -> dict[str, Call]:
    """The components that only an import can check, by their keys."""
    hooks = {f"hooks.{name}": hook for name, hook in job.hooks.items()}
    calls = {
        key: call_at(key, c.target, c.arguments)
        for key, c in {**job.components, **hooks}.items()
        if not _is_default(key, c.target, c.arguments)
    }
    return {key: call for key, call in calls.items() if not component.check(call).is_certain}


def probe_components(job: Job, environment: Mapping[str, str]) -> None:
    """Imports what could not be checked otherwise, in a process of its own.

    Raises:
        ConfigError: a target cannot be imported or does not take its arguments.
    """
    found = probe(uncertain_calls(job), {**job.device.env, **environment})
    mistakes = [
        Mistake(f"{key}.{problem.argument}", problem.text, "", problem.remedy)
        for key, problems in found.items()
        for problem in problems
    ]
    if mistakes:
        raise ConfigError(mistakes)


def _explain_all(
    error: ValidationError, mapping: Mapping[str, Any], origins: Origins
) -> list[Mistake]:
    found: dict[str, Mistake] = {}
    for detail in error.errors(include_url=False):
        key = _key(detail["loc"], mapping)
        if key not in found:
            found[key] = _explain(key, detail, origins)
    return list(found.values())


def _explain(key: str, detail: Any, origins: Origins) -> Mistake:
    kind, value = detail["type"], detail["input"]
    origin = origins.within(key).text
    if kind == "extra_forbidden":
        parent, _, name = key.rpartition(".")
        siblings = _allowed_at(parent)
        question = did_you_mean(name, siblings)
        listed = f"there is: {', '.join(sorted(siblings))}" if siblings else ""
        remedy = "; ".join(filter(None, (question, listed)))
        return Mistake(key, "there is no such key", origin, remedy)
    if kind == "missing":
        return Mistake(key, _WORDS[kind], origin, _adding(key))
    expected = _expected(detail)
    holds = mask(shown(masked(value, key.rpartition(".")[2])))
    remedy = ""
    if isinstance(value, str) and "," in value and kind in ("int_type", "float_type"):
        remedy = "several values at once are a sweep"
    return Mistake(key, f"{holds}: {expected}", origin, remedy)


def _adding(key: str) -> str:
    """How to give a key that is not there: whole groups are chosen, other keys added."""
    return f"write +{key}=VALUE" if "." in key else f"leave out ~{key}, or write {key}=CHOICE"


def _expected(detail: Any) -> str:
    kind = detail["type"]
    if kind in _WORDS:
        return _WORDS[kind]
    if kind in _RANGES:
        word, name = _RANGES[kind]
        return f"expected {word} {_number(detail['ctx'][name])}"
    if kind == "literal_error":
        return f"expected one of {detail['ctx']['expected']}"
    text = str(detail["msg"]).replace("Value error, ", "").replace("Input should be", "expected")
    return text[:1].lower() + text[1:]


def _number(limit: float) -> str:
    return str(int(limit)) if limit == int(limit) else f"{limit:g}"


def _key(location: Sequence[Any], mapping: Any) -> str:
    """The dotted key of a pydantic location, without the names that only our types have."""
    parts = [str(part) for part in location if part not in ("arguments", "[key]")]
    if parts[-1:] == ["target"] and is_component(".".join(parts[:-1])):
        parts[-1] = "_target_"
    if (
        len(parts) == 3
        and parts[:1] == ["cluster"]
        and not isinstance(mapping.get("cluster", {}).get(parts[1]), list)
    ):
        parts = parts if parts[1] == "transfer" else parts[:2]
    return ".".join(parts)


def _allowed_at(key: str) -> list[str]:
    model: Any = Job
    for part in filter(None, key.split(".")):
        field = getattr(model, "model_fields", {}).get(part)
        model = field.annotation if field else None
    fields = getattr(model, "model_fields", {})
    return [name for name in fields if name not in ("root", "digest", "sources")]


def _component_mistakes(mapping: Mapping[str, Any], origins: Origins) -> list[Mistake]:
    mistakes = []
    for key, value in components_in(mapping).items():
        target = value.get("_target_") if isinstance(value, Mapping) else None
        if not isinstance(value, Mapping) or not isinstance(target, str):
            continue
        arguments = arguments_at(key, value)
        if not is_dotted_name(target) or _is_default(key, target, arguments):
            continue
        for problem in component.check(call_at(key, target, arguments)).problems:
            place = f"{key}.{problem.argument}"
            is_missing = problem.argument not in (*arguments, "_target_")
            remedy = _adding(place) if is_missing else problem.remedy
            origin = origins.within(f"{key}._target_" if is_missing else place).text
            mistakes.append(Mistake(place, problem.text, origin, remedy))
    return mistakes


def _with_all_stages(mapping: Mapping[str, Any]) -> Mapping[str, Any]:
    mode = mapping.get("mode")
    listed = mode.get("stages") if isinstance(mode, Mapping) else None
    if not isinstance(mode, Mapping) or not isinstance(listed, (list, tuple)):
        return mapping
    stages = stage.with_conversion(listed, mode.get("export_formats"))
    return {**mapping, "mode": {**mode, "stages": stages}}


def _is_default(key: str, target: str, arguments: Mapping[str, Any]) -> bool:
    """Whether it is a mode's default, which is right without MindSpore, and without an import."""
    field = Mode.model_fields.get(key.partition(".")[2])
    default = field.get_default(call_default_factory=True) if field else None
    return not arguments and getattr(default, "target", "") == target


def _stage_mistakes(mapping: Mapping[str, Any], origins: Origins) -> list[Mistake]:
    mode = mapping.get("mode") or {}
    listed = mode.get("stages") if isinstance(mode, Mapping) else None
    if not isinstance(listed, (list, tuple)) or not all(isinstance(s, str) for s in listed):
        return []
    all_listed = stage.with_conversion(listed, mode.get("export_formats"))
    stages, found = stage.find_all(all_listed)
    mistakes = []
    for mistake in found:
        # A stage that nobody wrote came along with the formats.
        is_added = all_listed != [*listed] and f"stage {stage.CONVERSION!r}" in mistake.problem
        key = "mode.export_formats" if is_added else mistake.key
        mistakes.append(replace(mistake, key=key, origin=origins.within(key).text))
    for needed in stages:
        mistakes += _needs_of(needed, mapping, origins)
    return mistakes


def _needs_of(needed: stage.Stage, job: Mapping[str, Any], origins: Origins) -> list[Mistake]:
    mistakes = []
    for key in needed.keys:
        group, _, name = key.partition(".")
        values = job.get(group)
        if isinstance(values, Mapping) and values.get(name) is None:
            problem = f"a value is missing; stage {needed.name!r} needs it"
            remedy = f"write {'' if name in values else '+'}{key}=VALUE"
            mistakes.append(Mistake(key, problem, origins.within(key).text, remedy))
    for library in needed.libraries:
        if importlib.util.find_spec(library) is None:
            problem = f"stage {needed.name!r} needs {library}, which is not installed"
            mistakes.append(Mistake("mode.stages", problem, "", f"pip install {library}"))
    return mistakes
