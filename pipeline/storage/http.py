"""Downloads from web servers: read-only, by the standard library, always with TLS verified."""

from __future__ import annotations

import base64
import contextlib
import email.utils
import urllib.request
from collections.abc import Iterator, Mapping
from email.message import Message
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from pipeline.errors import AccessDeniedError, ObjectMissingError, StorageError
from pipeline.storage.http_opener import InsecureRedirectError, opener
from pipeline.storage.network import (
    NETWORK_ERRORS,
    body,
    network_error,
    range_text,
    status_error,
)
from pipeline.storage.protocol import (
    Entry,
    ObjectChangedError,
    OnBytes,
    RangesRefusedError,
    RefusedError,
    ignore_bytes,
)
from pipeline.storage.urls import masked, normalise

# What may stand in a URL's path or query as it is; "%" because the text is quoted already.
_SAFE = "%/:?#[]@!$&'()*+,;=~"

_NETWORK_REMEDY = "Check the host's name in the URL and the network between here and there."
_REMEDY = "Check the URL; a signed link may have run out, then get a new one."
_LATER_REMEDY = "Run the same command later; what has arrived is kept."


class HttpStorage:
    """A web server's folder, read-only; the root's query goes with every request."""

    def __init__(self, url: str, *, stall_s: float) -> None:
        """Takes the root's credentials and query apart from what may be shown."""
        parts = urlsplit(normalise(url))
        self.url = masked(url).rstrip("/")
        user, _, host = parts.netloc.rpartition("@")
        self._root = f"{parts.scheme}://{host}{parts.path.rstrip('/')}"
        self._query = f"?{parts.query}" if parts.query else ""
        self._authorization = _basic(user) if user else ""
        self._stall_s = stall_s

    def head(self, key: str) -> Entry | None:
        """What the server says of the key; asked by a one-byte GET where HEAD is refused."""
        try:
            with self._answer(key, method="HEAD") as answer:
                if answer.headers.get("Content-Length"):
                    return _entry(key, answer.headers, int(answer.headers["Content-Length"]))
        except (RefusedError, AccessDeniedError):
            pass
        except ObjectMissingError:
            return None
        return self._head_by_get(key)

    def _head_by_get(self, key: str) -> Entry | None:
        try:
            with self._answer(key, headers={"Range": "bytes=0-0"}) as answer:
                whole = answer.headers.get("Content-Length", "-1")
                size = _size_of_range(answer.headers) if answer.status in (206, 416) else whole
                return _entry(key, answer.headers, int(size))
        except ObjectMissingError:
            return None

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Refused: web servers have no common way to list."""
        raise self._read_only(f"cannot list {prefix!r}")

    def get(
        self, key: str, *, start_byte: int = 0, end_byte: int | None = None, etag: str = ""
    ) -> Iterator[bytes]:
        """The object's bytes from `start_byte` on, to before `end_byte`."""
        where = self._where(key)
        # Only a strong validator says that parts fit together byte by byte.
        if end_byte is not None and not etag.startswith('"'):
            raise RangesRefusedError(
                f"{where}: the server names no version that tells parts apart."
            )
        asked = range_text(start_byte, end_byte)
        headers = {"Range": f"bytes={asked}"} if asked else {}
        # A weak validator in If-Range makes every server send the whole; it is compared below.
        if asked and etag and not etag.startswith("W/"):
            headers["If-Range"] = etag
        with self._answer(key, headers=headers) as answer:
            if etag and _version(answer.headers) not in ("", etag):
                raise ObjectChangedError(f"{where} has changed since it was begun; start over.")
            if answer.status == 416:
                self._require_end(where, answer.headers, start_byte)
                return
            if end_byte is not None and answer.status != 206:
                raise RangesRefusedError(f"{where}: the server sent the whole instead of a part.")
            first_byte = self._first_byte(where, answer) if answer.status == 206 else 0
            if first_byte > start_byte:
                raise StorageError(f"{where}: answered another part than asked. {_LATER_REMEDY}")
            chunks = body(
                answer.read1,
                skip_bytes=start_byte - first_byte,
                expected_bytes=int(answer.headers.get("Content-Length", "-1")),
                where=where,
            )
            with self._naming_cause(where):
                yield from chunks

    def put(self, key: str, path: Path, *, on_bytes: OnBytes = ignore_bytes) -> Entry:
        """Refused: web servers are read-only here."""
        del on_bytes
        raise self._read_only(f"cannot write {path.name} as {key!r}")

    def delete(self, key: str) -> None:
        """Refused: web servers are read-only here."""
        raise self._read_only(f"cannot delete {key!r}")

    def _read_only(self, attempt: str) -> RefusedError:
        return RefusedError(
            f"{self.url}: {attempt}; http and https places are read-only. "
            f"Use a folder or an obs:// URL."
        )

    def _where(self, key: str) -> str:
        return f"{self.url}/{key}" if key else self.url

    @contextlib.contextmanager
    def _answer(
        self, key: str, *, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> Iterator[HTTPResponse]:
        """The server's answer below 300, or 416, for reading; closed at the end."""
        address = f"{self._root}/{key}" if key else self._root
        request = urllib.request.Request(quote(address + self._query, safe=_SAFE), method=method)
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        if self._authorization:
            # Unredirected: another host must not see it.
            request.add_unredirected_header("Authorization", self._authorization)
        where = self._where(key)
        with self._naming_cause(where):
            answer = opener().open(request, timeout=self._stall_s)
        with contextlib.closing(answer):
            if answer.status >= 300 and answer.status != 416:
                remedy = _REMEDY if answer.status < 429 else _LATER_REMEDY
                raise status_error(where, answer.status, remedy=remedy)
            yield answer

    @contextlib.contextmanager
    def _naming_cause(self, where: str) -> Iterator[None]:
        try:
            yield
        except InsecureRedirectError as error:
            raise RefusedError(
                f"{where}: the server redirects to {error.target}, without TLS; refused. "
                f"Ask for a link that stays with https, or name the http:// URL yourself."
            ) from None
        except StorageError:
            raise
        except NETWORK_ERRORS as error:
            raise network_error(
                where, error, stall_s=self._stall_s, remedy=_NETWORK_REMEDY
            ) from error

    def _first_byte(self, where: str, answer: HTTPResponse) -> int:
        """Where a partial answer begins."""
        found = answer.headers.get("Content-Range", "").partition(" ")[2].partition("-")[0]
        if not found.isdigit():
            raise StorageError(f"{where}: answered a part without saying which. {_LATER_REMEDY}")
        return int(found)

    def _require_end(self, where: str, headers: Message, start_byte: int) -> None:
        """Nothing follows `start_byte` because the object ends there."""
        if _size_of_range(headers) != str(start_byte):
            raise ObjectChangedError(f"{where} is shorter now than what was begun; start over.")


def _size_of_range(headers: Message) -> str:
    size = str(headers.get("Content-Range", "")).rpartition("/")[2]
    return size if size.isdigit() else "-1"


def _entry(key: str, headers: Message, size_bytes: int) -> Entry:
    modified = headers.get("Last-Modified")
    seconds = email.utils.mktime_tz(parsed) if (parsed := _date(modified)) else None
    return Entry(key, size_bytes, _version(headers), seconds)


def _date(text: str | None) -> Any:
    return email.utils.parsedate_tz(text) if text else None


def _version(headers: Message) -> str:
    """What If-Range understands: the entity tag, else the date."""
    return str(headers.get("ETag") or headers.get("Last-Modified") or "")


def _basic(user: str) -> str:
    return "Basic " + base64.b64encode(unquote(user).encode()).decode("ascii")
