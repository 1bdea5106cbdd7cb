"""What the headers of web servers say, and what they must not."""

from __future__ import annotations

import base64
import email.utils
from email.message import Message
from typing import Any
from urllib.parse import unquote

from pipeline.errors import StorageError
from pipeline.storage.protocol import Entry, RefusedError


def length_of(where: str, headers: Message) -> int:
    """How long the answer's body is; -1 where that is not told.

    Raises:
        RefusedError: it is no number.
    """
    length = headers.get("Content-Length")
    if length is None:
        return -1
    if not (length.isascii() and length.isdigit()):
        raise RefusedError(
            f"{where}: answered a Content-Length of {length[:20]!r}, which is no number. "
            f"The server is broken; tell those who run it."
        )
    return int(length)


def size_of_range(headers: Message) -> int:
    """How big the object is of which the answer is a part; -1 where that is not told."""
    size = str(headers.get("Content-Range", "")).rpartition("/")[2]
    return int(size) if size.isascii() and size.isdigit() else -1


def first_byte(where: str, headers: Message) -> int:
    """Where a partial answer begins.

    Raises:
        StorageError: it does not say so.
    """
    found = str(headers.get("Content-Range", "")).partition(" ")[2].partition("-")[0]
    if not (found.isascii() and found.isdigit()):
        raise StorageError(
            f"{where}: answered a part without saying which. Run the same command later."
        )
    return int(found)


def require_plain(where: str, headers: Message) -> None:
    """The body is the object, not a packed form of it.

    Raises:
        RefusedError: the server has packed it.
    """
    encoding = str(headers.get("Content-Encoding") or "identity").lower()
    # Many servers name the packing of an archive itself that way.
    is_its_own = encoding in ("gzip", "x-gzip") and where.endswith((".gz", ".tgz"))
    if encoding != "identity" and not is_its_own:
        raise RefusedError(
            f"{where}: answered with Content-Encoding {encoding[:20]!r} though the bytes as they "
            f"are were asked for. Have the server send them so, or take another link."
        )


def entry_of(key: str, headers: Message, size_bytes: int) -> Entry:
    """The object that the headers speak of."""
    modified = headers.get("Last-Modified")
    seconds = email.utils.mktime_tz(parsed) if (parsed := _date(modified)) else None
    return Entry(key, size_bytes, version_of(headers), seconds)


def version_of(headers: Message) -> str:
    """What If-Range understands: the entity tag, else the date."""
    return str(headers.get("ETag") or headers.get("Last-Modified") or "")


def _date(text: str | None) -> Any:
    return email.utils.parsedate_tz(text) if text else None


def basic(user: str) -> str:
    """The Authorization header of a URL's `user:password`."""
    return "Basic " + base64.b64encode(unquote(user).encode()).decode("ascii")
