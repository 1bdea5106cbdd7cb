"""Downloads from web servers: read-only, by the standard library, always with TLS verified."""

from __future__ import annotations

import contextlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from email.message import Message
from http.client import HTTPResponse
from pathlib import Path
from urllib.parse import quote, urlsplit

from pipeline.errors import ObjectMissingError, StorageError
from pipeline.storage.http_headers import (
    basic,
    entry_of,
    first_byte,
    length_of,
    require_plain,
    size_of_range,
    version_of,
)
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
        # The slash at the end of what is an object itself belongs to it.
        self._whole = f"{parts.scheme}://{host}{parts.path}"
        self._query = f"?{parts.query}" if parts.query else ""
        self._authorization = basic(user) if user else ""
        self._stall_s = stall_s

    def head(self, key: str) -> Entry | None:
        """What the server says of the key; asked by a one-byte GET where HEAD tells no size.

        A signature may be for GET alone, and some servers answer HEAD with any error, or
        with a length of 0.
        """
        with self._open(key, method="HEAD") as answer:
            length = str(answer.headers.get("Content-Length", ""))
            if answer.status < 300 and length.strip("0") and length.isascii() and length.isdigit():
                return entry_of(key, answer.headers, int(length))
        return self._head_by_get(key)

    def _head_by_get(self, key: str) -> Entry | None:
        try:
            with self._answer(key, headers={"Range": "bytes=0-0"}) as answer:
                if answer.status in (206, 416):
                    return entry_of(key, answer.headers, size_of_range(answer.headers))
                length = length_of(self._where(key), answer.headers)
                return entry_of(key, answer.headers, length)
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
            version = version_of(answer.headers)
            # Where the rest was not asked for on condition, only its version tells that it fits.
            is_trusted = not version and (start_byte == 0 or _is_conditional(answer, headers))
            if etag and version != etag and not is_trusted:
                raise ObjectChangedError(f"{where} has changed since it was begun; start over.")
            if answer.status == 416:
                self._require_end(where, answer.headers, start_byte)
                return
            if end_byte is not None and answer.status != 206:
                raise RangesRefusedError(f"{where}: the server sent the whole instead of a part.")
            begins_at = first_byte(where, answer.headers) if answer.status == 206 else 0
            if begins_at > start_byte:
                raise StorageError(f"{where}: answered another part than asked. {_LATER_REMEDY}")
            require_plain(where, answer.headers)
            chunks = body(
                answer.read1,
                skip_bytes=start_byte - begins_at,
                expected_bytes=length_of(where, answer.headers),
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
        self, key: str, *, headers: Mapping[str, str] | None = None
    ) -> Iterator[HTTPResponse]:
        """The server's answer to a GET, below 300 or 416, for reading; closed at the end."""
        with self._open(key, headers=headers) as answer:
            if answer.status >= 300 and answer.status != 416:
                remedy = _REMEDY if answer.status < 429 else _LATER_REMEDY
                raise status_error(self._where(key), answer.status, remedy=remedy)
            yield answer

    @contextlib.contextmanager
    def _open(
        self, key: str, *, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> Iterator[HTTPResponse]:
        """The server's answer of any status."""
        address = f"{self._root}/{key}" if key else self._whole
        request = urllib.request.Request(quote(address + self._query, safe=_SAFE), method=method)
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        if self._authorization:
            # Unredirected: another host must not see it.
            request.add_unredirected_header("Authorization", self._authorization)
        with self._naming_cause(self._where(key)):
            answer = opener().open(request, timeout=self._stall_s)
        with contextlib.closing(answer):
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
        except urllib.error.HTTPError as error:
            # Of the statuses only redirects get here, those that cannot be followed.
            error.close()
            raise RefusedError(
                f"{where}: answered {error.code}, redirecting in a circle or to nowhere that can "
                f"be followed. Open the URL in a browser and take the address it ends at."
            ) from None
        except (http.client.InvalidURL, UnicodeError) as error:
            raise RefusedError(
                f"{where}: is no URL that can be asked for ({type(error).__name__}). {_REMEDY}"
            ) from error
        except NETWORK_ERRORS as error:
            raise network_error(
                where, error, stall_s=self._stall_s, remedy=_NETWORK_REMEDY
            ) from error

    def _require_end(self, where: str, headers: Message, start_byte: int) -> None:
        """Nothing follows `start_byte` because the object ends there."""
        if size_of_range(headers) != start_byte:
            raise ObjectChangedError(f"{where} is shorter now than what was begun; start over.")


def _is_conditional(answer: HTTPResponse, headers: Mapping[str, str]) -> bool:
    """Whether the server sent a part, which it was asked for only of the version begun."""
    return answer.status in (206, 416) and "If-Range" in headers
