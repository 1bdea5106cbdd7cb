"""What can be told from a URL's text alone."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit, urlunsplit

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def is_url(text: str) -> bool:
    """Whether the text names a scheme, so that it is no plain path.

    >>> [is_url(text) for text in ("obs://bucket/a", "file:///a", "/bucket/a", "C:/a")]
    [True, True, False, False]
    """
    return _SCHEME.match(text) is not None


def scheme_of(text: str) -> str:
    """The scheme in small letters; empty for a plain path."""
    found = _SCHEME.match(text)
    return found.group(1).lower() if found else ""


def normalise(url: str) -> str:
    """The one spelling of a place; credentials and query stay, a final slash too.

    >>> [normalise(url) for url in ("s3:///bucket/a/", "file:///data/a%20b", "HTTP://Host/A?b=C")]
    ['obs://bucket/a/', '/data/a b', 'http://host/A?b=C']
    """
    scheme = scheme_of(url)
    rest = url[len(scheme) + 3 :] if scheme else url
    if scheme in ("obs", "s3"):
        return f"obs://{rest.lstrip('/')}"
    if scheme == "file":
        return unquote("/" + rest.partition("/")[2])
    if scheme in ("http", "https"):
        parts = urlsplit(url)
        user, at, host = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{user}{at}{host.lower()}", fragment=""))
    return url


def masked(url: str) -> str:
    """The URL for messages and records: no credentials, no query part.

    >>> masked("https://user:word@host/a.zip?signature=x"), masked("/a?b")
    ('https://host/a.zip', '/a?b')
    """
    if not is_url(url):
        return url
    head, _, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    # A password with a raw "?" makes the host uncertain, so that nothing of it is shown.
    user, _, host = place.rpartition("@")
    place = "***" if "?" in user else host.split("?")[0].split("#")[0]
    return f"{head}://{place}{slash}{re.split('[?#]', path)[0]}"


def split(url: str) -> tuple[str, str]:
    """The URL of an object as the root to open and the key below it.

    A signed URL's query goes with the root, so that the key can be shown. A URL that
    ends in a slash, or a bucket alone, is a root with the key "".

    >>> split("s3://bucket/a/b.zip"), split("https://host/a.zip?signature=x")
    (('obs://bucket/a', 'b.zip'), ('https://host?signature=x', 'a.zip'))
    """
    url = normalise(url)
    scheme = scheme_of(url)
    if scheme in ("http", "https"):
        parts = urlsplit(url)
        folder, _, key = parts.path.rpartition("/")
        # Of what is named by a query alone, the slash before it is a part.
        return urlunsplit(parts._replace(path=folder if key else parts.path)), key
    bare = url[len(scheme) + 3 :] if scheme else url
    folder, slash, key = bare.rpartition("/")
    if scheme:
        return (f"{scheme}://{folder}", key) if slash else (url, "")
    return folder or ("/" if slash else "."), key
