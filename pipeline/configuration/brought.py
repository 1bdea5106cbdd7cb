"""What the platforms' texts name: lists of datasets and models, in every spelling met so far."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.archives import stem
from pipeline.disk.files import is_temporary
from pipeline.storage import is_url, normalise

# A shell eats the quotes of JSON that a platform passes unquoted; what is left still tells keys
# from values, because a key's colon never starts "://".
_KEY = r"[A-Za-z_]\w*:(?!//)"
_EATEN_PAIR = re.compile(rf"(?:^|[{{,])\s*({_KEY})(.*?)(?=,\s*{_KEY}|[{{}}]|$)")
_URL_KEYS = ("dataset_url", "model_url", "url", "obs_url")
_NAME_KEYS = ("dataset_name", "model_name", "name")


@dataclass(frozen=True)
class Brought:
    """A dataset or model that a launch brings: where it lies and what it is called.

    `container_path` is where the platform says it lies on this machine already.
    """

    url: str
    name: str
    container_path: str = ""


def items_of(text: str) -> tuple[Brought, ...]:
    """The items of a platform's list; of nothing, `[]` and `[{}]` there are none.

    >>> items_of('[{"dataset_url":"s3://b/k/","dataset_name":"a.zip"}]')
    (Brought(url='obs://b/k/', name='a.zip', container_path=''),)
    >>> items_of("[{dataset_url:obs://b/a.zip,dataset_name:a.zip,readOnly:true}]")[0].url
    'obs://b/a.zip'
    >>> items_of("[{}]"), items_of("  ")
    ((), ())
    """
    text = text.strip()
    if not text.startswith(("[", "{")):
        return (_item({"url": text}),) if text else ()
    try:
        found = json.loads(text)
    except ValueError:
        parts = re.findall(r"\{[^{}]*\}", text)
        found = [{k.rstrip(":"): v for k, v in _EATEN_PAIR.findall(part)} for part in parts]
    listed = found if isinstance(found, list) else [found]
    items = [_item(item if isinstance(item, Mapping) else {"url": item}) for item in listed]
    return tuple(item for item in items if item.url or item.container_path)


def place_of(text: str) -> str:
    """The place that a platform's text names; `/bucket/key` is OBS where it is no path here.

    >>> place_of("s3:///bucket/a/"), place_of("/no-such-bucket-here/a/")
    ('obs://bucket/a/', 'obs://no-such-bucket-here/a/')
    """
    text = text.strip()
    if not text:
        return ""
    if is_url(text) or not text.startswith("/"):
        try:
            return normalise(text)
        except ValueError:
            # It is refused when the job is validated, at its key.
            return text
    # ModelArts passes local paths where older versions passed /bucket/key; a bucket is no folder.
    top = Path("/", text.strip("/").split("/")[0])
    return text if top.is_dir() else f"obs:/{text}"


def at_hand(item: Brought) -> Brought:
    """The item at the place where the platform says it lies already, if it does."""
    path = Path(item.container_path)
    return replace(item, url=str(path)) if item.container_path and path.exists() else item


def in_mount(items: Sequence[Brought], mount: str) -> tuple[Brought, ...]:
    """The items as they lie in a mount, packed or unpacked; without items, all that lies there."""
    folder = Path(mount)
    if not mount or not folder.is_dir():
        return tuple(items)
    if not items:
        return tuple(
            Brought(str(path), path.name)
            for path in sorted(folder.iterdir())
            if not is_temporary(path.name)
        )
    return tuple(_mounted(item, folder) for item in items)


def _mounted(item: Brought, folder: Path) -> Brought:
    for name in (item.name, stem(item.name)):
        if (folder / name).exists():
            return replace(item, url=str(folder / name))
    return item


def _item(item: Mapping[str, Any]) -> Brought:
    url = place_of(_first(item, _URL_KEYS))
    name = _first(item, _NAME_KEYS) or url.split("?")[0]
    # What becomes a file's name here is the last part, and never a hidden one.
    name = name.rstrip("/").rpartition("/")[2].lstrip("._") or "data"
    return Brought(url, name, _first(item, ("containerPath",)))


def _first(item: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    return next((str(item[key]) for key in keys if item.get(key)), "").strip().strip("'\"")
