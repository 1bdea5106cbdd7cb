"""Whatever its hooks do, a job ends as it would without them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pipeline.hooks import caller
from pipeline.job.job import Job
from pipeline.running.runner import Outcome
from tests.hooks.chat import chatting
from tests.running import go, make_job

HERE = Path(__file__).resolve().parents[2]
MADE = ("fetch", "extract", "tests.running.make", "export")
BROKEN = ("fetch", "extract", "tests.running.boom", "export")
KEY = "key-for-tests-0123456789"


def job_with(folder: Path, hooks: Mapping[str, Any], *, stages: tuple[str, ...] = MADE) -> Job:
    """A job that has these hooks."""
    plain = make_job(folder, stages=stages)
    return Job.model_validate(
        {**plain_mapping(plain), "hooks": dict(hooks), "root": HERE}
    ).model_copy(update={"digest": plain.digest})


def plain_mapping(job: Job) -> dict[str, Any]:
    """What the job was made from."""
    found = job.model_dump(mode="python")
    for part, name in (("dataset", "loader"), ("model", "network")):
        held = found[part][name]
        found[part][name] = {"_target_": held["target"], **held["arguments"]}
    for name in ("optimizer", "schedule", "loss", "metrics"):
        del found["mode"][name]
    # How several jobs are run is nothing to one of them.
    del found["sweep"]
    return found


def noting(path: Path, *when: str) -> dict[str, Any]:
    """A hook that keeps what it is told."""
    named = {"when": list(when)} if when else {}
    return {"_target_": "tests.hooks.telling.note", "path": str(path), **named}


def told(path: Path) -> list[dict[str, Any]]:
    """What the hook has kept."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def log_of(outcome: Outcome) -> str:
    """The run's log for people."""
    return (outcome.folder / "run.log").read_text("utf-8")


def test_start_and_end_are_told(tmp_path: Path) -> None:
    """One after the other, with all that there is to tell."""
    outcome = go(job_with(tmp_path, {"notes": noting(tmp_path / "told")}))

    start, end = told(tmp_path / "told")
    assert (start["event"], start["status"], start["exit_code"]) == ("start", "running", None)
    assert (end["event"], end["status"], end["exit_code"]) == ("end", "complete", 0)
    assert end["run_id"] == outcome.folder.name
    assert end["metrics"] == {"accuracy": 0.5}
    assert end["folder"] == str(outcome.folder)
    assert end["export_url"].endswith(f"exports/{outcome.folder.name}")
    assert end["command"] == "python run.py"
    assert end["host"]
    assert "WARNING" not in log_of(outcome)


def test_a_failure_is_told_with_its_cause(tmp_path: Path) -> None:
    """Only hooks that want to hear of it do; credentials are masked."""
    hooks = {
        "broken": noting(tmp_path / "broken", "failure"),
        "whole": noting(tmp_path / "whole", "end"),
    }

    outcome = go(job_with(tmp_path, hooks, stages=BROKEN))

    (news,) = told(tmp_path / "broken")
    assert (outcome.exit_code, news["exit_code"]) == (1, 1)
    assert (news["event"], news["status"]) == ("failure", "failed")
    assert news["stage"] == "boom"
    assert "https://host/a?***" in news["error"]
    assert not (tmp_path / "whole").exists()


@pytest.mark.parametrize(("stage", "exit_code"), [("interrupt", 130), ("terminate", 143)])
def test_an_interrupt_is_an_end(tmp_path: Path, stage: str, exit_code: int) -> None:
    """Not a failure; its status says what it was."""
    stages = ("fetch", "extract", f"tests.running.{stage}", "export")

    outcome = go(job_with(tmp_path, {"notes": noting(tmp_path / "told", "end")}, stages=stages))

    (news,) = told(tmp_path / "told")
    assert (outcome.exit_code, news["exit_code"]) == (exit_code, exit_code)
    assert news["status"] == "interrupted"


def test_a_finished_job_tells_nobody(tmp_path: Path) -> None:
    """Nothing begins, so that nothing ends."""
    job = job_with(tmp_path, {"notes": noting(tmp_path / "told")})
    go(job)
    before = len(told(tmp_path / "told"))

    outcome = go(job)

    assert outcome.was_done
    assert len(told(tmp_path / "told")) == before


