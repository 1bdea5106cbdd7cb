"""Many processes of one job: node work, signals, ranks that fail, and whole jobs of two ranks."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.context import Context
from pipeline.errors import ConfigError, RunBusyError, StalledError, StorageError
from pipeline.processes import world
from pipeline.processes.world import World
from pipeline.running import following, nodework, preparation, runfolder
from pipeline.running.nodework import NodeWorkError
from pipeline.running.outcome import Terminated
from pipeline.stage import Outlook, Stage, stage
from tests.running import make_job

ROOT = Path(__file__).resolve().parent.parent
# Generous: on a busy machine MindSpore alone takes most of a minute to start.
LIMIT_S = 240
NAMES = {"rank": ["RANK_ID"], "size": ["RANK_SIZE"], "device": ["DEVICE_ID"]}


def context_in(folder: Path, **cluster: Any) -> Context:
    """The context of a small job below the folder, as one of two ranks."""
    job = make_job(folder, cluster=cluster)
    return preparation.prepare(job, "python run.py", here=World(1, 2))


def stage_of(work: Any, done: Any = lambda: False) -> Stage:
    """A node stage `fetch` that does this work and is done when `done` says so."""

    def look(context: Context) -> Outlook:
        del context
        return Outlook("it", "done" if done() else "todo", {"thing": "found"} if done() else {})

    @stage(look=look, makes=("thing",), runs_on="node")
    def fetch(context: Context) -> str:
        return str(work(context))

    return fetch


def test_a_world_is_read_from_variables() -> None:
    """Rank, size and device come from the cluster's table; none means alone."""
    assert world.read(NAMES, {}) == World(0, 1, None)
    assert world.read(NAMES, {"RANK_ID": "1", "RANK_SIZE": "8", "DEVICE_ID": "3"}) == World(1, 8, 3)


@pytest.mark.parametrize("variables", [{"RANK_ID": "x"}, {"RANK_ID": "2", "RANK_SIZE": "2"}])
def test_a_world_that_cannot_be_is_a_mistake(variables: dict[str, str]) -> None:
    """Text for a number, or a rank that is not below the size."""
    with pytest.raises(ConfigError, match=r"cluster\.world"):
        world.read(NAMES, variables)


def test_one_works_and_the_others_find_it_done(tmp_path: Path) -> None:
    """Two processes that need the same thing at once: the work is done once."""
    done: list[str] = []

    def work(_: Context) -> str:
        time.sleep(0.3)
        done.append("worked")
        return "made"

    fetch = stage_of(work, done=lambda: bool(done))
    results: list[dict[str, Any]] = []
    first = threading.Thread(
        target=lambda: results.append(nodework.share(context_in(tmp_path), fetch))
    )
    first.start()
    time.sleep(0.1)
    results.append(nodework.share(context_in(tmp_path), fetch))
    first.join()

    assert done == ["worked"]
    assert sorted(r["thing"] for r in results) == ["found", "made"]


def test_a_failure_is_everybodys(tmp_path: Path) -> None:
    """Who waited finds the record with the error; a later start tries for itself."""

    def fail(_: Context) -> str:
        raise StorageError("obs://b/k: answered 503")

    early = context_in(tmp_path)
    with pytest.raises(StorageError):
        nodework.share(context_in(tmp_path), stage_of(fail))

    with pytest.raises(NodeWorkError, match=r"obs://b/k: answered 503"):
        nodework.share(early, stage_of(lambda _: "not reached"))
    later = replace(early, started_s=time.time() + 1)
    assert nodework.share(later, stage_of(lambda _: "made")) == {"thing": "made"}


def test_the_wait_is_bounded_by_silence(tmp_path: Path) -> None:
    """A holder that moves is waited for; one that does not is given up, with the key to turn."""
    held, over = threading.Event(), threading.Event()

    def move_then_freeze(context: Context) -> str:
        with context.progress("fetch", None, "B") as advance:
            held.set()
            for _ in range(3):
                time.sleep(1.1)
                advance(1)
            over.wait(10)
        return "made"

    holder = threading.Thread(
        target=lambda: nodework.share(context_in(tmp_path), stage_of(move_then_freeze))
    )
    holder.start()
    held.wait()
    started = time.monotonic()

    with pytest.raises(StalledError, match=r"cluster\.node_wait_s"):
        nodework.share(context_in(tmp_path, node_wait_s=1.6), stage_of(move_then_freeze))

    assert time.monotonic() - started > 3.3
    over.set()
    holder.join()


