"""kill -9 at random instants of fetch and extract: nothing half is final, and a rerun finishes.

MINDRUN_KILLS=200 kills so often, in an archive of 20,000 files; without it the suite does a few in
a small one. Unlike test_kills.py these come from outside, also in the middle of a write.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.disk.files import is_temporary
from pipeline.inputs import receipts
from tests.jobs import ROOT
from tests.running import files_below
from tests.servers import WebServer, serving

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("MINDRUN_KILLS", "8"))
FILES = 20_000 if KILLS >= 100 else 1_000

# What a kill may hit: the job alone, without the time that a start takes.
RUN = """
import sys
from pathlib import Path
from tests.running import go, make_job
job = make_job(Path(sys.argv[1]), stages=("fetch", "extract"), url=sys.argv[2])
limits = job.dataset.limits.model_copy(update={"members": 100_000, "bytes": 1_000_000_000})
changes = {"limits": limits, "keep_archives": sys.argv[3] == "keep"}
job = job.model_copy(update={"dataset": job.dataset.model_copy(update=changes)})
print("begins", flush=True)
sys.exit(go(job).exit_code)
"""


@dataclass
class Case:
    """The archive, its members' digests, and the folder in which the job works."""

    content: bytes
    digests: dict[str, bytes]
    url: str
    folder: Path


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[str, bytes]]:
    """An archive of many small files, and what they hold."""
    draw, digests = random.Random(7), {}
    path = tmp_path_factory.mktemp("packed") / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(FILES):
            content = draw.randbytes(1500) + bytes(1500)
            archive.writestr(f"train/{number % 10}/{number}.jpg", content)
            digests[f"train/{number % 10}/{number}.jpg"] = hashlib.sha256(content).digest()
    return path.read_bytes(), digests


@pytest.fixture
def case(tmp_path: Path, packed: tuple[bytes, dict[str, bytes]]) -> Iterator[Case]:
    """The archive on a web server."""
    with serving(WebServer(files={"set.zip": packed[0]})) as web:
        yield Case(*packed, url=f"{web.url}/set.zip", folder=tmp_path)


def begun(case: Case, keep: str) -> subprocess.Popen:
    """A process that is about to begin with the job."""
    command = [sys.executable, "-c", RUN, str(case.folder), case.url, keep]
    run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert run.stdout is not None
    run.stdout.readline()
    run.stdout.close()
    return run


def assert_final_is_whole(case: Case) -> None:
    """Whatever has a final name holds every byte of the original."""
    data = case.folder / "data"
    for path in (data / "downloads").glob("*"):
        if not is_temporary(path.name):
            assert path.read_bytes() == case.content
    for folder in (data / "datasets").glob("*"):
        if not is_temporary(folder.name):
            found = {n: hashlib.sha256(c).digest() for n, c in files_below(folder).items()}
            assert found == case.digests


def assert_finishes(case: Case, keep: str) -> float:
    """The same job again ends with everything in place, and knows it; gives the seconds it took."""
    run = begun(case, keep)
    started = time.monotonic()

    assert run.wait(120) == 0
    duration_s = time.monotonic() - started
    assert_final_is_whole(case)
    (folder,) = (p for p in (case.folder / "data" / "datasets").glob("*") if p.name[0] not in "._")
    assert receipts.last(folder)["members"] == FILES
    assert (case.folder / "data" / "downloads" / "set.zip").exists() == (keep == "keep")
    return duration_s


def clear(case: Case) -> None:
    """Nothing is there, as on a new machine."""
    for name in ("data", "outputs"):
        shutil.rmtree(case.folder / name)


@pytest.mark.parametrize("keep", ["keep", "drop"])
def test_random_kills(case: Case, keep: str) -> None:
    """Killed again and again, often several times in a row, it never pretends and always ends."""
    draw = random.Random(len(keep))
    duration_s = assert_finishes(case, keep)
    clear(case)
    kills = 0

    while kills < KILLS // 2:
        run = begun(case, keep)
        time.sleep(draw.uniform(0, duration_s))
        run.send_signal(signal.SIGKILL)
        is_killed = run.wait() == -signal.SIGKILL
        kills += is_killed
        assert_final_is_whole(case)
        if not is_killed or draw.random() < 0.5:
            assert_finishes(case, keep)
            clear(case)

    assert_finishes(case, keep)
