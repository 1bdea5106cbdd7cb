"""How the house calls a job's components: what each gets beside the arguments in its YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.job import component, hook
from pipeline.job.calls import Call, signature_of


@dataclass(frozen=True)
class _Manner:
    """Values by position, names always `given`, and names `offered` to what takes them."""

    positional: int
    given: tuple[str, ...] = ()
    offered: tuple[str, ...] = ()


# optimizer(weights, learning_rate=..., **arguments) and so on, by key.
_MANNERS = {
    "dataset.loader": _Manner(2),
    "model.network": _Manner(0),
    "mode.optimizer": _Manner(1, given=("learning_rate",), offered=("momentum", "loss_scale")),
    "mode.schedule": _Manner(3),
    "mode.loss": _Manner(0, offered=("sparse", "reduction")),
}
# metric(logits, labels, **arguments), hook(news, **arguments): below these keys, one by each name.
_NAMED = {"mode.metrics": _Manner(2), "hooks": _Manner(1)}


def call_at(key: str, target: str, arguments: Mapping[str, Any]) -> Call:
    """The call of the component that stands at this key."""
    manner = _MANNERS.get(key) or _NAMED[key.rpartition(".")[0]]
    return Call(target, manner.positional, arguments, manner.given, manner.offered)


def make(call: Call, *positional: Any, **values: Any) -> Any:
    """Imports the call's target and calls it with the values, of the `offered` with what it takes.

    What the job's own arguments say holds against what is offered.
    """
    target = component.load(call.target)
    taken = signature_of(target).parameters if call.offered else {}
    offered = {
        name: values[name]
        for name in call.offered
        if name in taken and name in values and name not in call.arguments
    }
    given = {name: values[name] for name in call.given}
    return target(*positional, **given, **offered, **call.arguments)


def components_in(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """What stands at the keys of components in a job's mapping, right or wrong."""
    found = {key: _at(mapping, key) for key in _MANNERS}
    for key in _NAMED:
        named = _at(mapping, key)
        if isinstance(named, Mapping):
            found.update({f"{key}.{name}": value for name, value in named.items()})
    return {key: value for key, value in found.items() if value is not None}


def is_component(key: str) -> bool:
    """Whether a component stands at this key."""
    return key in _MANNERS or key.rpartition(".")[0] in _NAMED


def arguments_at(key: str, value: Mapping[Any, Any]) -> dict[str, Any]:
    """What of the mapping at this key its target is called with."""
    if key.rpartition(".")[0] == "hooks":
        return hook.arguments_in(value)
    return {str(name): item for name, item in value.items() if name != "_target_"}


def _at(mapping: Any, key: str) -> Any:
    for part in key.split("."):
        mapping = mapping.get(part) if isinstance(mapping, Mapping) else None
    return mapping
