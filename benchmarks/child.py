"""What is measured in a process of its own: python -m benchmarks.child NAME ARGUMENT...

Each prints the seconds of its work alone, and its own largest memory, as its last line.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.measure import own_peak_bytes

THREADS = 16


def extract(archive: str, folder: str) -> Callable[[], object]:
    """Ours."""
    from pipeline.archives import ArchiveLimits
    from pipeline.archives import extract as unpack

    limits = ArchiveLimits(bytes=10**12, members=10**7, ratio=1e6)
    return lambda: unpack(Path(archive), Path(folder), limits=limits)


def fetch_and_extract(archive: str, sha256: str, folder: str) -> Callable[[], object]:
    """Ours, from a local folder, one call after the other."""
    from pipeline.archives import ArchiveLimits
    from pipeline.archives import extract as unpack
    from pipeline.storage import open_storage
    from pipeline.transfer import Limits, download

    source, landing = Path(archive), Path(folder) / "downloads" / Path(archive).name
    storage = open_storage(str(source.parent), stall_s=8.0)
    limits = Limits(parallel=8, retries=3, stall_s=8.0)
    allowed = ArchiveLimits(bytes=10**12, members=10**7, ratio=1e6)

    def work() -> None:
        download(storage, source.name, landing, limits=limits, sha256=sha256)
        unpack(landing, Path(folder) / "out", limits=allowed)

    return work


def unpack_archive(archive: str, folder: str) -> Callable[[], object]:
    """Python's own."""
    if archive.endswith(".zip") or sys.version_info < (3, 12):
        return lambda: shutil.unpack_archive(archive, folder)
    return lambda: shutil.unpack_archive(archive, folder, filter="data")


def c2net() -> Callable[[], object]:
    """The platform's helper, told by the variables that the platform sets."""
    import moxing  # noqa: F401 - the stand-in, whose import is not c2net's work
    from c2net.context import prepare

    return prepare


def stat_all(folder: str) -> Callable[[], object]:
    """What looking at every file takes, without reading one."""
    return lambda: [path.stat() for path in Path(folder).rglob("*")]


def fetch_folder(url: str, folder: str, stall_s: str = "8.0") -> Callable[[], object]:
    """Ours, everything below a prefix."""
    from pipeline.storage import open_storage
    from pipeline.transfer import Limits, download_folder

    limits = Limits(parallel=THREADS, retries=3, stall_s=float(stall_s))
    storage = open_storage(url, stall_s=limits.stall_s)
    return lambda: download_folder(storage, "", Path(folder), limits=limits)


def fetch_file(url: str, path: str) -> Callable[[], object]:
    """Ours, one object."""
    from pipeline.storage import open_storage, split
    from pipeline.transfer import Limits, download

    limits = Limits(parallel=THREADS, retries=3, stall_s=8.0)
    root, key = split(url)
    storage = open_storage(root, stall_s=limits.stall_s)
    return lambda: download(storage, key, Path(path), limits=limits)


def sdk_folder(bucket: str, prefix: str, folder: str) -> Callable[[], object]:
    """Huawei's SDK: listed, then each object to its file, in threads."""
    client = _sdk()

    def fetch(key: str) -> None:
        path = Path(folder) / key
        path.parent.mkdir(parents=True, exist_ok=True)
        answer = client.getObject(bucket, key, downloadPath=str(path))
        if answer.status >= 300:
            raise OSError(f"{key}: {answer.status} {answer.errorCode}")

    def keys() -> list[str]:
        found: list[str] = []
        while True:
            page = client.listObjects(bucket, prefix, marker=found[-1] if found else None).body
            found += [item.key for item in page.contents]
            if not page.is_truncated:
                return found

    return lambda: _in_threads(fetch, keys())


def sdk_file(bucket: str, key: str, path: str, *options: str) -> Callable[[], object]:
    """Huawei's SDK: its own download in parts; options are the parts' bytes and the tasks."""
    client = _sdk()
    settings = dict(zip(("partSize", "taskNum"), map(int, options)))

    def fetch() -> None:
        answer = client.downloadFile(bucket, key, path, **settings)
        if answer.status >= 300:
            raise OSError(f"{key}: {answer.status} {answer.errorCode}")

    return fetch


def boto3_folder(bucket: str, prefix: str, folder: str) -> Callable[[], object]:
    """boto3: listed, then each object to its file, in threads."""
    client = _boto3()

    def fetch(key: str) -> None:
        path = Path(folder) / key
        path.parent.mkdir(parents=True, exist_ok=True)
        client.download_file(bucket, key, str(path))

    pages = client.get_paginator("list_objects_v2")

    def keys() -> list[str]:
        found = pages.paginate(Bucket=bucket, Prefix=prefix)
        return [item["Key"] for page in found for item in page["Contents"]]

    return lambda: _in_threads(fetch, keys())


def boto3_file(bucket: str, key: str, path: str) -> Callable[[], object]:
    """boto3: its transfer manager as it comes."""
    client = _boto3()
    return lambda: client.download_file(bucket, key, path)


def _in_threads(fetch: Callable[[str], None], keys: list[str]) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(fetch, keys))


def _sdk() -> Any:
    import obs

    return obs.ObsClient(
        access_key_id=os.environ["OBS_ACCESS_KEY_ID"],
        secret_access_key=os.environ["OBS_SECRET_ACCESS_KEY"],
        server=os.environ["OBS_ENDPOINT"],
        path_style=True,
    )


def _boto3() -> Any:
    import boto3
    from botocore.config import Config

    settings = Config(max_pool_connections=2 * THREADS, s3={"addressing_style": "path"})
    return boto3.client("s3", endpoint_url=os.environ["OBS_ENDPOINT"], config=settings)


_ALL: dict[str, Callable[..., Callable[[], object]]] = {
    work.__name__: work
    for work in (
        extract, fetch_and_extract, unpack_archive, c2net, stat_all, fetch_folder, fetch_file,
        sdk_folder, sdk_file, boto3_folder, boto3_file,
    )
}  # fmt: skip


def main(name: str, *arguments: str) -> None:
    """Does the work and tells how long it took; imports and preparations are not in it."""
    work = _ALL[name](*arguments)
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    told = {"seconds": seconds, "peak_bytes": _peak_bytes()}
    sys.stdout.write("\n" + json.dumps(told) + "\n")


def _peak_bytes() -> int:
    """Of this process alone: what the system tells others counts that of its parent too."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return own_peak_bytes()
    lines = dict(line.split(":", 1) for line in status.read_text("utf-8").splitlines())
    return int(lines["VmHWM"].split()[0]) * 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
