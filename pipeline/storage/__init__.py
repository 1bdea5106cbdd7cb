"""Places for files, chosen by URL: the local disk, Huawei OBS, web servers."""

from __future__ import annotations

from pipeline.errors import ConfigError, Mistake
from pipeline.storage.protocol import (
    BulkStorage,
    BusyError,
    Entry,
    ObjectChangedError,
    OnBytes,
    RangesRefusedError,
    RefusedError,
    Storage,
    ignore_bytes,
)
from pipeline.storage.urls import is_url, masked, normalise, scheme_of, split

__all__ = [
    "BulkStorage",
    "BusyError",
    "Entry",
    "ObjectChangedError",
    "OnBytes",
    "RangesRefusedError",
    "RefusedError",
    "Storage",
    "ignore_bytes",
    "is_url",
    "masked",
    "normalise",
    "open_storage",
    "split",
]


def open_storage(url: str, *, stall_s: float) -> Storage:
    """The place that the URL's scheme names; nothing is asked of it yet.

    Args:
        url: a plain path, or a URL with one of the schemes file, obs, s3, http, https.
        stall_s: after so many seconds in which nothing moves, an operation fails.

    Raises:
        ConfigError: the scheme is unknown, or a variable that the place needs is not set.
        DependencyError: the library that reaches the place is not installed.
    """
    url = normalise(url)
    scheme = scheme_of(url)
    if not scheme:
        from pipeline.storage.local import LocalStorage

        return LocalStorage(url)
    if scheme == "obs":
        from pipeline.storage.buckets import open_bucket

        return open_bucket(url, stall_s=stall_s)
    if scheme in ("http", "https"):
        from pipeline.storage.http import HttpStorage

        return HttpStorage(url, stall_s=stall_s)
    raise ConfigError(
        [
            Mistake(
                key=masked(url),
                problem=f"there is no storage for {scheme}://",
                remedy="use a plain path, file://, obs://, s3://, https:// or http://",
            )
        ]
    )
