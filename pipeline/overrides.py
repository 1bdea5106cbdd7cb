"""Typed values out of typed text: what `key=value` sets, and how it is set.

Text fields take the text byte for byte. Elsewhere Hydra's override grammar says what the
text means; JSON works where Hydra's grammar does not read it; what neither reads is text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import GrammarParseError, OmegaConfBaseException
from pydantic import BaseModel

from pipeline.arguments import Setting
from pipeline.errors import Mistake
from pipeline.job import Job
from pipeline.spelling import did_you_mean

_MISSING = object()
# Below these the job takes any key; elsewhere a plus would not help.
_OPEN = ("model.network.", "dataset.loader.", "dataset.sample.", "device.env.", "platform.")


class Literals:
    """Texts that OmegaConf must not read, kept aside behind placeholders.

    OmegaConf takes `${...}` in any text for an interpolation and has no escape that keeps
    every text exact, so such a text enters the configuration as a placeholder.
    """

    def __init__(self) -> None:
        self._texts: list[str] = []

    def hide(self, value: Any) -> Any:
        """The value with every text that holds a `$` replaced by a placeholder."""
        if isinstance(value, str) and "$" in value:
            self._texts.append(value)
            return f"\0{len(self._texts) - 1}\0"
        if isinstance(value, dict):
            return {key: self.hide(item) for key, item in value.items()}
        return [self.hide(item) for item in value] if isinstance(value, list) else value

    def restore(self, value: Any) -> Any:
        """The value with every placeholder replaced by its text."""
        if isinstance(value, str) and "\0" in value:
            for index, text in enumerate(self._texts):
                value = value.replace(f"\0{index}\0", text)
            return value
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
        question = did_you_mean(setting.key, keys_of(config))
        is_open = setting.key.startswith(_OPEN)
        adding = f"to add a new key write +{setting.token}" if is_open else ""
        return _mistake(
            setting, "there is no such key", "; ".join(filter(None, (question, adding)))
        )
    value = value_of(setting, None if current is _MISSING else current, literals)
    try:
        OmegaConf.update(config, setting.key, value, merge=True, force_add=True)
    except (OmegaConfBaseException, ValueError, TypeError, IndexError) as error:
        return _mistake(setting, f"cannot be set to {setting.value!r}: {_first_line(error)}", "")
    return None


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
    head, _, rest = key.replace("[", ".").replace("]", "").partition(".")
    field = model.model_fields.get(head)
    return _types(field.annotation, rest) if field else set()


def keys_of(config: Any, prefix: str = "") -> list[str]:
    """Every dotted key of the configuration, in its order."""
    if isinstance(config, DictConfig):
        config = OmegaConf.to_container(config, resolve=False)
    if not isinstance(config, Mapping):
        return []
    found = []
    for name, value in config.items():
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
        return literals.hide(yaml.safe_load(text))
    except yaml.YAMLError:
        return literals.hide(text)


def _parse(text: str) -> Override | None:
    try:
        return OverridesParser.create().parse_override(f"key={text}")
    except HydraException:
        return None


def _text_or_interpolation(text: str, literals: Literals) -> Any:
    if "${" not in text:
        return literals.hide(text)
    try:
        node = OmegaConf.create({"text": text})
    except (GrammarParseError, OmegaConfBaseException):
        return literals.hide(text)
    return text if OmegaConf.is_interpolation(node, "text") else literals.hide(text)


def _select(config: DictConfig, key: str) -> Any:
    """The value at the key, as written there; `_MISSING` where there is none."""
    node: Any = OmegaConf.to_container(config, resolve=False)
    for part in key.replace("[", ".").replace("]", "").split("."):
        if isinstance(node, Mapping) and part in node:
            node = node[part]
        elif isinstance(node, list) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        else:
            return _MISSING
    return node


def _delete(config: DictConfig, setting: Setting, current: Any) -> Mistake | None:
    if current is _MISSING:
        return _mistake(setting, "there is no such key", did_you_mean(setting.key, keys_of(config)))
    if setting.value is not None and str(current) != setting.value:
        return _mistake(setting, f"holds {current!r}, not {setting.value!r}", "leave out the value")
    parent, _, name = setting.key.rpartition(".")
    node = OmegaConf.select(config, parent) if parent else config
    OmegaConf.set_struct(config, False)
    del node[int(name) if OmegaConf.is_list(node) else name]
    return None


def _mistake(setting: Setting, problem: str, remedy: str) -> Mistake:
    return Mistake(setting.key, problem, f"the command line: {setting.token}", remedy)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
