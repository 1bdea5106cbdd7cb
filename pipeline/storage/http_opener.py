"""How web servers are asked: redirects followed, but never out of TLS; every status handed on."""

from __future__ import annotations

import functools
import ssl
import urllib.request
from typing import IO, Any
from urllib.parse import urljoin

from pipeline.storage.urls import masked


class InsecureRedirectError(Exception):
    """A server sent us from https to somewhere without TLS."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.target = target


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects with the same method and headers, and never out of TLS."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Any,
        newurl: str,
    ) -> urllib.request.Request | None:
        """The request to follow with."""
        del fp, code, msg, headers
        target = urljoin(req.full_url, newurl)
        if req.type == "https" and not target.lower().startswith("https:"):
            raise InsecureRedirectError(masked(target))
        if not target.lower().startswith(("http:", "https:")):
            return None
        return urllib.request.Request(
            target.replace(" ", "%20"),
            headers=dict(req.headers),
            origin_req_host=req.origin_req_host,
            unverifiable=True,
            method=req.get_method(),
        )

    # Python 3.9 and 3.10 do not know it.
    http_error_308 = urllib.request.HTTPRedirectHandler.http_error_302


class _Answers(urllib.request.HTTPErrorProcessor):
    """Hands on answers of every status but redirects, which are followed."""

    def http_response(self, request: urllib.request.Request, response: Any) -> Any:
        """The answer itself, so that one place judges the status."""
        if response.status in (301, 302, 303, 307, 308):
            return super().http_response(request, response)
        return response

    https_response = http_response


@functools.cache
def opener() -> urllib.request.OpenerDirector:
    """What opens requests with TLS verified; read once, because certificates take their time."""
    context = ssl.create_default_context()
    return urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=context), _Redirects, _Answers
    )