def test_a_killed_holder_blocks_nobody(tmp_path: Path) -> None:
    """The kernel frees the lock of a process that was killed; the next one does the work."""
    context = context_in(tmp_path)
    lock = context.data_dir / f".{context.job.run_id}-fetch.lock"
    lock.parent.mkdir(parents=True)
    script = (
        "import sys, time; from filelock import FileLock; "
        "FileLock(sys.argv[1]).acquire(); print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", script, str(lock)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()
    threading.Timer(0.3, holder.kill).start()

    found = nodework.share(context, stage_of(lambda _: "made"))

    assert found == {"thing": "made"}
    holder.wait()
    holder.stdout.close()


def test_the_leader_warns_before_other_machines_give_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Machines whose data came sooner wait in HCCL for a limited time."""
    monkeypatch.setenv("HCCL_CONNECT_TIMEOUT", "0.2")
    logging.getLogger("pipeline").propagate = True

    nodework.share(context_in(tmp_path), stage_of(lambda _: time.sleep(0.4)))

    assert "HCCL_CONNECT_TIMEOUT" in caplog.text


def test_two_machines_each_do_their_own(tmp_path: Path) -> None:
    """Each has its own data folder, so that each fetches once."""
    done: list[str] = []
    fetch = stage_of(lambda context: done.append(str(context.data_dir)))

    for machine in ("one", "two"):
        nodework.share(context_in(tmp_path / machine), fetch)

    assert len(set(done)) == 2


@pytest.mark.mindspore
@pytest.mark.slow
def test_msrun_starts_the_same_job(tmp_path: Path) -> None:
    """Started by msrun the processes are ranks, and its scheduler does no work of the pipeline."""
    msrun = Path(sys.executable).with_name("msrun")
    if not msrun.exists():
        pytest.skip("this MindSpore came without msrun")
    places = [f"cluster.{n}={tmp_path / n}" for n in ("data_dir", "output_dir", "export_url")]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ours = ["--worker_num=2", "--local_worker_num=2", f"--master_port={port}", "--join=True"]
    command = [str(msrun), *ours, f"--log_dir={tmp_path / 'log'}", str(ROOT / "run.py")]
    environment = {**os.environ, "PATH": f"{msrun.parent}{os.pathsep}{os.environ['PATH']}"}

    done = subprocess.run(
        [*command, *places, "mode.epochs=2"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    log = (tmp_path / "log" / "worker_0.log").read_text(encoding="utf-8")
    assert done.returncode == 0, log + done.stderr
    manifest = manifest_in(tmp_path / "output_dir")
    assert (manifest["status"], manifest["launch"]["ranks"]) == ("complete", 2)
    assert len(list((tmp_path / "output_dir").glob("[!.]*"))) == 1


STUCK = """
    import ctypes, signal, sys
    from pathlib import Path
    from pipeline.processes import endings
    from pipeline.processes.endings import Watch
    from pipeline.processes.stopping import Stop

    endings.STEP_GRACE_S, endings.ALL_GRACE_S = 0.5, 3.0
    signal.signal(signal.SIGTERM, lambda *_: print("never", flush=True))
    written = Path(sys.argv[1])
    with Watch(lambda: written.write_text("interrupted"), lambda: None, Stop()):
        # The signal goes to another thread, and this one stays in C until it is over.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        # Said from within C: before, Python would hear the signal between two bytecodes.
        ctypes.CDLL(None).system(b"echo stuck; read nothing")
"""


def test_a_stuck_main_thread_does_not_keep_the_process(tmp_path: Path) -> None:
    """SIGTERM ends the run in the main thread's place: the record is written, the code is 143."""
    written = tmp_path / "manifest"
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(STUCK), str(written)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"stuck\n"

    child.terminate()

    assert child.wait(timeout=60) == 143
    assert written.read_text() == "interrupted"
    child.communicate()


AT_REST = """
    import os, signal, sys, time
    from pathlib import Path
    from pipeline.processes import endings
    from pipeline.processes.endings import Watch
    from pipeline.processes.stopping import Stop

    def take_over():
        written.write_text("interrupted")
        time.sleep(1)

    endings.STEP_GRACE_S = 1000
    signal.signal(signal.SIGTERM, lambda *_: None)
    stop, written = Stop(), Path(sys.argv[1])
    with Watch(take_over, lambda: written.write_text("given up"), stop):
        with stop.at_rest():
            os.kill(os.getpid(), signal.SIGTERM)
            while not written.exists():
                time.sleep(0.01)
        written.write_text("went on")
"""


def test_where_nothing_would_be_lost_no_step_is_waited_for(tmp_path: Path) -> None:
    """A signal while a graph is compiled ends the run at once, and nothing is done beside that."""
    written = tmp_path / "manifest"

    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(AT_REST), str(written)],
        cwd=ROOT,
        check=False,
        timeout=60,
    )

    assert ended.returncode == 143
    assert written.read_text() == "interrupted"