@pytest.mark.slow
@pytest.mark.parametrize("stages", [MADE, BROKEN], ids=["whole", "broken"])
def test_bad_hooks_change_nothing(
    tmp_path: Path, stages: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code, metrics, error and artifacts are those without; each failure is one warning."""
    monkeypatch.setattr(caller, "LONGEST_S", 3.0)
    pids = tmp_path / "pids"
    hooks = {
        "raises": {"_target_": "tests.hooks.telling.fail", "when": "end"},
        "leaves": {"_target_": "tests.hooks.telling.leave", "when": ["end", "failure"]},
        "dies": {"_target_": "tests.hooks.telling.die", "when": ["end", "failure"]},
        "talks": {"_target_": "tests.hooks.telling.chatter", "when": ["start"]},
        "hangs": {"_target_": "tests.hooks.telling.hang", "when": ["start"], "path": str(pids)},
    }
    # So that they are one job, down to the configuration that lies with the run.
    plain = go(job_with(tmp_path / "plain", {}, stages=stages))

    outcome = go(job_with(tmp_path / "with", hooks, stages=stages))

    assert outcome.exit_code == plain.exit_code
    assert outcome.manifest.metrics == plain.manifest.metrics
    assert outcome.manifest.error == plain.manifest.error
    kept = [[a.path for a in o.manifest.artifacts] for o in (outcome, plain)]
    assert kept[0] == kept[1]
    warnings = [line for line in log_of(outcome).splitlines() if "WARNING" in line]
    named = sorted(line.split("hook ")[1].split()[0] for line in warnings)
    is_whole = stages is MADE
    assert named == (
        ["dies", "hangs", "leaves", "raises"] if is_whole else ["dies", "hangs", "leaves"]
    )
    text = "\n".join(warnings)
    assert "hook dies failed at" in text
    assert "killed by signal 9" in text
    assert "it did not end within 3 s" in text
    if is_whole:
        assert "ValueError: no way to tell of end at https://host/a?***" in text
    for pid in pids.read_text().split():
        assert_is_gone(int(pid))


def assert_is_gone(pid: int) -> None:
    """No such process runs, or soon will not."""
    until_s = time.monotonic() + 30
    while time.monotonic() < until_s:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        state = Path(f"/proc/{pid}/stat")
        if state.is_file() and state.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.1)
    raise AssertionError(f"{pid} still runs")


def test_an_address_is_known_as_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a hook prints or raises, the run folder and the export hold nothing of it."""
    monkeypatch.setenv("CHAT_FOR_TESTS", f"https://host.example/hook/{KEY}")
    hook = {"_target_": "tests.hooks.telling.reveal", "url_env": "CHAT_FOR_TESTS", "when": "start"}

    outcome = go(job_with(tmp_path, {"bad": hook}))

    assert "hook bad failed at start: OSError: *** refused ***" in log_of(outcome)
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


def test_a_missing_variable_is_told_at_the_start(tmp_path: Path) -> None:
    """A chat's address is not worth refusing a job for, but people hear of it before the hours."""
    hook = {
        "_target_": "pipeline.hooks.webhook.wecom",
        "url_env": "NO_SUCH_VARIABLE_HERE",
        "when": "end",
    }

    outcome = go(job_with(tmp_path, {"team": hook}))

    assert outcome.exit_code == 0
    lines = [line for line in log_of(outcome).splitlines() if "WARNING" in line]
    assert "NO_SUCH_VARIABLE_HERE, which its url_env names, is not set" in lines[0]
    assert "hook team failed at end: the variable NO_SUCH_VARIABLE_HERE is not set" in lines[1]


def test_a_chat_hears_of_a_whole_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The messages arrive in their order, and a refusal by the chat is a warning."""
    answers = (200, '{"errcode": 0}'), (200, '{"errcode": 45009, "errmsg": "too often"}')
    with chatting(*answers) as chat:
        monkeypatch.setenv("CHAT_FOR_TESTS", f"{chat.url}/send?key={KEY}")
        hook = {"_target_": "pipeline.hooks.webhook.wecom", "url_env": "CHAT_FOR_TESTS"}

        outcome = go(job_with(tmp_path, {"team": hook}))

    said = [body["text"]["content"].splitlines()[0] for _, body in chat.posts]
    assert said == ["MindRun: started", "MindRun: complete"]
    assert outcome.exit_code == 0
    assert "hook team failed at end: WeCom refused the message: errcode 45009" in log_of(outcome)
