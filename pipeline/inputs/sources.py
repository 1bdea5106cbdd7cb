"""What lies at an input's source now, told cheaply, to be compared with what came from there.

A local file is known by size and time, an object by etag and size, a folder by the names, sizes
and etags (or times) of its files. Local sources are looked at whenever somebody wants to know;
a storage is asked only when a job really runs, once, and not again where it does not answer.

Nobody is asked about an input whose sha256 is declared and was found: it cannot be another one.
A folder of more than MOST_FILES files is not listed again, for listing 1.28 million objects takes
minutes: of a local one the time counts, one in a bucket is taken as its receipt describes it.
To have such a folder fetched anew, remove it.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Optional
from urllib.parse import urlsplit

from pipeline.inputs.receipts import fingerprint
from pipeline.storage import is_url, normalise, open_storage, split

# One page of a bucket's listing, and some milliseconds on a local disk.
MOST_FILES = 1000

# What tells versions apart, as JSON carries it; facts that are not known are left out.
Version = dict[str, Any]
Row = tuple[str, int, Any]


def local_path(url: str) -> Path | None:
    """Where the source lies on this machine, if it does."""
    place = normalise(url)
    return None if is_url(place) else Path(place)


def without_query(url: str) -> str:
    """The URL as far as it names a place; in a bucket, as on a disk, a "?" is part of the name.

    >>> without_query("https://host/set/?key=a/b"), without_query("obs://b/what?/")
    ('https://host/set/', 'obs://b/what?/')
    """
    is_web = url.lower().startswith(("http://", "https://"))
    return re.split("[?#]", url, maxsplit=1)[0] if is_web else url


def here(url: str) -> Version | None:
    """The version of a local source; None for what only a storage can tell, or is not there."""
    path = local_path(url)
    if path is None:
        return None
    try:
        found = fingerprint(path)
        listed = of_listing(_rows(path)) if path.is_dir() else found
    except OSError:
        return None
    return listed or {"mtime_ns": found["mtime_ns"]}


def now(url: str, *, is_folder: bool, stall_s: float) -> Version | None:
    """The version that the source tells of now; None if nothing lies there.

    Raises:
        StorageError: it did not answer; this is not tried again.
    """
    if local_path(url) is not None:
        return here(url)
    if is_folder:
        entries = open_storage(url, stall_s=stall_s).list("")
        return of_listing((entry.key, entry.size_bytes, entry.etag) for entry in entries)
    root, key = split(url)
    entry = open_storage(root, stall_s=stall_s).head(key)
    return None if entry is None else of_object(entry.size_bytes, entry.etag)


def of_object(size_bytes: int, etag: str) -> Version:
    """The version of an object; -1 bytes and an empty etag mean that the storage did not tell."""
    version: Version = {"size_bytes": size_bytes} if size_bytes >= 0 else {}
    return {**version, "etag": etag} if etag else version


def of_listing(rows: Iterable[Row]) -> Version | None:
    """The version of a folder by its files; None if there are none, or more than MOST_FILES."""
    listed = sorted(itertools.islice(rows, MOST_FILES + 1))
    if not listed or len(listed) > MOST_FILES:
        return None
    digest = hashlib.sha256(json.dumps(listed).encode()).hexdigest()[:16]
    return {"files": len(listed), "listing": digest}


def difference(before: Optional[Mapping[str, Any]], now: Optional[Mapping[str, Any]]) -> str:
    """In what two versions differ, in words; empty where nothing that both tell differs.

    >>> difference({"size_bytes": 7, "etag": "a"}, {"size_bytes": 13, "etag": "b"})
    '7 bytes before, 13 now'
    >>> difference({"size_bytes": 7, "mtime_ns": 1}, {"size_bytes": 7, "mtime_ns": 2})
    'written at another time'
    """
    words = {
        "size_bytes": "{0} bytes before, {1} now",
        "files": "number of files {0} before, {1} now",
        "etag": "etag {0} before, {1} now",
        "mtime_ns": "written at another time",
        "listing": "names, sizes or versions of its files are others",
    }
    for name, text in words.items():
        was, found = (before or {}).get(name), (now or {}).get(name)
        if was is not None and found is not None and was != found:
            return text.format(was, found)
    return ""


def is_comparable(before: Optional[Mapping[str, Any]], now: Optional[Mapping[str, Any]]) -> bool:
    """Whether two versions tell anything by which they might differ."""
    return bool((before or {}).keys() & (now or {}).keys())


def host_of(url: str) -> str:
    """What either answers or does not: the bucket, or the web server."""
    parts = urlsplit(normalise(url))
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _rows(folder: Path) -> Iterator[Row]:
    for place, _, names in os.walk(folder, followlinks=True):
        for name in names:
            path = Path(place, name)
            if path.is_file():
                status = path.stat()
                yield path.relative_to(folder).as_posix(), status.st_size, status.st_mtime_ns
