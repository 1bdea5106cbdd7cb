"""Whole jobs as a person starts them: `python run.py ...` in a process of its own."""

from __future__ import annotations

import hashlib
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

from tests.running import files_below, make_archive
from tests.servers import WebServer, closed_port, serving

ROOT = Path(__file__).resolve().parent.parent
EPOCHS = 3
TRAIN = (f"mode.epochs={EPOCHS}",)
NO_NETWORK = "mode.stages=[fetch,extract,export]"
SECRET = "Signature=word-for-tests"
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def command(folder: Path, *arguments: str) -> list[str]:
    """The command line whose folders all lie in `folder`."""
    places = [
        f"cluster.{key}={folder / name}"
        for key, name in (
            ("data_dir", "data"),
            ("output_dir", "outputs"),
            ("export_url", "exports"),
        )
    ]
    return [sys.executable, str(ROOT / "run.py"), *places, *arguments]


def environment(**variables: str) -> dict[str, str]:
    """This process's environment, and these; what the tests of OBS may have set is left out."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("OBS_")}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", **variables}


def run(folder: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """The job is run to its end."""
    options.setdefault("env", environment())
    return subprocess.run(
        command(folder, *arguments),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        **options,
    )


def start(folder: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """The job runs."""
    return subprocess.Popen(
        command(folder, *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        **options,
    )


def run_folder(folder: Path, mode: str = "train") -> Path:
    """The only run folder of this mode."""
    (found,) = (path for path in (folder / "outputs").glob(f"{mode}-*") if ".old-" not in path.name)
    return found


def manifest_of(run: Path) -> dict[str, Any]:
    """The run's manifest as JSON that knows no NaN."""

    def refuse(text: str) -> None:
        raise AssertionError(text)

    return dict(json.loads((run / "manifest.json").read_text("utf-8"), parse_constant=refuse))


