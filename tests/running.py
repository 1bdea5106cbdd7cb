"""Jobs that need neither MindSpore nor a command line, and stages made for tests."""

from __future__ import annotations

import os
import signal
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.context import Context
from pipeline.job.job import Job
from pipeline.running import preparation, runner
from pipeline.running.runner import Outcome
from pipeline.stage import Outlook, stage

DIGEST = "0123456789abcdef" * 4
COMMAND = "python run.py"


def make_archive(path: Path, content: str = "one") -> Path:
    """A zip of two small files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train/a.txt", content)
        archive.writestr("test/b.txt", content * 2)
    return path


def make_job(
    folder: Path,
    *,
    stages: tuple[str, ...] = ("fetch", "extract", "export"),
    url: str = "",
    mode: Mapping[str, Any] | None = None,
    cluster: Mapping[str, Any] | None = None,
    run: Mapping[str, Any] | None = None,
    digest: str = DIGEST,
) -> Job:
    """A valid job whose folders all lie in `folder`; its archive is made where none is named."""
    archive = url or str(folder / "source" / "set.zip")
    if not url and not Path(archive).exists():
        make_archive(Path(archive))
    transfer = {"parallel": 2, "retries": 0, "stall_s": 1.0}
    places = {name: str(folder / name) for name in ("data", "outputs", "exports")}
    mapping = {
        "seed": 1,
        "run": {"id": None, "fresh": False, **(run or {})},
        "cluster": {
            "name": "local",
            "data_dir": places["data"],
            "output_dir": places["outputs"],
            "export_url": places["exports"],
            "transfer": transfer,
            "priority": 100,
            "collects_output": False,
            "uploader": None,
            "world": {"rank": ["RANK_ID"], "size": ["RANK_SIZE"], "device": ["DEVICE_ID"]},
            "node_wait_s": 5.0,
            "launch": {},
            **(cluster or {}),
        },
        "dataset": {
            "name": "set",
            "classes": 2,
            "archives": [{"url": archive, "name": "set.zip"}],
            "loader": {"_target_": "tests.running.load"},
            "limits": {"bytes": 10_000_000, "members": 100, "ratio": 100.0},
        },
        "model": {"name": "net", "network": {"_target_": "tests.running.load"}},
        "mode": {"name": "try", "stages": list(stages), **(mode or {})},
        "device": {"target": "CPU", "precision": "O0", "workers": None, "env": {}},
        "platform": {},
        "root": folder,
    }
    return Job.model_validate(mapping).model_copy(update={"digest": digest})


def go(job: Job, config: Any = None) -> Outcome:
    """The job is run to its end."""
    return runner.run(job, command=COMMAND, config=config or {}, before_work=_say_nothing)


def _say_nothing(context: Context, decided: object) -> None:
    del context, decided


def context_of(job: Job) -> Context:
    """The job's context, with its run folder made."""
    context = preparation.prepare(job, COMMAND)
    context.folder.mkdir(parents=True, exist_ok=True)
    return context


def files_below(folder: Path) -> dict[str, bytes]:
    """Every file below, with its content, by relative path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def load() -> None:
    """A target that can be named."""


def _would_work(context: Context) -> Outlook:
    del context
    return Outlook("would work")


def _made_before(context: Context) -> Outlook:
    is_made = (context.folder / "result.txt").is_file()
    if not is_made:
        return Outlook("would make result.txt")
    return Outlook("made already", "done", facts={"size": 3}, metrics={"accuracy": 0.5})


@stage(look=_made_before)
def make(context: Context) -> None:
    """Leaves a result, a number and a fact."""
    with (context.folder / "count.txt").open("a", encoding="utf-8") as file:
        file.write("made\n")
    (context.folder / "result.txt").write_text("abc", encoding="utf-8")
    context.record(size=3)
    context.measured({"accuracy": 0.5})


@stage(look=_would_work)
def boom(context: Context) -> None:
    """Raises what somebody else's code might."""
    (context.folder / "half.txt").write_text("so far", encoding="utf-8")
    raise KeyError("https://host/a?Signature=word-for-tests")


@stage(look=_would_work)
def leave(context: Context) -> None:
    """Ends the process as if all were well."""
    del context
    raise SystemExit(0)


@stage(look=_would_work)
def interrupt(context: Context) -> None:
    """Is interrupted by a person."""
    (context.folder / "half.txt").write_text("so far", encoding="utf-8")
    raise KeyboardInterrupt


@stage(look=_would_work)
def terminate(context: Context) -> None:
    """Is interrupted by the system."""
    (context.folder / "half.txt").write_text("so far", encoding="utf-8")
    raise runner.Terminated


@stage(look=_would_work)
def run_out_of_time(context: Context) -> None:
    """Hears that the time budget is over, and would take longer than anybody waits."""
    del context
    os.kill(os.getpid(), signal.SIGALRM)
    time.sleep(30)


@stage(look=_would_work)
def measure_nothing(context: Context) -> None:
    """Finds numbers that are none, in every place where a stage may leave one."""
    context.measured({"accuracy": 0.5, "loss": float("nan")})
    context.record(ratio=float("inf"), path=context.folder)
    context.event("measured", loss=float("nan"))


@stage(look=_would_work, makes=("thing",), is_preparation=True)
def prepare_thing(context: Context) -> str:
    """Makes something for a later stage."""
    del context
    return "thing"


@stage(look=_made_before)
def use_thing(context: Context, thing: str) -> None:
    """Works with it, unless that was done before."""
    (context.folder / "result.txt").write_text(thing, encoding="utf-8")