_STARTED: list[subprocess.Popen[str]] = []


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """A test that fails leaves no ranks at work, which would slow down all others."""
    yield
    while _STARTED:
        job = _STARTED.pop()
        # Its ranks follow it.
        job.kill()
        job.communicate()


def start(folder: Path, *argv: str, **variables: str) -> subprocess.Popen[str]:
    """A job of two ranks, at work below the folder."""
    places = [f"cluster.{n}={folder / n}" for n in ("data_dir", "output_dir", "export_url")]
    job = subprocess.Popen(
        [sys.executable, str(ROOT / "run.py"), "device.workers=2", *places, *argv],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**_outside_a_world(), **variables},
    )
    _STARTED.append(job)
    return job


def _outside_a_world() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k not in ("RANK_ID", "RANK_SIZE", "MS_ROLE")}


def manifest_in(folder: Path) -> dict[str, Any]:
    """The manifest of the only run below the folder."""
    found = next(folder.glob("*/manifest.json"))
    return dict(json.loads(found.read_text(encoding="utf-8")))


def children_of(pid: int) -> dict[str, int]:
    """The processes that it started, by their rank; the scheduler by its role."""
    found = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            environment = (status.parent / "environ").read_text().split("\0")
        except (OSError, ValueError):
            continue
        if parent == pid:
            told = dict(item.split("=", 1) for item in environment if "=" in item)
            name = "scheduler" if told.get("MS_ROLE") == "MS_SCHED" else told.get("RANK_ID", "?")
            found[name] = int(status.parent.name)
    return found


def wait_for(pattern: str, folder: Path, timeout_s: float = LIMIT_S) -> None:
    """Until such a file is there."""
    deadline = time.monotonic() + timeout_s
    while not list(folder.glob(pattern)):
        assert time.monotonic() < deadline, pattern
        time.sleep(0.1)


@pytest.mark.mindspore
@pytest.mark.slow
def test_two_ranks_train_as_well_as_one(tmp_path: Path) -> None:
    """One download, one record, one export, and an accuracy like that of one process."""
    job = start(tmp_path)
    output = job.communicate(timeout=LIMIT_S)[0]

    manifest = manifest_in(tmp_path / "output_dir")
    assert job.returncode == 0, output
    assert manifest["status"] == "complete"
    assert manifest["launch"]["ranks"] == 2
    assert manifest["metrics"]["accuracy"] >= 0.965
    assert manifest == manifest_in(tmp_path / "export_url")
    # Either rank may have fetched; a receipt was written once.
    receipts = tmp_path / "data_dir" / "downloads" / ".digits.zip.receipts.jsonl"
    assert len(receipts.read_text(encoding="utf-8").splitlines()) == 1
    assert "[WARNING]" not in output
    assert list((tmp_path / "export_url").glob("*/logs/rank-1.log"))


@pytest.mark.mindspore
@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds processes in /proc")
@pytest.mark.parametrize(("victim", "name"), [("1", "rank 1"), ("scheduler", "scheduler")])
def test_a_killed_process_ends_the_job_within_seconds(
    tmp_path: Path, victim: str, name: str
) -> None:
    """Exit code 1, the killed one named, what there is exported, nothing left running."""
    job = start(tmp_path, "mode.epochs=500")
    wait_for("output_dir/*/checkpoints/lenet5-2.json", tmp_path)
    crew = children_of(job.pid)
    started = time.monotonic()

    os.kill(crew[victim], signal.SIGKILL)
    output = job.communicate(timeout=LIMIT_S)[0]

    assert time.monotonic() - started < 60
    assert job.returncode == 1
    assert f"{name} was killed by signal 9" in output
    manifest = manifest_in(tmp_path / "output_dir")
    assert manifest["status"] == "failed"
    assert name in manifest["error"]["message"]
    assert manifest_in(tmp_path / "export_url")["status"] == "failed"
    assert [pid for pid in crew.values() if Path(f"/proc/{pid}").exists()] == []


ODD_LOADER = """
    import os, time


    class OddError(Exception):
        pass


    def load(folders, split, **ignored):
        if os.environ["RANK_ID"] == "1":
            raise OddError("the second rank sees no data: https://h/a?Signature=word-for-tests")
        time.sleep(120)
"""


