"""Whole trainings that are killed, stopped and refused: what was made is not lost.

`MINDRUN_KILLS=n` tries n kills in place of one.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline import publish
from pipeline.manifest import Manifest
from pipeline.transfer import Limits
from tests.bucket_server import Bucket, serving_bucket
from tests.servers import answering, closed_port
from tests.test_jobs import environment, manifest_of, rows_of, run_folder, sha256_of

pytestmark = [pytest.mark.mindspore, pytest.mark.slow]

ROOT = Path(__file__).resolve().parent.parent
EPOCHS = 20
# Generous: on a busy machine MindSpore alone takes most of a minute to start.
LIMIT_S = 300
# How soon really, `python -m benchmarks endings` measures where nothing else goes on.
SOON_S = 30
KILLS = int(os.environ.get("MINDRUN_KILLS", "1"))
LAST = f"checkpoints/lenet5-{EPOCHS}.ckpt"


class Job:
    """The default training with folders of its own; it may export to a bucket."""

    def __init__(self, folder: Path, bucket: Bucket | None = None, *arguments: str) -> None:
        self.folder, self.bucket = folder, bucket
        export_url = bucket.url if bucket else str(folder / "exports")
        self.line = [
            sys.executable,
            str(ROOT / "run.py"),
            f"cluster.data_dir={folder / 'data'}",
            f"cluster.output_dir={folder / 'outputs'}",
            f"cluster.export_url={export_url}",
            f"mode.epochs={EPOCHS}",
            *arguments,
        ]
        self.environment = environment(**(bucket.variables if bucket else {}))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """It runs."""
        return subprocess.Popen(
            [*self.line, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """It ran to its end."""
        return subprocess.run(
            [*self.line, *arguments],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
            env=self.environment,
        )

    @property
    def here(self) -> Path:
        """Its run folder."""
        return run_folder(self.folder)

    @property
    def there(self) -> Path:
        """Its local export place."""
        return self.folder / "exports" / self.here.name

    def exported(self, monkeypatch: pytest.MonkeyPatch) -> tuple[Manifest, list[str]]:
        """The manifest in its bucket, and what of it the bucket lacks."""
        assert self.bucket is not None
        for name, value in self.bucket.variables.items():
            monkeypatch.setenv(name, value)
        place = publish.open_place(self.bucket.url, self.here.name, Limits(4, 0, 5.0))
        found = publish.record_at(place)
        assert found is not None
        return found, publish.missing(place, found)

    def wait_for_epoch(self, process: subprocess.Popen[str], epoch: int) -> None:
        """Returns once the epoch is saved."""
        ends_s = time.monotonic() + LIMIT_S
        pattern = f"outputs/train-*/checkpoints/lenet5-{epoch}.json"
        while not list(self.folder.glob(pattern)) and process.poll() is None:
            assert time.monotonic() < ends_s
            time.sleep(0.01)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, str]:
    """A job that nothing happened to, and the digest of its last checkpoint."""
    job = Job(tmp_path_factory.mktemp("undisturbed"))
    done = job.run()
    assert done.returncode == 0, done.stderr
    return job, sha256_of(job.here / LAST)


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    """A bucket that behaves, to begin with."""
    with serving_bucket() as made:
        yield made


def leave(process: subprocess.Popen[str]) -> None:
    """The process is gone, as after kill -9."""
    process.kill()
    process.communicate()


def events_of(run: Path) -> list[dict[str, Any]]:
    """What happened in the run."""
    return [json.loads(line) for line in (run / "events.jsonl").read_text("utf-8").splitlines()]


def test_killed_and_its_machine_lost_it_ends_as_if_undisturbed(
    undisturbed: tuple[Job, str], tmp_path: Path
) -> None:
    """After kill -9 at any moment, with the exported copy alone, bit for bit."""
    moments = random.Random(KILLS)
    job, is_back = Job(tmp_path), False
    for _ in range(KILLS):
        process = job.start()
        job.wait_for_epoch(process, 1)
        time.sleep(moments.uniform(0.0, 4.0))
        leave(process)
        for name in ("data", "outputs"):
            shutil.rmtree(tmp_path / name)
        done = job.run()

        assert done.returncode == 0, done.stderr
        is_back = is_back or "bringing it back" in done.stderr
        assert sha256_of(job.here / LAST) == undisturbed[1]
        assert rows_of(job.here) == list(range(1, EPOCHS + 1))
        found = manifest_of(job.here)
        assert found["status"] == "complete"
        assert manifest_of(job.there) == found
        for artifact in found["artifacts"]:
            assert sha256_of(job.there / artifact["path"]) == artifact["sha256"]
        assert {"checkpoints/index.json", "metrics.jsonl"} <= {
            a["path"] for a in found["artifacts"]
        }
        shutil.rmtree(tmp_path / "outputs")
        shutil.rmtree(tmp_path / "exports")
    assert is_back


def test_bytes_sent_are_those_made(bucket: Bucket, tmp_path: Path) -> None:
    """Over 20 epochs at most 1.1 times what lies in the run folder; each checkpoint once."""
    job = Job(tmp_path, bucket)
    done = job.run()
    assert done.returncode == 0, done.stderr

    made_bytes = sum(a["size_bytes"] for a in manifest_of(job.here)["artifacts"])
    puts = [key for key, _ in bucket.puts if key.endswith(".ckpt")]
    assert len(puts) == len(set(puts)) >= EPOCHS
    assert made_bytes <= bucket.put_bytes() <= 1.1 * made_bytes


def test_sigterm_during_a_slow_upload(
    bucket: Bucket, undisturbed: tuple[Job, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends in time; the bucket's manifest says interrupted and names what is there."""
    bucket.bytes_per_s = 150_000
    job = Job(tmp_path, bucket)
    process = job.start()
    assert bucket.begun.wait(LIMIT_S)
    job.wait_for_epoch(process, 8)
    sent_s = time.monotonic()
    process.terminate()
    _, said = process.communicate(timeout=LIMIT_S)

    assert (process.returncode, time.monotonic() - sent_s < SOON_S) == (143, True), said
    found, missing = job.exported(monkeypatch)
    assert (found.status, missing) == ("interrupted", [])
    assert len(found.artifacts) < len([p for p in job.here.rglob("*.*") if p.is_file()])
    assert "resume" in said
    bucket.bytes_per_s = 0
    shutil.rmtree(tmp_path / "outputs")
    done = job.run()
    assert done.returncode == 0, done.stderr
    assert sha256_of(job.here / LAST) == undisturbed[1]
    assert job.exported(monkeypatch)[0].status == "complete"


