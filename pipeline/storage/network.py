"""How answers and failures of the network become our errors."""

from __future__ import annotations

import http.client
import socket
import ssl
import urllib.error
from collections.abc import Callable, Iterator

from pipeline.errors import AccessDeniedError, ObjectMissingError, StalledError, StorageError
from pipeline.storage.protocol import BusyError, RefusedError

READ_BYTES = 1 << 18

NETWORK_ERRORS = (OSError, http.client.HTTPException)


def network_error(where: str, error: BaseException, *, stall_s: float, remedy: str) -> StorageError:
    """The error for a connection that could not be made, or broke.

    `where` is what the message starts with and must hold no secret.
    """
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, BaseException):
        error = error.reason
    if isinstance(error, ssl.SSLCertVerificationError):
        return RefusedError(
            f"{where}: its TLS certificate is not trusted ({error.verify_message}); "
            f"a certificate of your own network goes into a file named by SSL_CERT_FILE. {remedy}"
        )
    # Until Python 3.10 a socket's timeout is no TimeoutError.
    if isinstance(error, (TimeoutError, socket.timeout)):
        return StalledError(f"{where}: nothing moved for {stall_s:g} s. {remedy}")
    if isinstance(error, socket.gaierror):
        return StorageError(f"{where}: the host's name cannot be resolved. {remedy}")
    if isinstance(error, ConnectionRefusedError):
        return StorageError(f"{where}: the connection was refused. {remedy}")
    return StorageError(f"{where}: the connection broke ({_cause(error)}). {remedy}")


def _cause(error: BaseException) -> str:
    """The failure's kind and, where the system names one, its reason; never a server's own text."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else ""
    return f"{type(error).__name__}: {reason}" if reason else type(error).__name__


def status_error(where: str, status: int, *, code: str = "", remedy: str) -> StorageError:
    """The error for an answer with this HTTP status; `code` is the server's own word for it."""
    answer = f"{where}: answered {status}" + (f" ({code})" if code else "")
    if status in (401, 403):
        return AccessDeniedError(f"{answer}, access denied. {remedy}")
    if status in (404, 410):
        return ObjectMissingError(f"{answer}, nothing is there. {remedy}")
    if status in (429, 503):
        return BusyError(f"{answer}, which may pass. {remedy}")
    if status in (408, 425) or (status >= 500 and status != 501):
        return StorageError(f"{answer}, which may pass. {remedy}")
    return RefusedError(f"{answer}. {remedy}")


def range_text(start_byte: int, end_byte: int | None) -> str:
    """What a Range header says for this stretch; empty for the whole object.

    >>> range_text(0, None), range_text(5, None), range_text(0, 10)
    ('', '5-', '0-9')
    """
    if not start_byte and end_byte is None:
        return ""
    return f"{start_byte}-" if end_byte is None else f"{start_byte}-{end_byte - 1}"


def body(
    read: Callable[[int], bytes], *, skip_bytes: int, expected_bytes: int, where: str
) -> Iterator[bytes]:
    """The bytes of an answer after the first `skip_bytes`, as they arrive.

    Raises:
        StorageError: it ended before `expected_bytes` (-1: not known) had come.
    """
    count_bytes = 0
    while chunk := read(READ_BYTES):
        count_bytes += len(chunk)
        chunk = chunk[max(0, skip_bytes - count_bytes + len(chunk)) :]
        if chunk:
            yield chunk
    if count_bytes < expected_bytes:
        raise StorageError(
            f"{where}: the connection ended after {count_bytes} of {expected_bytes} bytes. "
            f"The same command goes on from there."
        )
