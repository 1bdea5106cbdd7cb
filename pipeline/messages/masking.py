"""Keeps credentials out of everything that people or files get to see."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

MASK = "***"

# Variables whose values are credentials; the names are those of Huawei's SDK and of S3 clients.
SECRET_VARIABLES = (
    "OBS_ACCESS_KEY_ID",
    "OBS_SECRET_ACCESS_KEY",
    "OBS_SECURITY_TOKEN",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "OPENI_TOKEN",
)

# No word boundary before the scheme: to a pattern, Chinese characters are words, too.
# A URL goes on to the next blank, for a signature may hold quotes; what closes it is kept.
# A scheme has an end, or a long word would be looked through once for each of its letters.
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]{0,30}://[^\s\"]*")
_CLOSING = "'])}>,;:."
# The name of a tokenizer is no secret.
_SECRET_NAME = re.compile(
    r"(?i)(secret|token(?!i[sz])|passw|credential|access_?key|api_?key|^ak$|^sk$)"
)


# How the URLs that `learn` was given are spelled, and what stands in their place.
_learned: dict[str, str] = {}
# A shorter query or user part could be part of any word.
_SECRET_LENGTH = 8
# The words in the path of an address are shorter than keys.
_KEY_LENGTH = 16
_URL_MARKS = "!#$%&'()*+,/:;=?@[]~"


def mask(text: str) -> str:
    """The text without the query and user part of URLs, and without known credentials.

    >>> mask("got https://me:word@host/a.zip?Signature=abc&Expires=1 in 2 s")
    'got https://***@host/a.zip?*** in 2 s'
    """
    # Longer spellings first: they may hold shorter ones.
    for spelling in sorted(_learned, key=len, reverse=True):
        if spelling in text:
            text = text.replace(spelling, _learned[spelling])
    if "://" in text:
        text = _URL.sub(_mask_found, text)
    for name in SECRET_VARIABLES:
        value = os.environ.get(name, "")
        if len(value) >= 4:
            text = text.replace(value, MASK)
    return text


def mask_url(url: str) -> str:
    """One whole URL without query and user part, whatever characters it holds; a path stays.

    Where a raw "/" or "?" leaves it open what belongs to a password, all that might is hidden.

    >>> mask_url("https://me:wo/rd@host/it's a.zip?key=<a b>"), mask_url("/data/a?b")
    ("https://***@host/it's a.zip?***", '/data/a?b')
    """
    if not _URL.match(url):
        return url
    user, shown, query = _parts(url)
    inner = _URL.search(shown)
    if inner:
        shown = shown[: inner.start()] + mask_url(shown[inner.start() :])
    before, after = (f"{MASK}@" if user else ""), (f"?{MASK}" if query else "")
    return f"{url.partition('://')[0]}://{before}{shown}{after}"


def fingerprint(url: str, like: str = "") -> str:
    """Tells one whole URL from others; empty where it has nothing to hide, so that it can be shown.

    Salted, and far too short to find a secret by trying; `like` is another one, to compare with.
    """
    if mask_url(url) == url:
        return ""
    salt = like.partition(":")[0] or os.urandom(8).hex()
    return f"{salt}:{hashlib.sha256(f'{salt}{url}'.encode()).hexdigest()[:4]}"


def learn(value: Any) -> None:
    """From now on `mask` knows the URLs of this nested value wherever they stand in a text.

    For text does not tell where a URL ends that has blanks or quotes in it.
    """
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            learn(item)
    elif isinstance(value, str) and mask_url(value) != value:
        # Spelled alike, so that a command stays one that a shell can read.
        _learned.update(zip(_spellings(value), _spellings(mask_url(value))))
        user, _, query = _parts(value)
        for secret in (user, query):
            if len(secret) >= _SECRET_LENGTH:
                _learned.update(dict.fromkeys(_spellings(secret), MASK))


def learn_addresses(value: Any) -> None:
    """From now on `mask` hides every URL of this nested value: whoever knows it may write there."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            learn_addresses(item)
    elif isinstance(value, str) and "://" in value:
        learn_secret(value)


def learn_secret(text: str) -> None:
    """From now on `mask` hides this text, and as a URL what a server may repeat of its key."""
    # A file of variables may have left a line's end, and whoever uses the address none.
    text = text.strip()
    path = text.partition("://")[2].partition("/")[2]
    for secret in (text, *re.split(r"[/?&=\s]", path)):
        if len(secret) >= (_SECRET_LENGTH if secret is text else _KEY_LENGTH):
            _learned.update(dict.fromkeys(_spellings(secret), MASK))


def masked(value: Any, name: str = "") -> Any:
    """A nested value with every text masked, and hidden whole where its name says secret.

    >>> masked({"api_key": "abc", "url": ["s3://b/k?token=1"]})
    {'api_key': '***', 'url': ['s3://b/k?***']}
    """
    if isinstance(value, Mapping):
        return {key: masked(item, str(key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(item, name) for item in value]
    if isinstance(value, str):
        return MASK if value and _SECRET_NAME.search(name) else mask(mask_url(value))
    return value


def _parts(url: str) -> tuple[str, str, str]:
    """The URL's user part, host and path, and query; all is user part where that is uncertain."""
    rest = url.partition("://")[2]
    place = re.split("[/?#]", rest, maxsplit=1)[0]
    head, _, query = rest.partition("?")
    if ":" in place and "@" in query:
        return rest, "", ""
    user, at, _ = (head if ":" in place else place).rpartition("@")
    return user, head[len(user) + len(at) :], query


def _mask_found(found: re.Match[str]) -> str:
    url = found.group().rstrip(_CLOSING)
    return mask_url(url) + found.group()[len(url) :]


def _spellings(text: str) -> list[str]:
    """As it is, and as JSON, Python, a shell and a web request write it between their quotes."""
    quoted = [
        text,
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        repr(text)[1:-1],
        text.replace("'", r"\'"),
        quote(text, safe=_URL_MARKS),
    ]
    return quoted + [spelled.replace("'", "'\"'\"'") for spelled in quoted]