def rows_of(run: Path) -> list[int]:
    """The epochs in metrics.jsonl."""
    lines = (run / "metrics.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["epoch"] for line in lines]


def sha256_of(path: Path) -> str:
    """The digest of the file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    """Waits until the file is there or the process has ended."""
    ends = time.monotonic() + 60
    while not path.exists() and process.poll() is None and time.monotonic() < ends:
        time.sleep(0.005)


def looks(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Time and content of every file below; taking a lock may touch it."""
    names = {name: content for name, content in files_below(folder).items() if ".lock" not in name}
    return {name: ((folder / name).stat().st_mtime_ns, c) for name, c in names.items()}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A folder with one finished training, and what was printed meanwhile."""
    folder = tmp_path_factory.mktemp("训练 one")
    return folder, run(folder, *TRAIN)


@pytest.fixture
def web() -> Iterator[WebServer]:
    """A web server on the loopback."""
    with serving(WebServer()) as server:
        yield server


@pytest.mark.mindspore
def test_the_default_job_leaves_what_it_says(trained: tuple[Path, Any]) -> None:
    """Complete manifest, digests true here and at the export place, rows 1 to N, plain times."""
    folder, done = trained
    here = run_folder(folder)
    there = folder / "exports" / here.name

    found = manifest_of(here)

    assert (done.returncode, found["status"], found["error"]) == (0, "complete", None)
    assert [s["status"] for s in found["stages"]] == ["done"] * 6
    assert (there / "manifest.json").read_bytes() == (here / "manifest.json").read_bytes()
    for artifact in found["artifacts"]:
        for place in (here, there):
            path = place / artifact["path"]
            assert (path.stat().st_size, sha256_of(path)) == (
                artifact["size_bytes"],
                artifact["sha256"],
            )
    assert {p for p in files_below(there)} == {p for p in files_below(here) if p[0] != "."}
    assert rows_of(here) == list(range(1, EPOCHS + 1))
    assert ISO.fullmatch(found["started"])
    assert ISO.fullmatch(found["finished"])
    for line in (here / "events.jsonl").read_text("utf-8").splitlines():
        assert ISO.fullmatch(json.loads(line)["time"])


@pytest.mark.mindspore
def test_results_go_to_standard_output_and_nothing_is_noise(trained: tuple[Path, Any]) -> None:
    """Elsewhere than on a terminal: no trailing blanks, no colours, nobody else's warnings."""
    folder, done = trained
    lines = done.stderr.splitlines()
    said = r"train: |fetched |extracted |built |compiled |trained |loaded |evaluated |exported "
    plan = r"(run|on|data|results|export|fetch|extract|build|train|evaluate) +\S|$"

    assert done.stdout.splitlines()[1] == "complete"
    assert f"results   {run_folder(folder)}" in done.stdout
    assert "mode=infer mode.checkpoint=" in done.stdout
    assert [line for line in lines if not re.match(said + "|" + plan, line)] == []
    assert [line for line in lines + done.stdout.splitlines() if line != line.rstrip()] == []
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.mindspore
def test_the_same_command_again_does_nothing(trained: tuple[Path, Any]) -> None:
    """Within seconds, with exit code 0, the age, the metric and the command that starts anew."""
    folder, _ = trained
    before, started = looks(folder), time.monotonic()

    again = run(folder, *TRAIN)

    assert again.returncode == 0
    assert time.monotonic() - started < 60
    assert looks(folder) == before
    assert re.search(r"already done: run \S+, finished .+ ago, accuracy 0\.\d{4}", again.stdout)
    assert "run.fresh=true" in again.stdout


@pytest.mark.mindspore
def test_the_plan_of_a_finished_job_says_why_nothing_is_done(trained: tuple[Path, Any]) -> None:
    """Every stage is skipped with its reason, and nothing is written."""
    folder, _ = trained
    before = looks(folder)

    plan = run(folder, *TRAIN, "plan")

    assert plan.returncode == 0
    assert plan.stdout.count("skipped: ") == 6
    assert f"{EPOCHS} epochs done" in plan.stdout
    assert plan.stderr == ""
    assert looks(folder) == before


@pytest.mark.mindspore
def test_a_chain_of_modes(trained: tuple[Path, Any], web: WebServer) -> None:
    """A training is evaluated by `latest`, inferred by file, trained on from a signed URL."""
    folder, _ = trained
    here = run_folder(folder)
    accuracy = manifest_of(here)["metrics"]["accuracy"]
    checkpoint = here / "checkpoints" / f"lenet5-{EPOCHS}.ckpt"
    web.files["weights/net.ckpt"] = checkpoint.read_bytes()
    signed = f"{web.url}/weights/net.ckpt?{SECRET}"

    evaluated = run(folder, "mode=evaluate", "mode.checkpoint=latest")
    inferred = run(folder, "mode=infer", f"mode.checkpoint={checkpoint}")
    went_on = run(folder, "mode=pretrain", "mode.epochs=1", "--text", f"mode.checkpoint={signed}")

    for done in (evaluated, inferred, went_on):
        assert done.returncode == 0, done.stderr
    for mode in ("evaluate", "infer", "pretrain"):
        assert "data:image/png" in (run_folder(folder, mode) / "report.html").read_text("utf-8")
    assert manifest_of(run_folder(folder, "evaluate"))["metrics"]["accuracy"] == accuracy
    inference = run_folder(folder, "infer")
    assert manifest_of(inference)["metrics"]["accuracy"] == accuracy
    assert (inference / "predictions.csv").read_text().count("\n") == 361
    assert run(folder, "mode=infer", f"mode.checkpoint={checkpoint}").stdout.startswith("already")
    assert manifest_of(run_folder(folder, "pretrain"))["metrics"]["train_accuracy"] > 0.5
    assert not any(SECRET.encode() in content for content in files_below(folder).values())
    assert SECRET not in went_on.stdout + went_on.stderr


@pytest.mark.mindspore
def test_killed_again_and_again_the_same_command_finishes(
    trained: tuple[Path, Any], tmp_path: Path
) -> None:
    """After kills at random moments the weights are those of an undisturbed run, bit for bit."""
    undisturbed = run_folder(trained[0]) / "checkpoints" / f"lenet5-{EPOCHS}.ckpt"
    moments = random.Random(7)
    for _ in range(8):
        process = start(tmp_path, *TRAIN)
        time.sleep(moments.uniform(0.3, 4.0))
        process.kill()
        process.communicate()
        for path in (tmp_path / "outputs").glob("train-*/checkpoints/*.json"):
            json.loads(path.read_text("utf-8"))

    done = run(tmp_path, *TRAIN)

    here = run_folder(tmp_path)
    found = manifest_of(here)
    assert (done.returncode, found["status"]) == (0, "complete")
    assert sha256_of(here / "checkpoints" / f"lenet5-{EPOCHS}.ckpt") == sha256_of(undisturbed)
    assert rows_of(here) == list(range(1, EPOCHS + 1))
    assert set(found["metrics"]) == {"accuracy", "loss", "train_accuracy", "train_loss"}
    left = [path.name for path in (tmp_path / "data" / "downloads").iterdir()]
    assert [name for name in left if name[0] != "."] == ["digits.zip"]


@pytest.mark.mindspore
def test_a_job_goes_on_where_only_its_export_is_left(
    trained: tuple[Path, Any], tmp_path: Path
) -> None:
    """Stopped on a machine that is gone, it ends elsewhere as if undisturbed, bit for bit."""
    undisturbed = run_folder(trained[0]) / "checkpoints" / f"lenet5-{EPOCHS}.ckpt"
    process = start(tmp_path, *TRAIN)
    while process.poll() is None and not list(tmp_path.glob("outputs/*/checkpoints/lenet5-2.json")):
        time.sleep(0.01)
    process.terminate()
    _, said = process.communicate(timeout=30)
    assert process.returncode == 143, said
    for name in ("outputs", "data"):
        shutil.rmtree(tmp_path / name)

    done = run(tmp_path, *TRAIN)

    here = run_folder(tmp_path)
    assert (done.returncode, manifest_of(here)["status"]) == (0, "complete"), done.stderr
    assert "bringing it back" in done.stderr
    assert sha256_of(here / "checkpoints" / f"lenet5-{EPOCHS}.ckpt") == sha256_of(undisturbed)
    assert rows_of(here) == list(range(1, EPOCHS + 1))


@pytest.mark.mindspore
@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_training(tmp_path: Path, number: int, exit_code: int) -> None:
    """Soon after, what there is is exported as interrupted; the same command goes on from there."""
    process = start(tmp_path, "mode.epochs=40")
    states = tmp_path / "outputs"
    wait_for(states, process)
    while process.poll() is None and not list(states.glob("*/checkpoints/lenet5-2.json")):
        time.sleep(0.01)
    sent = time.monotonic()
    process.send_signal(number)
    _, said = process.communicate(timeout=120)

    here = run_folder(tmp_path)
    there = tmp_path / "exports" / here.name
    assert process.returncode == exit_code, said
    assert time.monotonic() - sent < 30
    assert manifest_of(here)["status"] == "interrupted"
    assert (there / "manifest.json").read_bytes() == (here / "manifest.json").read_bytes()
    assert (there / "checkpoints" / "lenet5-2.ckpt").is_file()
    assert "Traceback" not in said
    assert "resume" in said


@pytest.mark.mindspore
def test_a_loss_that_explodes(tmp_path: Path) -> None:
    """A NaN loss fails the run with its cause, log and resume command, and is exported as such."""
    failed = run(tmp_path, "mode.epochs=5", "mode.learning_rate=1e9", "run.fresh=true")

    here = run_folder(tmp_path)
    found = manifest_of(here)
    assert (failed.returncode, found["status"]) == (1, "failed")
    assert (found["error"]["type"], found["error"]["stage"]) == ("TrainingError", "train")
    assert "learning rate" in failed.stderr
    assert str(here / "run.log") in failed.stderr
    resume = next(line for line in failed.stderr.splitlines() if line.lstrip().startswith("resume"))
    assert "run.py" in resume
    assert "run.fresh" not in resume
    assert "Traceback" not in failed.stderr + failed.stdout
    assert "Traceback" in (here / "run.log").read_text("utf-8")
    assert manifest_of(tmp_path / "exports" / here.name) == found


@pytest.mark.mindspore
def test_a_loader_that_raises(tmp_path: Path) -> None:
    """Somebody else's exception is named with its type, without a traceback on the terminal."""
    (tmp_path / "mine.py").write_text(
        "def load(folders, split, size):\n    raise LookupError('no such column')\n"
    )
    place = {"PYTHONPATH": str(tmp_path)}

    failed = run(tmp_path, "dataset.loader._target_=mine.load", env=environment(**place))

    assert failed.returncode == 1
    assert "LookupError: no such column" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert not (tmp_path / "exports").exists()


@pytest.mark.slow
def test_plan_knows_neither_mindspore_nor_the_network(tmp_path: Path) -> None:
    """The plan of a job whose data lie on a dead server is made, and leaves nothing behind."""
    archive = f"{{url: 'http://127.0.0.1:{closed_port()}/a.zip', name: a.zip}}"
    code = (
        "import sys; from pipeline import cli; from pathlib import Path\n"
        f"code = cli.main(sys.argv[1:], Path({str(ROOT)!r}))\n"
        "print('mindspore' in sys.modules, code)"
    )
    arguments = command(tmp_path, "plan", f"dataset.archives=[{archive}]")[2:]

    plan = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )

    assert plan.stdout.splitlines()[-1] == "False 0"
    assert "would fetch it from" in plan.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_signed_url_is_fetched_and_kept_to_itself(tmp_path: Path, web: WebServer) -> None:
    """The query reaches the server, and no output or file of ours."""
    web.files["set.zip"] = make_archive(tmp_path / "source" / "set.zip").read_bytes()
    archive = f"dataset.archives=[{{url: '{web.url}/set.zip?{SECRET}', name: set.zip}}]"

    done = run(tmp_path, NO_NETWORK, archive)

    assert done.returncode == 0, done.stderr
    assert any(SECRET in path for _, path, _ in web.requests)
    assert SECRET not in done.stdout + done.stderr
    assert not any(SECRET.encode() in content for content in files_below(tmp_path).values())
    assert run(tmp_path, NO_NETWORK, archive).stdout.startswith("already done")


