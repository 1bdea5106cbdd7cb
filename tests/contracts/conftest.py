"""The real OBS SDK against a real S3-compatible server on the loopback."""

from __future__ import annotations

import gc
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.moxing_double import moxing_double

_VARIABLES = {
    "OBS_ACCESS_KEY_ID": "access-key-for-tests",
    "OBS_SECRET_ACCESS_KEY": "secret-word-for-tests",
}


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="session")
def obs_endpoint() -> Iterator[str]:
    """The address of a server that has one bucket, `bucket`."""
    werkzeug_app = pytest.importorskip("moto.moto_server.werkzeug_app")
    moto = werkzeug_app.DomainDispatcherApplication(werkzeug_app.create_backend_app)

    def s3_alone(environ: dict[str, Any], start_response: Any) -> Any:
        # moto guesses the service from the signature's slashes, and a few signatures have four.
        if "HTTP_AUTHORIZATION" in environ:
            environ["HTTP_AUTHORIZATION"] = "AWS key:signature"
        return moto(environ, start_response)

    server = make_server("127.0.0.1", 0, s3_alone, threaded=True, request_handler=_Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    obs = pytest.importorskip("obs")
    client = obs.ObsClient("a", "b", server=address, signature="v2", path_style=True)
    assert client.createBucket("bucket").status < 300
    yield address
    server.shutdown()
    server.server_close()


@pytest.fixture
def sdk_leaves_sockets() -> Iterator[None]:
    """Closes the connections that the SDK forgets where sending fails."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def obs_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials in the environment, as a platform gives them."""
    monkeypatch.delenv("OBS_SECURITY_TOKEN", raising=False)
    for name, value in _VARIABLES.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def obs_environment(
    obs_endpoint: str, obs_credentials: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variables that open_storage needs to reach that server."""
    del obs_credentials
    monkeypatch.setenv("OBS_ENDPOINT", obs_endpoint)


@pytest.fixture
def moxing_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A stand-in for Huawei's moxing, and one bucket, `bucket`."""
    with moxing_double(tmp_path / "world", monkeypatch):
        yield