@pytest.mark.mindspore
@pytest.mark.slow
def test_an_error_of_anybodys_in_a_following_rank_is_told(tmp_path: Path) -> None:
    """Its kind is known to nobody here: the rank's traceback is shown, the job ends at once."""
    (tmp_path / "odd.py").write_text(textwrap.dedent(ODD_LOADER), encoding="utf-8")
    started = time.monotonic()

    job = start(tmp_path, "dataset.loader._target_=odd.load", PYTHONPATH=str(tmp_path))
    output = job.communicate(timeout=LIMIT_S)[0]

    assert time.monotonic() - started < 90
    assert job.returncode == 1
    assert "OddError" in output
    assert "the second rank sees no data" in output
    told = json.loads(next(tmp_path.glob("output_dir/*/errors/rank-1.json")).read_text())
    assert "odd.py" in told["traceback"]


@pytest.mark.mindspore
@pytest.mark.slow
def test_ranks_start_anew_together(tmp_path: Path) -> None:
    """Every rank's log of the second attempt lies in the new folder, and none in a third."""
    for argv in ([], ["run.fresh=true"]):
        job = start(tmp_path, "mode.epochs=1", *argv)
        output = job.communicate(timeout=LIMIT_S)[0]
        assert job.returncode == 0, output

    folder = next((tmp_path / "output_dir").glob("*/manifest.json")).parent
    found = {path.name for path in (tmp_path / "output_dir").glob("[!.]*")}
    new = next(f for f in (tmp_path / "output_dir").glob("[!.]*") if ".old-" not in f.name)
    assert found == {new.name, f"{new.name}.old-1"}
    assert json.loads((new / "manifest.json").read_text(encoding="utf-8"))["attempt"] == 2
    for attempt in (new, folder.with_name(f"{new.name}.old-1")):
        log = (attempt / "logs" / "rank-1.log").read_text(encoding="utf-8")
        assert log.count("joined 2 ranks") == 1
    assert not list((tmp_path / "output_dir").glob(".*.rank-*"))


def test_a_run_at_work_is_not_started_twice(tmp_path: Path) -> None:
    """A second launcher names the first before any rank of its own touches the run."""
    folder = tmp_path / "run"
    with contextlib.ExitStack() as claims:
        claims.enter_context(runfolder.owned(folder, by_launcher=True))
        claims.enter_context(runfolder.owned(folder))
        with pytest.raises(RunBusyError, match=str(os.getpid())):
            claims.enter_context(runfolder.owned(folder, by_launcher=True))


def test_the_log_of_a_killed_rank_is_collected(tmp_path: Path) -> None:
    """What ranks that are alive write, or those of another machine, is left where it is."""
    context = preparation.prepare(make_job(tmp_path), "python run.py")
    mine = runfolder.place_of_rank(context.folder, 1)
    killed = mine.with_name(mine.name.replace(str(os.getpid()), "4194999"))
    elsewhere = mine.with_name(mine.name.replace(socket.gethostname(), "elsewhere"))
    for place in (mine, killed, elsewhere):
        place.mkdir(parents=True)
        (place / "rank-1.log").write_text(f"{place.name}\n")

    following.collect_logs(context)

    assert (context.folder / "logs" / "rank-1.log").read_text() == f"{killed.name}\n"
    assert (mine.exists(), killed.exists(), elsewhere.exists()) == (True, False, True)


def test_what_is_asked_to_end_is_no_failure_of_the_machine(tmp_path: Path) -> None:
    """Other starts that need the same data do the work in their turn."""

    def end(_: Context) -> None:
        raise Terminated

    early = context_in(tmp_path)
    with pytest.raises(Terminated):
        nodework.share(context_in(tmp_path), stage_of(end))

    assert nodework.share(early, stage_of(lambda _: "made")) == {"thing": "made"}


@pytest.mark.mindspore
@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds processes in /proc")
@pytest.mark.parametrize(
    ("number", "exit_code", "kind"),
    [
        (signal.SIGTERM, 143, "Terminated"),
        (signal.SIGINT, 130, "Terminated"),
        # The end of a time budget, of which one rank alone hears.
        (signal.SIGALRM, 75, "OutOfTime"),
    ],
)
def test_a_signal_reaches_all_ranks(
    tmp_path: Path, number: signal.Signals, exit_code: int, kind: str
) -> None:
    """The record says interrupted, nothing is left running, the same command would go on."""
    job = start(tmp_path, "mode.epochs=500", "mode.time_budget_min=60")
    wait_for("output_dir/*/checkpoints/lenet5-2.json", tmp_path)
    crew = children_of(job.pid)

    os.kill(crew["1"] if number == signal.SIGALRM else job.pid, number)
    said = job.communicate(timeout=LIMIT_S)[0]

    assert job.returncode == exit_code, said
    found = manifest_in(tmp_path / "export_url")
    assert (found["status"], found["error"]["type"]) == ("interrupted", kind)
    assert "resume" in said
    assert list((tmp_path / "export_url").glob("*/logs/rank-1.log"))
    assert [pid for pid in crew.values() if Path(f"/proc/{pid}").exists()] == []