def test_a_store_that_refuses_everything(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job trains to its end, says so once, and exits with 1; the rerun only uploads."""
    bucket.refuses_puts = True
    job = Job(tmp_path, bucket)

    failed = job.run()

    found = manifest_of(job.here)
    assert (failed.returncode, found["status"]) == (1, "failed"), failed.stderr
    assert found["error"]["stage"] == "export"
    assert rows_of(job.here) == list(range(1, EPOCHS + 1))
    assert failed.stderr.count("The job goes on") == 1
    before = sha256_of(job.here / LAST)
    bucket.refuses_puts = False

    done = job.run()

    assert done.returncode == 0, done.stderr
    again = manifest_of(job.here)
    worked = [stage["name"] for stage in again["stages"] if stage["status"] == "done"]
    assert worked == ["export"]
    assert sha256_of(job.here / LAST) == before
    assert job.exported(monkeypatch) == (Manifest.model_validate(again), [])


@pytest.mark.parametrize("is_silent", [False, True])
def test_sigterm_where_the_store_is_gone(tmp_path: Path, *, is_silent: bool) -> None:
    """Nobody listens, or nobody answers: training had gone on, and it ends in time."""
    with answering(None) as silent:
        job = Job(tmp_path, Bucket("obs://gone/results", silent))
        if not is_silent:
            job.environment["OBS_ENDPOINT"] = f"http://127.0.0.1:{closed_port()}"
        # It has looked there for an earlier start, and been patient.
        process = job.start("cluster.transfer.retries=0", "cluster.transfer.stall_s=2")
        job.wait_for_epoch(process, 3)
        sent_s = time.monotonic()
        process.terminate()
        _, said = process.communicate(timeout=LIMIT_S)

    assert (process.returncode, time.monotonic() - sent_s < SOON_S) == (143, True), said
    assert manifest_of(job.here)["status"] == "interrupted"
    assert said.count("The job goes on") == 1
    assert "could not be exported" in said


def test_a_time_budget_ends_with_75_and_the_same_command_goes_on(tmp_path: Path) -> None:
    """It saves, exports and says how to go on; each start has a budget of its own."""
    job = Job(tmp_path, None, "mode.epochs=5000", "mode.time_budget_min=60")

    def run_out_of_time(epoch: int) -> str:
        process = job.start()
        job.wait_for_epoch(process, epoch)
        # What the system sends when a budget is used up, however busy the machine is.
        process.send_signal(signal.SIGALRM)
        said = process.communicate(timeout=LIMIT_S)[1]
        assert process.returncode == 75, said
        return said

    first = run_out_of_time(1)
    epochs = len(rows_of(job.here))
    again = run_out_of_time(epochs + 1)

    assert "time budget of 60 min" in first
    assert re.search(r"resume +python .*run\.py.* .*mode.time_budget_min=60", first)
    assert f"resuming after epoch {epochs}" in again
    rows = rows_of(job.here)
    assert rows == list(range(1, len(rows) + 1))
    assert len(rows) > epochs > 0
    found = manifest_of(job.here)
    assert (found["status"], found["error"]["type"]) == ("interrupted", "OutOfTime")
    assert manifest_of(job.there) == found


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_digits_soon(tmp_path: Path, number: int, exit_code: int) -> None:
    """Saved, exported, and all that was made is there."""
    job = Job(tmp_path)
    process = job.start()
    job.wait_for_epoch(process, 3)
    sent_s = time.monotonic()
    process.send_signal(number)
    _, said = process.communicate(timeout=LIMIT_S)

    assert (process.returncode, time.monotonic() - sent_s < SOON_S) == (exit_code, True), said
    found = manifest_of(job.there)
    assert found["status"] == "interrupted"
    assert found["stages"][-1]["not_sent"] == []
    assert {p.name for p in job.there.glob("checkpoints/*")} == {
        p.name for p in job.here.glob("checkpoints/[!.]*")
    }


FILLING = """
import glob, resource, runpy, sys, threading, time
def fill():
    while not glob.glob(sys.argv[0] + "/*/checkpoints/lenet5-2.json"):
        time.sleep(0.01)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
sys.argv = sys.argv[1:]
threading.Thread(target=fill, daemon=True).start()
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_a_full_disk_keeps_the_last_good_checkpoint(
    undisturbed: tuple[Job, str], tmp_path: Path
) -> None:
    """When no checkpoint can be written any more: one clear error, exit 1; then it goes on."""
    job = Job(tmp_path)
    script = FILLING.replace("sys.argv[0] +", f"{str(tmp_path / 'outputs')!r} +")
    failed = subprocess.run(
        [sys.executable, "-c", script, "-", *job.line[1:]],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        env={**job.environment, "PYTHONPATH": str(ROOT)},
    )

    found = manifest_of(job.here)
    assert (failed.returncode, found["status"]) == (1, "failed"), failed.stderr
    assert found["error"]["type"] == "DiskFullError"
    assert "no disk space left while writing" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert (job.here / "checkpoints" / "lenet5-2.ckpt").is_file()
    done = job.run()
    assert done.returncode == 0, done.stderr
    assert "resuming" in done.stderr
    assert sha256_of(job.here / LAST) == undisturbed[1]
    assert [e for e in events_of(job.here) if e["event"] == "run_started"][1:]
