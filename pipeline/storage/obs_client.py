"""Huawei's SDK, set up from the environment: quiet, without retries of its own, TLS verified."""

from __future__ import annotations

import ipaddress
import os
import ssl
from typing import Any
from urllib.parse import urlsplit

from pipeline.errors import ConfigError, DependencyError, Mistake, StorageError
from pipeline.storage.network import READ_BYTES
from pipeline.storage.urls import is_url, masked

_REQUIRED = {
    "OBS_ENDPOINT": "set it to the region's address, such as https://obs.cn-north-4.myhuaweicloud.com",
    "OBS_ACCESS_KEY_ID": "set it to your access key's id (Huawei Cloud console, My Credentials)",
    "OBS_SECRET_ACCESS_KEY": "set it to the secret that belongs to OBS_ACCESS_KEY_ID",
}


def endpoint() -> str:
    """The address in OBS_ENDPOINT, fit for messages."""
    text = os.environ.get("OBS_ENDPOINT", "").strip().rstrip("/")
    return masked(text if is_url(text) else f"https://{text}")


def connect(url: str, *, stall_s: float) -> Any:
    """The SDK's client for the service in OBS_ENDPOINT; no connection is made yet.

    Raises:
        ConfigError: variables are not set; `url` is the place that needs them.
        DependencyError: the SDK is not installed.
    """
    _require_variables(url)
    try:
        import obs
    except ImportError as error:
        raise DependencyError(
            f"{url} needs Huawei's OBS SDK, which is not installed ({error}); "
            f"run: pip install esdk-obs-python"
        ) from error
    address = endpoint()
    client = obs.ObsClient(
        access_key_id=os.environ["OBS_ACCESS_KEY_ID"],
        secret_access_key=os.environ["OBS_SECRET_ACCESS_KEY"],
        security_token=os.environ.get("OBS_SECURITY_TOKEN") or None,
        server=address,
        path_style=_is_without_subdomains(urlsplit(address).hostname or ""),
        max_retry_count=0,
        timeout=stall_s,
        chunk_size=READ_BYTES,
    )
    if client.is_secure:
        # The SDK's own context checks no certificate, and with one given no host name.
        client.context = ssl.create_default_context()
    return client


def require_part(where: str, answer: Any, start_byte: int) -> None:
    """A partial answer is the part that was asked for.

    Raises:
        StorageError: it is another.
    """
    headers = {str(name).lower(): str(value) for name, value in answer.header}
    part = headers.get("content-range", "")
    if answer.status == 206 and not part.startswith(f"bytes {start_byte}-"):
        raise StorageError(
            f"{where}: answered the part {part[:40]!r} instead of the one from byte "
            f"{start_byte} on. Run the same command later; what has arrived is kept."
        )


def _require_variables(url: str) -> None:
    mistakes = [
        Mistake(name, f"is not set, but {url} needs it", remedy=remedy)
        for name, remedy in _REQUIRED.items()
        if not os.environ.get(name, "").strip()
    ]
    if not mistakes and not urlsplit(endpoint()).hostname:
        mistakes = [Mistake("OBS_ENDPOINT", "holds no address", remedy=_REQUIRED["OBS_ENDPOINT"])]
    if mistakes:
        raise ConfigError(mistakes)


def _is_without_subdomains(host: str) -> bool:
    """Whether a bucket cannot be asked for as `bucket.host`."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return True
