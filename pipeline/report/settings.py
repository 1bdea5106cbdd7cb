"""The configuration: what was chosen, what differs from the chosen files, and the whole of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from pipeline.disk.plain import flat
from pipeline.report.contents import Contents, text_of
from pipeline.report.markup import Html, Node, both, element, joined
from pipeline.report.tables import folded, table

_ABSENT = object()


def section(contents: Contents) -> Html:
    """What differs, with who set it; then everything, folded."""
    parts = [_differences(contents)]
    if contents.config:
        text = yaml.safe_dump(dict(contents.config), allow_unicode=True, sort_keys=False)
        whole = element("pre", text, tabindex=0)
        parts.append(folded(both("The whole configuration", "完整配置"), whole))
    return joined(parts)


def _differences(contents: Contents) -> Html:
    settings = contents.start.get("settings")
    if not isinstance(settings, list):
        return element("p", both("What was set is not on record.", "未记录修改项。"))
    rows = list(_rows(settings, contents.config))
    if not rows:
        note = both("Nothing differs from the defaults.", "与默认值无差异。")
        return element("p", note)
    heads = [
        both("key", "键"),
        both("value", "值"),
        both("default", "默认值"),
        both("set by", "来源"),
    ]
    return table(heads, rows, class_="settings")


def _rows(settings: list[Any], config: Mapping[str, Any]) -> Iterator[list[Node]]:
    for setting in settings:
        if not isinstance(setting, Mapping):
            continue
        key, origin = str(setting.get("key")), str(setting.get("origin") or "")
        if setting.get("choice") is not None:
            yield [_code(key), _code(str(setting["choice"])), both("a choice", "选择"), origin]
            continue
        before = dict(flat(setting.get("default"), key)) if "default" in setting else {}
        now = dict(flat(_at(config, key), key))
        for name in {**before, **now}:
            was, value = before.get(name, _ABSENT), now.get(name, _ABSENT)
            if was != value:
                yield [_code(name), _word(value), _word(was), origin]


def _at(config: Mapping[str, Any], key: str) -> Any:
    found: Any = config
    for part in key.split("."):
        if isinstance(found, Mapping) and part in found:
            found = found[part]
        elif isinstance(found, list) and part.isdigit() and int(part) < len(found):
            found = found[int(part)]
        else:
            return _ABSENT
    return found


def _word(value: Any) -> Node:
    return element("span", "–", class_="none") if value is _ABSENT else _code(text_of(value))


def _code(text: str) -> Html:
    return element("code", text)
