"""Two runs that need the same data at once: one brings and unpacks them, the other waits."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.jobs import ROOT
from tests.running import files_below
from tests.servers import WebServer, serving

pytestmark = pytest.mark.slow


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    """An archive of some files."""
    path = tmp_path / "source.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(50):
            archive.writestr(f"train/{number}.txt", f"{number}" * 1000)
    return path.read_bytes()


@pytest.fixture
def web(content: bytes) -> Iterator[WebServer]:
    """A server with the archive."""
    with serving(WebServer(files={"set.zip": content})) as found:
        yield found


def start(folder: Path, web: WebServer, *argv: str) -> subprocess.Popen:
    """A run of its own, whose data folder it shares with the others."""
    command = [
        sys.executable,
        "run.py",
        "mode.stages=[fetch,extract]",
        f"dataset.archives=[{{url: '{web.url}/set.zip', name: set.zip}}]",
        "cluster.transfer.stall_s=60",
        f"cluster.data_dir={folder}/data",
        f"cluster.output_dir={folder}/outputs",
        *argv,
    ]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def waiting(run: subprocess.Popen) -> str:
    """What it says until it says that it waits."""
    assert run.stderr is not None
    said = ""
    for line in run.stderr:
        said += line
        if "is at work on it; waiting" in line:
            break
    return said


def ended(run: subprocess.Popen) -> tuple[int, str]:
    """Its exit code, and what else it said."""
    _, said = run.communicate(timeout=120)
    return run.returncode, said


def hold_first_answer(web: WebServer, *, until: threading.Event) -> threading.Event:
    """The first GET is answered only when the event is set; tells when it has come."""
    has_come = threading.Event()

    def fault(_: WebServer) -> None:
        has_come.set()
        until.wait(60)

    web.faults.append(fault)
    return has_come


def bodies(web: WebServer) -> list[str]:
    """The GETs so far that began at the first byte."""
    return [h for h in web.gets() if h.get("Range", "bytes=0-").startswith("bytes=0-")]


def test_two_runs_share_one_download_and_one_unpacking(tmp_path: Path, web: WebServer) -> None:
    """Who came second says what it waits for, and finds everything done."""
    release = threading.Event()
    is_asked = hold_first_answer(web, until=release)
    first = start(tmp_path, web, "seed=1")
    assert is_asked.wait(60)
    second = start(tmp_path, web, "seed=2")
    waited = waiting(second)
    release.set()

    results = [ended(first), ended(second)]

    assert [code for code, _ in results] == [0, 0]
    assert len(bodies(web)) == 1
    assert f"fetching set.zip: another process (pid {first.pid} on " in waited
    said = "".join(text for _, text in results)
    assert len(re.findall(r"\bfetched set\.zip: ", said)) == 1
    assert len(re.findall(r"\bextracted set\.zip: ", said)) == 1


def test_two_runs_that_start_together(tmp_path: Path, web: WebServer, content: bytes) -> None:
    """Whoever is first, one fetches, one unpacks, and both finish."""
    runs = [start(tmp_path, web, f"seed={seed}") for seed in (1, 2)]

    results = [ended(run) for run in runs]

    assert [code for code, _ in results] == [0, 0]
    said = "".join(text for _, text in results)
    assert len(bodies(web)) == 1
    assert len(re.findall(r"\bextracted set\.zip: ", said)) == 1
    assert (tmp_path / "data" / "downloads" / "set.zip").read_bytes() == content
    assert len(files_below(tmp_path / "data" / "set")) == 50


def test_a_killed_owner_leaves_its_work_to_the_other(
    tmp_path: Path, web: WebServer, content: bytes
) -> None:
    """The one that waited goes on from what had arrived, and finishes."""
    web.faults.append(("stall", len(content) // 2))
    first = start(tmp_path, web, "seed=1")
    part = tmp_path / "data" / "downloads" / "set.zip.part"
    until_s = time.monotonic() + 60
    while not part.is_file() or part.stat().st_size < len(content) // 2:
        assert time.monotonic() < until_s
        time.sleep(0.05)
    second = start(tmp_path, web, "seed=2")
    waiting(second)

    first.send_signal(signal.SIGKILL)
    ended(first)
    code, said = ended(second)

    assert (code, "resum" in said) == (0, True)
    assert (tmp_path / "data" / "downloads" / "set.zip").read_bytes() == content
    assert len(files_below(tmp_path / "data" / "set")) == 50