@pytest.mark.slow
@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_fetching(
    tmp_path: Path, web: WebServer, number: int, exit_code: int
) -> None:
    """A download that stands still is left at once, nothing passes for whole, and it goes on."""
    web.files["set.zip"] = make_archive(tmp_path / "source" / "set.zip").read_bytes()
    web.faults.append(("stall", 20))
    archive = f"dataset.archives=[{{url: '{web.url}/set.zip', name: set.zip}}]"
    process = start(tmp_path, NO_NETWORK, archive)
    wait_for(tmp_path / "data" / "downloads" / "set.zip.part", process)
    process.send_signal(number)
    _, said = process.communicate(timeout=10)

    (here,) = (tmp_path / "outputs").glob("train-*")
    assert process.returncode == exit_code, said
    assert manifest_of(here)["status"] == "interrupted"
    assert not (tmp_path / "data" / "downloads" / "set.zip").exists()
    assert not (tmp_path / "exports").exists()
    assert run(tmp_path, NO_NETWORK, archive).returncode == 0


@pytest.mark.slow
def test_a_reader_that_leaves_does_not_stop_the_job(tmp_path: Path) -> None:
    """With nobody left to read what is said, the job is done all the same."""
    process = start(tmp_path, NO_NETWORK)
    for stream in (process.stdout, process.stderr):
        assert stream is not None
        stream.close()

    assert process.wait(timeout=30) == 0
    (here,) = (tmp_path / "outputs").glob("train-*")
    assert manifest_of(here)["status"] == "complete"


