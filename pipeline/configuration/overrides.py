"""Typed values out of typed text: what `key=value` sets, and how it is set.

Text fields take the text byte for byte. Elsewhere Hydra's override grammar says what the
text means; JSON works where Hydra's grammar does not read it; what neither reads is text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel

from pipeline.configuration.arguments import Setting
from pipeline.configuration.origins import plain_key
from pipeline.errors import Mistake
from pipeline.job.job import Job
from pipeline.messages.spelling import did_you_mean, nearest, shortened, shown

_MISSING = object()
_PLACEHOLDER = re.compile("\0(\\d+)\0")
# Below these the job takes any key; elsewhere a plus would not help.
_OPEN = (
    *("model.network.", "dataset.loader.", "dataset.sample.", "device.env.", "platform."),
    *("mode.optimizer.", "mode.schedule.", "mode.loss.", "mode.metrics."),
)


class Literals:
    """Texts that OmegaConf must not read, kept aside behind placeholders.

    OmegaConf takes `${...}` in any text for an interpolation and `???` for a missing value,
    and has no escape that keeps every text exact, so such a text enters as a placeholder.
    """

    def __init__(self) -> None:
        self._texts: list[str] = []

    def hide(self, value: Any) -> Any:
        """The value with every text that OmegaConf would not leave alone put aside."""
        if isinstance(value, str) and ("$" in value or "\0" in value or value == "???"):
            self._texts.append(value)
            return f"\0{len(self._texts) - 1}\0"
        if isinstance(value, dict):
            return {key: self.hide(item) for key, item in value.items()}
        return [self.hide(item) for item in value] if isinstance(value, list) else value

    def restore(self, value: Any) -> Any:
        """The value with every placeholder replaced by its text."""
        if isinstance(value, str):
            return _PLACEHOLDER.sub(lambda match: self._texts[int(match[1])], value)
        if isinstance(value, dict):
            return {key: self.restore(item) for key, item in value.items()}
        return [self.restore(item) for item in value] if isinstance(value, list) else value


def apply(config: DictConfig, setting: Setting, literals: Literals) -> Mistake | None:
    """The configuration with this setting applied, or what is wrong with it."""
    current = _select(config, setting.key)
    if setting.sign == "~":
        return _delete(config, setting, current)
    if setting.value is None:
        return _mistake(setting, "has no value", f"write {setting.key}=VALUE")
    if current is _MISSING and not setting.sign:
        return _unknown(config, setting)
    try:
        value = value_of(setting, _stands_for(config, setting.key, current), literals)
        # Like Hydra: a mapping typed onto a mapping adds to it, everything else replaces.
        merges = isinstance(value, dict) and isinstance(current, dict)
        merges = merges and not _is_other_component(value, current)
        OmegaConf.update(config, setting.key, value, merge=merges, force_add=True)
    except (OmegaConfBaseException, ValueError, TypeError, IndexError) as error:
        return _mistake(setting, f"cannot be set like this: {_first_line(error)}", "")
    except RecursionError:
        return _mistake(setting, "is nested too deep", "expected a few levels of lists")
    return None


def _is_other_component(value: Mapping[str, Any], current: Mapping[str, Any]) -> bool:
    """Whether the typed mapping names another target, which the old arguments do not belong to."""
    target = value.get("_target_")
    return target is not None and target != current.get("_target_")


def _unknown(config: DictConfig, setting: Setting) -> Mistake:
    parent, _, name = plain_key(setting.key).rpartition(".")
    keys = keys_of(config)
    siblings = {k.rpartition(".")[2]: k for k in keys if k.rpartition(".")[0] == parent}
    elsewhere = [key for key in keys if key.rpartition(".")[2] == name]
    meant = [siblings[near] for near in nearest(name, siblings)] or elsewhere[:2]
    if not meant and not siblings:
        meant = nearest(setting.key, keys)
    question = f"did you mean {' or '.join(map(repr, meant))}?" if meant else ""
    is_known = setting.key.startswith(_OPEN) or types_at(Job, setting.key)
    can_be_added = is_known and isinstance(_select(config, parent), Mapping)
    adding = f"to add it write +{setting.key}=VALUE" if can_be_added else ""
    if is_known and _select(config, parent) is None:
        question, adding = "", f"write {parent}={{{name}: VALUE}}"
    remedy = "; ".join(filter(None, (question, adding)))
    return _mistake(setting, "there is no such key", remedy)


def value_of(setting: Setting, current: Any, literals: Literals) -> Any:
    """What the setting's text means where a value like `current` stands now."""
    text = setting.value or ""
    if setting.is_exact:
        return literals.hide(text)
    types = types_at(Job, setting.key) or ({type(current)} if current is not None else set())
    looks_nested = text.lstrip()[:1] in ("[", "{")
    is_text = str in types and not (looks_nested and types & {list, tuple, dict})
    if is_text:
        return None if text == "null" else _text_or_interpolation(text, literals)
    if looks_nested:
        return _nested(text, literals)
    parsed = _parse(text)
    if parsed is None or parsed.is_sweep_override():
        return _text_or_interpolation(text, literals)
    value = parsed.value()
    return _text_or_interpolation(value, literals) if isinstance(value, str) else value


