"""One POST of JSON, with small limits and one further try."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Mapping
from typing import Any

from pipeline.errors import HookError, StorageError
from pipeline.storage.http_opener import InsecureRedirectError, opener
from pipeline.storage.network import NETWORK_ERRORS, network_error, status_error

# Two tries and the pause between them fit into the time that a call has.
_SILENCE_S = 3.0
_PAUSE_S = 1.0
_TRIES = 2
_MOST_BYTES = 1 << 16


def post(url: str, body: Mapping[str, Any], *, who: str) -> str:
    """The answer to the body; tried once more where that may help.

    Raises:
        HookError: there was none, or its status is not 2xx.
    """
    problem: StorageError | None = None
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_PAUSE_S)
        try:
            return _ask(url, json.dumps(body, ensure_ascii=False).encode(), who)
        except StorageError as error:
            problem = error
            if not error.is_passing:
                break
    raise HookError(f"{problem}") from problem


def _ask(url: str, content: bytes, who: str) -> str:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    remedy = "Look at the address in the variable."
    try:
        request = urllib.request.Request(url, data=content, headers=headers, method="POST")
        with opener().open(request, timeout=_SILENCE_S) as answer:
            status, told = answer.status, answer.read(_MOST_BYTES)
    except InsecureRedirectError as error:
        raise HookError(f"{who}: it leads to {error.target}, without TLS. {remedy}") from error
    except NETWORK_ERRORS as error:
        raise network_error(who, error, stall_s=_SILENCE_S, remedy=remedy) from error
    if not 200 <= status < 300:
        raise status_error(who, status, remedy=remedy)
    return str(told.decode("utf-8", "replace"))