@pytest.mark.slow
def test_a_fetch_that_fails_ends_all_ranks_soon(tmp_path: Path) -> None:
    """One tries, the other finds its failure; nobody waits for data that never come."""
    started = time.monotonic()
    missing = f"dataset.archives.0.url={tmp_path / 'missing.zip'}"

    job = start(tmp_path, missing, "mode.stages=[fetch,extract]")
    output = job.communicate(timeout=LIMIT_S)[0]

    assert time.monotonic() - started < 90
    assert job.returncode == 1
    assert "missing.zip" in output
    assert manifest_in(tmp_path / "output_dir")["status"] == "failed"


@pytest.mark.mindspore
@pytest.mark.slow
def test_two_machines_train_together(tmp_path: Path) -> None:
    """Each fetches into its own folders; one record is kept, every rank's log is exported."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    shared = {
        **os.environ,
        "MS_SCHED_HOST": "127.0.0.1",
        "MS_SCHED_PORT": port,
        "MS_WORKER_NUM": "2",
        "RANK_SIZE": "2",
    }
    command = [sys.executable, str(ROOT / "run.py"), "mode.epochs=2"]

    def launch(machine: str, **own: str) -> subprocess.Popen[str]:
        folder = tmp_path / machine
        folder.mkdir(exist_ok=True)
        places = [f"cluster.{n}={folder / n}" for n in ("data_dir", "output_dir")]
        return subprocess.Popen(
            [*command, *places, f"cluster.export_url={tmp_path / 'bucket'}"],
            cwd=folder,
            env={**shared, **own},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def launch_ranks() -> list[subprocess.Popen[str]]:
        return [
            launch(machine, MS_ROLE="MS_WORKER", RANK_ID=str(n), MS_NODE_ID=str(n), DEVICE_ID="0")
            for n, machine in enumerate(("one", "two"))
        ]

    scheduler = launch("one", MS_ROLE="MS_SCHED", RANK_ID="0")
    ranks = launch_ranks()
    outputs = [rank.communicate(timeout=LIMIT_S)[0] for rank in ranks]
    scheduler.terminate()
    scheduler.communicate(timeout=LIMIT_S)

    assert [rank.returncode for rank in ranks] == [0, 0], outputs
    for machine in ("one", "two"):
        receipts = tmp_path / machine / "data_dir" / "downloads" / ".digits.zip.receipts.jsonl"
        assert len(receipts.read_text(encoding="utf-8").splitlines()) == 1
    assert manifest_in(tmp_path / "bucket")["status"] == "complete"
    assert list((tmp_path / "bucket").glob("*/logs/rank-1.log"))
    assert not list((tmp_path / "two" / "output_dir").glob("*/manifest.json"))
    # Once more: the first knows that all is done, and tells the other.
    scheduler = launch("one", MS_ROLE="MS_SCHED", RANK_ID="0")
    again = launch_ranks()
    said = [rank.communicate(timeout=LIMIT_S)[0] for rank in again]
    scheduler.terminate()
    scheduler.communicate(timeout=LIMIT_S)
    assert [rank.returncode for rank in again] == [0, 0], said
    assert "already done" in said[0]


@pytest.mark.mindspore
@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds processes in /proc")
def test_ranks_end_when_their_launcher_is_killed(tmp_path: Path) -> None:
    """Kill -9 of run.py leaves no rank at work, so that the same command can go on."""
    job = start(tmp_path, "mode.epochs=500")
    wait_for("output_dir/*/checkpoints/lenet5-2.json", tmp_path)
    crew = children_of(job.pid)

    job.kill()
    job.communicate(timeout=LIMIT_S)

    deadline = time.monotonic() + 30
    ranks = [pid for name, pid in crew.items() if name != "scheduler"]
    while any(Path(f"/proc/{pid}").exists() for pid in ranks):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert manifest_in(tmp_path / "output_dir")["status"] == "interrupted"
    with contextlib.suppress(ProcessLookupError):
        os.kill(crew["scheduler"], signal.SIGTERM)
