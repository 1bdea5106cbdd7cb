"""A whole job against a server that fails: it ends well where it can, and in time where not."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.jobs import ROOT
from tests.running import files_below, make_archive
from tests.servers import WebServer, serving

pytestmark = pytest.mark.slow

ARCHIVES = 20


def run(folder: Path, web: WebServer, names: list[str]) -> subprocess.CompletedProcess:
    """The job that fetches and unpacks these files of the server."""
    archives = [{"url": f"{web.url}/{name}?Signature=word", "name": name} for name in names]
    command = [
        sys.executable,
        "run.py",
        "mode.stages=[fetch,extract]",
        f"dataset.archives={json.dumps(archives)}",
        "cluster.transfer.stall_s=1",
        f"cluster.data_dir={folder}/data",
        f"cluster.output_dir={folder}/outputs",
    ]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_a_job_outlives_a_server_that_often_fails(tmp_path: Path) -> None:
    """10 % of the answers are 503, 5 % are cut, some stall: all bytes arrive as they were."""
    names = [f"{number}.zip" for number in range(ARCHIVES)]
    contents = {name: random.Random(name).randbytes(20_000).hex() for name in names}
    files = {name: make_archive(tmp_path / name, contents[name]).read_bytes() for name in names}
    draw = random.Random(4)
    kinds = [503] * 10 + [("cut", 9_000)] * 5 + [("stall", 5_000)] * 2 + [None] * 83
    faults = [draw.choice(kinds) for _ in range(1000)]
    # Whatever is drawn, each kind comes early enough to be met.
    faults[1:8:3] = [503, ("cut", 9_000), ("stall", 5_000)]

    with serving(WebServer(files=files)) as web:
        web.faults.extend(faults)
        done = run(tmp_path, web, names)

    assert (done.returncode, "Trying again" in done.stderr) == (0, True)
    downloads = files_below(tmp_path / "data" / "downloads")
    assert {name: downloads[name] for name in names} == files
    for name, content in contents.items():
        unpacked = tmp_path / "data" / name.replace(".zip", "") / "train" / "a.txt"
        assert unpacked.read_text() == content


@pytest.mark.parametrize(
    ("fault", "cause"), [(503, "503"), (("cut", 9), r"bytes|ended|cut|broke"), (("stall", 9), " s")]
)
def test_a_server_that_always_fails_ends_the_job_in_time(
    tmp_path: Path, fault: object, cause: str
) -> None:
    """Exit code 1 within the limits, the URL and the cause named, nothing final left."""
    content = make_archive(tmp_path / "a.zip", "content" * 100).read_bytes()
    started = time.monotonic()

    with serving(WebServer(files={"a.zip": content}, every_fault=fault)) as web:
        done = run(tmp_path, web, ["a.zip"])

    assert time.monotonic() - started < 45
    assert done.returncode == 1
    failure = done.stderr[done.stderr.index("failed\n") :]
    assert f"{web.url}/a.zip" in failure
    assert any(word in failure for word in cause.split("|"))
    assert "word" not in done.stderr
    left = [p.name for p in (tmp_path / "data" / "downloads").glob("*") if ".part" not in p.name]
    assert [name for name in left if not name.startswith(".")] == []
