"""Signals and the time budget: who hears of them, when, and how the run ends then."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from pipeline import manifest
from pipeline.errors import StoppedEarlyError
from pipeline.processes import endings, stopping
from pipeline.processes.stopping import OutOfTime, Stop, Terminated
from tests.running import go, make_job

ROOT = Path(__file__).resolve().parent.parent


def signalled(number: int = signal.SIGTERM) -> None:
    """This process gets the signal, and has had the time to hear it."""
    os.kill(os.getpid(), number)
    time.sleep(0.01)


@pytest.mark.parametrize(
    ("number", "kind"), [(signal.SIGTERM, Terminated), (signal.SIGINT, KeyboardInterrupt)]
)
def test_a_signal_ends_work_that_does_not_ask(number: int, kind: type[BaseException]) -> None:
    """It is raised where the work stands, and the handlers from before come back."""
    before = signal.getsignal(number)

    with pytest.raises(kind), Stop().listening():
        signalled(number)

    assert signal.getsignal(number) == before


def test_work_that_asks_hears_of_it_and_ends_by_itself() -> None:
    """Nothing is raised until it has saved its state and says so."""
    told: list[int] = []

    def work(stop: Stop) -> None:
        told.append(stop.wanted_by())
        signalled()
        told.append(stop.wanted_by())
        raise StoppedEarlyError("its state is saved")

    with Stop().listening() as stop, pytest.raises(Terminated), stop.asked_for():
        work(stop)

    assert told == [0, signal.SIGTERM]


def test_a_signal_that_came_too_late_to_be_asked_for_is_not_lost() -> None:
    """Work that came to its end in spite of it is the last that is done."""
    with Stop().listening() as stop, pytest.raises(Terminated), stop.asked_for():
        signalled()


def test_the_reason_of_another_rank_is_everybodys() -> None:
    """Whoever has not heard of it itself ends as those that have, with their exit code."""
    with Stop(10).listening() as stop, pytest.raises(OutOfTime, match="10 min"), stop.asked_for():
        raise StoppedEarlyError("its state is saved", why=signal.SIGALRM)
    with Stop().listening() as stop, pytest.raises(Terminated), stop.asked_for():
        raise StoppedEarlyError("its state is saved", why=signal.SIGTERM)


def test_an_early_end_that_nobody_asked_for_is_an_error() -> None:
    """Nothing turns it into an interrupt."""
    with pytest.raises(StoppedEarlyError), Stop().asked_for():
        raise StoppedEarlyError("why?")


def test_a_second_signal_ends_what_the_first_did_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, unless it is the echo of the first."""
    said = []

    def work() -> None:
        signalled()
        signalled()
        said.append("goes on")
        monkeypatch.setattr(stopping, "_ECHO_S", 0.0)
        signalled(signal.SIGINT)
        said.append("should have ended")

    with Stop().listening() as stop, pytest.raises(KeyboardInterrupt), stop.asked_for():
        work()

    assert said == ["goes on"]


def test_the_budget_is_told_before_it_is_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the tenth that is kept back for saving and exporting."""
    began_s = time.monotonic()
    monkeypatch.setattr(stopping, "PROCESS_STARTED_S", began_s)
    set_s: list[float] = []
    monkeypatch.setattr(signal, "setitimer", lambda _, seconds: set_s.append(seconds))

    with Stop(0.1).listening():
        pass

    # Of 6 s a tenth is kept back; a busy machine comes here late.
    left_s, off_s = set_s
    assert began_s + 5.4 - time.monotonic() <= left_s <= 5.4
    assert off_s == 0
    monkeypatch.undo()
    with pytest.raises(OutOfTime, match=r"time budget of 0\.0001 min"), Stop(0.0001).listening():
        time.sleep(60)


def test_sending_ends_before_the_budget_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept back is for sending too, and an ending always has some seconds."""
    began_s = time.monotonic()
    monkeypatch.setattr(stopping, "PROCESS_STARTED_S", began_s)
    stop = Stop(10.0)
    stop.reason = OutOfTime()

    assert stop.send_until_s == began_s + 595
    monkeypatch.setattr(stopping, "PROCESS_STARTED_S", began_s - 1000)
    assert stop.send_until_s == pytest.approx(time.monotonic() + stopping.SEND_GRACE_S, abs=0.5)


def test_out_of_time_in_a_stage_that_does_not_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 75, status interrupted, what there is exported; the same job goes on."""
    stages = ("tests.running.make", "tests.running.run_out_of_time", "export")
    monkeypatch.setattr(stopping, "PROCESS_STARTED_S", time.monotonic())

    ended = go(make_job(tmp_path, stages=stages, mode={"time_budget_min": 60}))

    assert (ended.exit_code, ended.manifest.status) == (75, "interrupted")
    assert ended.manifest.error is not None
    assert ended.manifest.error.stage == "run_out_of_time"
    there = tmp_path / "exports" / ended.folder.name
    assert manifest.read(there) == ended.manifest
    assert (there / "result.txt").is_file()
    monkeypatch.setattr(stopping, "PROCESS_STARTED_S", time.monotonic())
    again = go(make_job(tmp_path, stages=("tests.running.make", "export")))
    assert (again.exit_code, again.manifest.status) == (0, "complete")


STUCK = """
    import ctypes, signal, sys
    from pathlib import Path
    from pipeline.processes import endings
    from pipeline.stage import Outlook, stage
    from tests.running import go, make_job

    endings.STEP_GRACE_S = 0.5

    @stage(look=lambda context: Outlook("would be stuck"))
    def stuck(context):
        path = context.folder / "half.txt"
        path.write_text("so far")
        context.saved(path)
        # The signal goes to another thread, and this one stays in C until it is over.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGALRM})
        # Said from within C: before, Python would hear the signal between two bytecodes.
        ctypes.CDLL(None).system(b"echo stuck; read nothing")

    sys.modules["mine"] = sys.modules["__main__"]
    mode = {"time_budget_min": float(sys.argv[2])} if len(sys.argv) > 2 else {}
    go(make_job(Path(sys.argv[1]), stages=("mine.stuck", "export"), mode=mode))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("budget", "number", "exit_code"),
    [((), signal.SIGTERM, 143), (("1",), signal.SIGALRM, 75)],
)
def test_a_stuck_main_thread_ends_in_time_with_what_was_saved(
    tmp_path: Path, budget: tuple[str, ...], number: signal.Signals, exit_code: int
) -> None:
    """The exported manifest says interrupted and names what lies there."""
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(STUCK), str(tmp_path), *budget],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"stuck\n"
    child.send_signal(number)

    assert child.wait(timeout=60) == exit_code
    child.communicate()
    (there,) = (tmp_path / "exports").iterdir()
    found = manifest.read(there)
    assert found is not None
    assert found.status == "interrupted"
    assert "half.txt" in [artifact.path for artifact in found.artifacts]
    assert manifest.is_intact(found, there)


def test_others_are_told_within_the_time_that_launchers_leave() -> None:
    """Without a signal nobody hurries; with one, the end is told before the watcher ends all."""
    stop = Stop()
    assert stop.tell_until_s == float("inf")

    before_s = time.monotonic()
    stop.note(signal.SIGTERM)
    until_s = stop.tell_until_s
    after_s = time.monotonic()

    assert before_s + stopping.TELLING_S <= until_s <= after_s + stopping.TELLING_S
    stop._noted_s -= stopping.TELL_GRACE_S
    assert stop.tell_until_s <= after_s
    assert stopping.SEND_GRACE_S < stopping.TELL_GRACE_S < endings.ALL_GRACE_S