def types_at(model: type[BaseModel], key: str) -> set[type]:
    """The plain types that the job's schema allows at this key; empty where it is open."""
    head, _, rest = plain_key(key).partition(".")
    field = model.model_fields.get(head)
    return _types(field.annotation, rest) if field else set()


def keys_of(config: Any, prefix: str = "") -> list[str]:
    """Every dotted key of the configuration, in its order, entries of lists by their number."""
    if OmegaConf.is_config(config):
        config = OmegaConf.to_container(config, resolve=False)
    if isinstance(config, Mapping):
        pairs = list(config.items())
    else:
        pairs = list(enumerate(config)) if isinstance(config, list) else []
    found = []
    for name, value in pairs:
        key = f"{prefix}{name}"
        found += [key, *keys_of(value, f"{key}.")]
    return found


def _types(annotation: Any, rest: str) -> set[type]:
    origin = get_origin(annotation)
    arguments = get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return types_at(annotation, rest) if rest else {dict}
    if origin is Union or (arguments and hasattr(annotation, "__metadata__")):
        members = arguments if origin is Union else arguments[:1]
        return set().union(*(_types(member, rest) for member in members))
    if origin is tuple:
        index, _, deeper = rest.partition(".")
        return _types(arguments[0], deeper) if index else {str, tuple}
    if origin is Mapping:
        return _types(arguments[1], "") if rest else {dict}
    if arguments and all(isinstance(argument, str) for argument in arguments):
        return {str}
    if rest or not isinstance(annotation, type):
        return set()
    return {annotation}


def _nested(text: str, literals: Literals) -> Any:
    try:
        return literals.hide(json.loads(text))
    except ValueError:
        parsed = _parse(text)
    if parsed is not None and not parsed.is_sweep_override():
        return parsed.value()
    try:
        # An alias can make a small text endless.
        if not any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
            return literals.hide(yaml.safe_load(text))
    # PyYAML finds dates that do not exist only when it makes them.
    except (yaml.YAMLError, ValueError):
        pass
    return literals.hide(text)


def _parse(text: str) -> Override | None:
    try:
        return OverridesParser.create().parse_override(f"key={text}")
    # A cast that fails, such as int(x), comes through as it is.
    except (HydraException, ValueError, TypeError):
        return None


def _text_or_interpolation(text: str, literals: Literals) -> Any:
    if "${" not in text:
        return literals.hide(text)
    try:
        node = OmegaConf.create({"text": text})
    except OmegaConfBaseException:
        return literals.hide(text)
    return text if OmegaConf.is_interpolation(node, "text") else literals.hide(text)


def _select(config: DictConfig, key: str) -> Any:
    """The value at the key, as written there; `_MISSING` where there is none."""
    node: Any = OmegaConf.to_container(config, resolve=False)
    for part in plain_key(key).split("."):
        if isinstance(node, Mapping) and part in node:
            node = node[part]
        elif isinstance(node, list) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        else:
            return _MISSING
    return node


def _stands_for(config: DictConfig, key: str, current: Any) -> Any:
    """The value whose kind a text typed in its place takes: a reference's is what it leads to."""
    if current is _MISSING or not (isinstance(current, str) and "${" in current):
        return None if current is _MISSING else current
    try:
        return OmegaConf.select(config, plain_key(key), throw_on_missing=False)
    except OmegaConfBaseException:
        # It leads nowhere, so nothing tells what belongs there.
        return None


def _delete(config: DictConfig, setting: Setting, current: Any) -> Mistake | None:
    if current is _MISSING:
        return _mistake(setting, "there is no such key", did_you_mean(setting.key, keys_of(config)))
    if setting.value is not None and str(current) != setting.value:
        return _mistake(setting, f"holds {shown(current)}", f"write ~{setting.key}")
    parent, _, name = plain_key(setting.key).rpartition(".")
    node = OmegaConf.select(config, parent) if parent else config
    OmegaConf.set_struct(config, False)
    del node[int(name) if OmegaConf.is_list(node) else name]
    return None


def _mistake(setting: Setting, problem: str, remedy: str) -> Mistake:
    return Mistake(setting.key, problem, f"the command line: {shortened(setting.token)}", remedy)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
