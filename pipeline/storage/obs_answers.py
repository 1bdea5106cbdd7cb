"""What the OBS SDK gives back: judged by status, and read where it is spelled in its own way."""

from __future__ import annotations

import time
from typing import Any

from pipeline.errors import StorageError
from pipeline.storage.network import status_error
from pipeline.storage.obs_client import endpoint


def accepted(where: str, answer: Any) -> Any:
    """The answer, if the server did what it was asked.

    Raises:
        StorageError: it did not; `where` is what the message starts with.
    """
    if answer.status < 300:
        return answer
    code = str(answer.errorCode or "")
    remedy = f"Check OBS_ENDPOINT ({endpoint()}) and run the same command again."
    if answer.status in (401, 403):
        remedy = (
            "Check OBS_ACCESS_KEY_ID, OBS_SECRET_ACCESS_KEY and OBS_SECURITY_TOKEN, "
            "the rights they have on the bucket, and this computer's clock."
        )
    elif answer.status == 404:
        kind = "object" if code == "NoSuchKey" else "bucket"
        remedy = f"There is no such {kind}; check the URL and OBS_ENDPOINT ({endpoint()})."
    raise status_error(where, answer.status, code=code, remedy=remedy)


def told(where: str, answer: Any) -> Any:
    """What the answer says, if the server did what it was asked.

    Raises:
        StorageError: it did not, or what it said broke off.
    """
    body = accepted(where, answer).body
    if body is None:
        # The SDK makes nothing of an answer that it cannot parse.
        raise StorageError(f"{where}: the answer broke off. Run the same command again.")
    return body


def bare(etag: str | None) -> str:
    """The etag without the quotes that belong to HTTP."""
    return (etag or "").strip('"')


def seconds(local_time: str | None) -> float | None:
    """The SDK's own spelling of a time, which it has moved to the local time zone, since 1970."""
    try:
        return time.mktime(time.strptime(local_time or "", "%Y/%m/%d %H:%M:%S"))
    except ValueError:
        return None
