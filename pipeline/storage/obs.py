"""Huawei's object storage, through Huawei's own SDK."""

from __future__ import annotations

import contextlib
import email.utils
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError, MindRunError, Mistake, StorageError
from pipeline.storage.counted import Counted
from pipeline.storage.disk import naming_cause
from pipeline.storage.network import (
    NETWORK_ERRORS,
    body,
    network_error,
    range_text,
)
from pipeline.storage.obs_answers import accepted, bare, seconds, told
from pipeline.storage.obs_client import connect, endpoint, require_part
from pipeline.storage.protocol import (
    Entry,
    ObjectChangedError,
    OnBytes,
    RangesRefusedError,
    ignore_bytes,
)
from pipeline.storage.urls import masked, normalise

PART_BYTES = 64 << 20
PAGE_KEYS = 1000

# The most parts that one object may have.
_PARTS = 10_000


class ObsStorage:
    """A bucket, or a folder in one; the keys are those below it.

    Files above `part_bytes` are sent in parts, one after the other; a listing asks for
    `page_keys` at a time. Several threads may use one storage.
    """

    def __init__(
        self, url: str, *, stall_s: float, part_bytes: int = PART_BYTES, page_keys: int = PAGE_KEYS
    ) -> None:
        """Reads the service's address and the credentials from the environment.

        Raises:
            ConfigError: variables are not set, or the URL names no bucket.
            DependencyError: the SDK is not installed.
        """
        self.url = masked(normalise(url)).rstrip("/")
        self._bucket, _, folder = normalise(url)[len("obs://") :].partition("/")
        if not self._bucket or "@" in self._bucket:
            raise ConfigError(
                [Mistake(masked(url), "names no bucket", remedy="use obs://bucket/key")]
            )
        self._base = folder.rstrip("/") + "/" if folder.rstrip("/") else ""
        self._part_bytes = part_bytes
        self._page_keys = page_keys
        self._stall_s = stall_s
        self._client = connect(self.url, stall_s=stall_s)

    def head(self, key: str) -> Entry | None:
        """What lies under the key, or None; a bucket that does not exist is an error."""
        answer = self._asked(key, "getObjectMetadata", self._base + key)
        if answer.status == 404:
            # An answer without body does not tell a missing object from a missing bucket.
            self._require_bucket()
            return None
        found = self._told(key, answer)
        date = email.utils.parsedate_tz(found.lastModified or "")
        modified = email.utils.mktime_tz(date) if date else None
        return Entry(key, int(found.contentLength), bare(found.etag), modified)

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Every object whose key starts with this text, but for the markers of empty folders."""
        marker = None
        while True:
            place = {"prefix": self._base + prefix, "marker": marker, "max_keys": self._page_keys}
            answer = self._asked(prefix, "listObjects", **place)
            page = self._told(prefix, answer)
            for found in page.contents:
                key = found.key[len(self._base) :]
                if not key.endswith("/") and key:
                    yield Entry(key, int(found.size), bare(found.etag), seconds(found.lastModified))
            if not page.is_truncated:
                return
            # S3-compatible servers name the next marker only where there is a delimiter.
            marker = page.next_marker or page.contents[-1].key

    def get(
        self, key: str, *, start_byte: int = 0, end_byte: int | None = None, etag: str = ""
    ) -> Iterator[bytes]:
        """The object's bytes from `start_byte` on, to before `end_byte`."""
        from obs import GetObjectHeader

        asked = range_text(start_byte, end_byte)
        headers = GetObjectHeader(range=asked) if asked else None
        answer = self._asked(key, "getObject", self._base + key, headers=headers)
        where = self._where(key)
        if answer.status == 416:
            self._require_end(key, start_byte, etag)
            return
        found = self._told(key, answer)
        # Closing the SDK's wrapper alone leaves the socket open where not all was read.
        with contextlib.closing(found.response), contextlib.closing(found.response.result):
            if etag and bare(found.etag) != etag:
                raise ObjectChangedError(f"{where} has changed since it was begun; start over.")
            if end_byte is not None and answer.status != 206:
                raise RangesRefusedError(f"{where}: the service sent the whole instead of a part.")
            require_part(where, answer, start_byte)
            chunks = body(
                found.response.read1,
                skip_bytes=0 if answer.status == 206 else start_byte,
                expected_bytes=int(found.contentLength if found.contentLength is not None else -1),
                where=where,
            )
            with self._naming_cause(key):
                yield from chunks

    def put(self, key: str, path: Path, *, on_bytes: OnBytes = ignore_bytes) -> Entry:
        """The key holds the file as it was when this began."""
        with naming_cause(path), path.open("rb") as file:
            size_bytes = os.fstat(file.fileno()).st_size
            send = self._put_whole if size_bytes <= self._part_bytes else self._put_parts
            etag = send(key, Counted(file, on_bytes), size_bytes)
        return Entry(key, size_bytes, etag)

    def delete(self, key: str) -> None:
        """Nothing lies under the key."""
        answer = self._asked(key, "deleteObject", self._base + key)
        if answer.status == 404:
            self._require_bucket()
            return
        self._accepted(key, answer)

    def _put_whole(self, key: str, file: Counted, size_bytes: int) -> str:
        from obs import PutObjectHeader

        headers = PutObjectHeader(contentLength=size_bytes)
        answer = self._sent(
            key, "putContent", self._base + key, file.first(size_bytes), headers=headers
        )
        return bare(answer.etag)

    def _put_parts(self, key: str, file: Counted, size_bytes: int) -> str:
        from obs import CompleteMultipartUploadRequest, CompletePart

        begun = self._asked(key, "initiateMultipartUpload", self._base + key)
        upload_id = self._told(key, begun).uploadId
        part_bytes = max(self._part_bytes, math.ceil(size_bytes / _PARTS))
        parts = []
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(self._abandon, key, upload_id)
            for number, start_byte in enumerate(range(0, size_bytes, part_bytes), start=1):
                length = min(part_bytes, size_bytes - start_byte)
                chunk = file.first(length)
                part = (self._base + key, number, upload_id, chunk)
                answer = self._sent(key, "uploadPart", *part, partSize=length)
                parts.append(CompletePart(partNum=number, etag=answer.etag))
            whole = CompleteMultipartUploadRequest(parts=parts)
            answer = self._asked(key, "completeMultipartUpload", self._base + key, upload_id, whole)
            etag = bare(self._told(key, answer).etag)
            on_failure.pop_all()
        return etag

    def _abandon(self, key: str, upload_id: str) -> None:
        """Removes the parts; those that nobody completes are paid for until someone finds them."""
        with contextlib.suppress(StorageError):
            self._asked(key, "abortMultipartUpload", self._base + key, upload_id)

    def _sent(self, key: str, operation: str, *positional: Any, **named: Any) -> Any:
        """What is answered to a request with a body."""
        try:
            return self._told(key, self._asked(key, operation, *positional, **named))
        except StorageError as error:
            # A server that refuses closes the connection while we still send, and the SDK then
            # sees the broken connection instead of the answer; a request without body gets it.
            if isinstance(error.__cause__, ConnectionError):
                self._require_bucket()
            raise

    def _require_bucket(self) -> None:
        """The bucket exists and answers these credentials."""
        self._accepted("", self._asked("", "headBucket"))

    def _require_end(self, key: str, start_byte: int, etag: str) -> None:
        """Nothing follows `start_byte` because the object ends there."""
        found = self.head(key)
        if found is None or found.size_bytes != start_byte or (etag and found.etag != etag):
            raise ObjectChangedError(
                f"{self._where(key)} has changed since it was begun; start over."
            )

    def _where(self, key: str) -> str:
        return f"{self.url}/{key}" if key else self.url

    def _asked(self, key: str, operation: str, *positional: Any, **named: Any) -> Any:
        """The SDK's result of one operation on the bucket, of whatever status."""
        call: Callable[..., Any] = getattr(self._client, operation)
        with self._naming_cause(key):
            return call(self._bucket, *positional, **named)

    def _accepted(self, key: str, answer: Any) -> Any:
        return accepted(self._where(key), answer)

    def _told(self, key: str, answer: Any) -> Any:
        return told(self._where(key), answer)

    @contextlib.contextmanager
    def _naming_cause(self, key: str) -> Iterator[None]:
        try:
            yield
        except MindRunError:
            raise
        except NETWORK_ERRORS as error:
            remedy = f"Check OBS_ENDPOINT ({endpoint()}) and the network between here and there."
            raise network_error(
                self._where(key), error, stall_s=self._stall_s, remedy=remedy
            ) from error