@pytest.mark.slow
def test_two_at_once(tmp_path: Path, web: WebServer) -> None:
    """The second is refused by the first's pid, and a killed first frees the run."""
    web.files["set.zip"] = make_archive(tmp_path / "source" / "set.zip").read_bytes()
    web.faults.append(("stall", 20))
    archive = f"dataset.archives=[{{url: '{web.url}/set.zip', name: set.zip}}]"
    first = start(tmp_path, NO_NETWORK, archive)
    wait_for(tmp_path / "data" / "downloads" / "set.zip.part", first)

    second = run(tmp_path, NO_NETWORK, archive)
    first.kill()
    first.communicate()

    assert (second.returncode, second.stdout) == (1, "")
    assert f"pid {first.pid} " in second.stderr
    assert run(tmp_path, NO_NETWORK, archive).returncode == 0


@pytest.mark.slow
def test_a_full_disk(tmp_path: Path) -> None:
    """Where no bigger file can be written, one message says so and nothing passes for whole."""
    source = tmp_path / "source" / "set.zip"
    source.parent.mkdir()
    source.write_bytes(os.urandom(1 << 20))
    archive = f"dataset.archives=[{{url: '{source}', name: set.zip}}]"
    limited = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (300000,) * 2)"
    )
    script = f"{limited}; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"

    failed = subprocess.run(
        [sys.executable, "-c", script, *command(tmp_path, NO_NETWORK, archive)[1:]],
        capture_output=True,
        text=True,
        check=False,
        env=environment(PYTHONPATH=str(ROOT)),
    )

    assert failed.returncode == 1
    assert "no disk space left while writing" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert not (tmp_path / "data" / "downloads" / "set.zip").exists()


@pytest.mark.slow
def test_a_clone_with_blanks_and_chinese_in_a_folder_nobody_may_write(tmp_path: Path) -> None:
    """A second clone anywhere works from any folder, and writes only into itself."""
    clone, elsewhere = tmp_path / "克隆 two", tmp_path / "read only"
    for name in ("pipeline", "conf"):
        shutil.copytree(
            ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__", ".*")
        )
    shutil.copy(ROOT / "run.py", clone)
    elsewhere.mkdir(mode=0o555)

    done = subprocess.run(
        [sys.executable, str(clone / "run.py"), NO_NETWORK],
        cwd=elsewhere,
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )

    assert done.returncode == 0, done.stderr
    assert list(elsewhere.iterdir()) == []
    assert sorted(path.name for path in clone.iterdir()) == [
        "conf",
        "data",
        "exports",
        "outputs",
        "pipeline",
        "run.py",
    ]
