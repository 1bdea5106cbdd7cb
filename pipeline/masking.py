"""Keeps credentials out of everything that people or files get to see."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

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
# A query goes on to the next blank, for a signature may hold quotes; what closes it is kept.
_URL_QUERY = re.compile(
    r"(?P<url>[a-zA-Z][a-zA-Z0-9+.-]*://[^\s\"'<>?]*)"
    r"\?[^\s\"<>]*?(?P<tail>['\])},;:.]*)(?=[\s\"<>]|$)"
)
_URL_USER = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)[^\s/\"'<>]+@")
# The name of a tokenizer is no secret.
_SECRET_NAME = re.compile(
    r"(?i)(secret|token(?!i[sz])|passw|credential|access_?key|api_?key|^ak$|^sk$)"
)


def mask(text: str) -> str:
    """The text without the query and user part of URLs, and without known credentials.

    >>> mask("got https://me:word@host/a.zip?Signature=abc&Expires=1 in 2 s")
    'got https://***@host/a.zip?*** in 2 s'
    """
    text = _URL_QUERY.sub(rf"\g<url>?{MASK}\g<tail>", text)
    text = _URL_USER.sub(rf"\g<scheme>{MASK}@", text)
    for name in SECRET_VARIABLES:
        value = os.environ.get(name, "")
        if len(value) >= 4:
            text = text.replace(value, MASK)
    return text


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
        return MASK if value and _SECRET_NAME.search(name) else mask(value)
    return value
