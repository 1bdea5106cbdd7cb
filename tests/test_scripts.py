"""Existing scripts as jobs: run as they are, their files kept, their exit code honest."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.configuration.imports import files_of
from tests.platforms import CPU, OUT, Platform, assert_exported, item, mnist, zipped
from tests.running import files_below, go, make_job
from tests.test_jobs import environment, manifest_of

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "tests" / "samples" / "train_lenet.py"
START_FILE = """\
import os
import sys

from pipeline import bootstrap

if __name__ == "__main__":
    sys.exit(bootstrap.start(sys.argv[1:], os.path.realpath(__file__)))
"""
SLOW = ("mode=script", "mode.command=python slow.py {output} wait.txt", "run.id=one")
SLOW_SCRIPT = """\
import os, sys, time
from pathlib import Path

folder, wait = map(Path, sys.argv[1:])
(folder / "pid").write_text(str(os.getpid()))
for i in range(len(list(folder.glob("*.ckpt"))), 4):
    (folder / f"{i}.ckpt").write_text("w" * i)
    print("made", i)
    time.sleep(float(wait.read_text()))
"""


def make_slow(project: Path) -> Path:
    """A script that goes on where it was ended; gives the file with its seconds per step."""
    (project / "slow.py").write_text(SLOW_SCRIPT)
    wait = project / "wait.txt"
    wait.write_text("60")
    return wait


def make_project(folder: Path, *, is_installed: bool = False) -> Path:
    """Somebody's repository: five lines of run.py over MindRun, which lies in it or in a site."""
    folder.mkdir(parents=True)
    (folder / "run.py").write_text(START_FILE)
    ignored = shutil.ignore_patterns("__pycache__")
    place = folder / "site" if is_installed else folder
    shutil.copytree(ROOT / "pipeline", place / "pipeline", ignore=ignored)
    # Where setup.py puts it.
    conf = place / "pipeline" / "conf" if is_installed else place / "conf"
    shutil.copytree(ROOT / "conf", conf)
    return folder


def script_job(folder: Path, code: str, *arguments: str) -> Callable[[], object]:
    """A job that runs this code, in a process like this one."""
    (folder / "theirs.py").write_text(code)
    command = ["python", "theirs.py", *arguments]
    stages = ("fetch", "extract", "script", "export")
    job = make_job(folder, stages=stages, mode={"name": "script", "command": command})
    return lambda: go(job)


def test_a_script_is_run_once_and_its_files_are_exported(tmp_path: Path) -> None:
    """Places are filled in, words logged, files and numbers kept; again, there is nothing to do."""
    code = (
        "import json, os, sys\n"
        "data, dataset, output = sys.argv[1:]\n"
        "print('sees', sorted(os.listdir(dataset)), os.path.exists(data + '/set/train/a.txt'))\n"
        "json.dump({'accuracy': 0.5, 'note': 'x'}, open(output + '/metrics.json', 'w'))\n"
    )
    run = script_job(tmp_path, code, "{data}", "{dataset}", "{output}")

    ended, again = run(), run()

    assert ended.exit_code == 0
    assert ended.manifest.metrics == {"accuracy": 0.5}
    assert ended.manifest.stage("script").facts["exit_code"] == 0
    exported = files_below(tmp_path / "exports" / ended.manifest.run_id)
    assert json.loads(exported["output/metrics.json"])["accuracy"] == 0.5
    assert b"sees ['test', 'train'] True" in exported["run.log"]
    assert again.was_done


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("sys.exit(3)", "ended with exit code 3, expected 0; its last words: made"),
        (
            "raise KeyError('x')",
            "ended with exit code 1, expected 0; its last words: KeyError: 'x'",
        ),
        ("os.kill(os.getpid(), 9)", "was killed by signal 9"),
        ("os._exit(7)", "ended with exit code 7"),
    ],
)
def test_a_script_that_fails_fails_the_job(tmp_path: Path, end: str, words: str) -> None:
    """Its end is named, what it wrote until then is exported, and the code is 1."""
    code = (
        "import os, sys\n"
        "open(sys.argv[1] + '/half.txt', 'w').write('x')\n"
        f"print('made', flush=True)\n{end}\n"
    )

    ended = script_job(tmp_path, code, "{output}")()

    assert ended.exit_code == 1
    assert ended.manifest.status == "failed"
    assert ended.manifest.error.type == "ScriptError"
    assert words in ended.manifest.error.message
    exported = files_below(tmp_path / "exports" / ended.manifest.run_id)
    assert exported["output/half.txt"] == b"x"


@pytest.mark.parametrize("is_own_session", [False, True], ids=["its group", "a session of its own"])
def test_nothing_that_a_script_started_stays(tmp_path: Path, is_own_session: bool) -> None:
    """A grandchild that the script leaves behind ends with it, a daemon too."""
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],"
        f" start_new_session={is_own_session})\n"
        "open(sys.argv[1] + '/pid', 'w').write(str(child.pid))\n"
    )

    ended = script_job(tmp_path, code, "{output}")()

    assert ended.exit_code == 0
    pid = (ended.folder / "output" / "pid").read_text()
    assert is_gone(int(pid))


def is_gone(pid: int, within_s: float = 3.0) -> bool:
    """Whether the process has ended, or ends soon."""
    until_s = time.monotonic() + within_s
    while time.monotonic() < until_s:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("is_kept", [False, True], ids=["as it is", "in output"])
def test_what_a_script_writes_beside_itself(tmp_path: Path, is_kept: bool) -> None:
    """It is named where nobody keeps it; with mode.in_output it is kept and exported."""
    (tmp_path / "theirs.py").write_text(
        "import os\nos.makedirs('weights', exist_ok=True)\nopen('weights/a.ckpt', 'w').write('w')\n"
    )
    mode = {"name": "script", "command": "python theirs.py", "in_output": is_kept}
    job = make_job(tmp_path, stages=("fetch", "extract", "script", "export"), mode=mode)

    ended = go(job)

    assert ended.exit_code == 0
    exported = files_below(tmp_path / "exports" / ended.manifest.run_id)
    assert ("output/weights/a.ckpt" in exported) == is_kept
    assert (b"neither kept nor exported: weights in" in exported["run.log"]) != is_kept


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("mode.command=python absent.py", "there is no file"),
        ("mode.command=no-such-program --x", "there is no program 'no-such-program'"),
        ("mode.command=python run.py {ouput}", "did you mean '{output}'?"),
        ("mode.command=python 'run.py", "no closing quotation; expected words"),
        ("mode.command=''", "expected a program and its arguments"),
        ("mode.command=python run.py {checkpoint}", "needs a checkpoint and none is given"),
    ],
)
def test_a_command_that_cannot_run_is_refused(command: str, problem: str, tmp_path: Path) -> None:
    """Before the first byte is fetched, with what to do."""
    done = start(tmp_path, "plan", "mode=script", command)

    said = done.communicate(timeout=60)[1]
    assert done.returncode == 2
    assert problem in said


def start(folder: Path, *arguments: str, project: Path = ROOT) -> subprocess.Popen[str]:
    """A job of the project's run.py whose folders all lie in `folder`."""
    names = {"data_dir": "data", "output_dir": "outputs", "export_url": "exports"}
    places = [f"cluster.{key}={folder / name}" for key, name in names.items()]
    return subprocess.Popen(
        [sys.executable, str(project / "run.py"), *arguments, *places],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )


def until(is_so: Callable[[], bool], within_s: float = 30.0) -> None:
    """Waits for it, not for ever."""
    until_s = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < until_s
        time.sleep(0.05)


@pytest.mark.slow
def test_files_leave_while_the_script_runs_and_a_signal_keeps_them(tmp_path: Path) -> None:
    """The first file is exported long before the end; SIGTERM ends with 143, the same command 0."""
    project = make_project(tmp_path / "their project 项目")
    wait = make_slow(project)
    exported = tmp_path / "exports" / "one"
    job = start(tmp_path, *SLOW, project=project)

    until(lambda: (exported / "output" / "0.ckpt").is_file())
    job.send_signal(signal.SIGTERM)
    said = job.communicate(timeout=20)[1]

    assert job.returncode == 143, said
    assert manifest_of(exported)["status"] == "interrupted"
    assert "output/0.ckpt" in [a["path"] for a in manifest_of(exported)["artifacts"]]
    wait.write_text("0")
    again = start(tmp_path, *SLOW, project=project)
    again.communicate(timeout=60)
    assert again.returncode == 0
    assert manifest_of(exported)["status"] == "complete"


@pytest.mark.slow
def test_a_killed_job_takes_its_script_with_it(tmp_path: Path) -> None:
    """After kill -9 of run.py nothing goes on writing; the same command finishes the work."""
    project = make_project(tmp_path / "theirs")
    wait = make_slow(project)
    output = tmp_path / "outputs" / "one" / "output"
    job = start(tmp_path, *SLOW, project=project)
    until(lambda: (output / "pid").is_file() and bool((output / "pid").read_text()))

    job.kill()
    job.communicate(timeout=10)

    assert is_gone(int((output / "pid").read_text()), within_s=10)
    wait.write_text("0")
    again = start(tmp_path, *SLOW, project=project)
    again.communicate(timeout=60)
    assert again.returncode == 0
    exported = files_below(tmp_path / "exports" / "one" / "output")
    assert {"0.ckpt", "1.ckpt", "2.ckpt", "3.ckpt"} <= exported.keys()


@pytest.mark.slow
@pytest.mark.mindspore
@pytest.mark.parametrize("is_installed", [False, True], ids=["vendored", "installed"])
def test_a_sample_runs_unedited_on_qizhi(tmp_path: Path, is_installed: bool) -> None:
    """Their repository with five lines of run.py is what the platform starts."""
    platform = Platform(tmp_path)
    project = make_project(tmp_path / "theirs", is_installed=is_installed)
    shutil.copy(SAMPLE, project)
    platform.put("", {"MNISTData.zip": zipped(mnist())})
    several = json.dumps([item("s3://bucket/MNISTData.zip", "MNISTData.zip")])
    command = "python train_lenet.py --data_dir={data} --output_dir={output} --epoch_size=2"
    flags = (f"--multi_data_url={several}", f"--train_url={OUT}", CPU, "--mode=script")
    path = f"{environment_path(project, is_installed)}"

    ended = platform.start(
        *flags, f"--command={command}", project=project, variables={"PYTHONPATH": path}
    )
    failed = platform.start(
        *flags,
        f"--command={command} --fail_after=1",
        project=project,
        variables={"PYTHONPATH": path},
    )

    found = assert_exported(ended, platform.bucket(ended.run))
    paths = {artifact["path"] for artifact in found["artifacts"]}
    assert {"output/lenet-1.ckpt", "output/lenet-2.ckpt"} <= paths
    assert found["launch"]["cluster"] == "qizhi"
    assert "trained" in ended.log
    assert failed.code == 1
    assert "something broke in the sample" in failed.said
    exported = [path.parent for path in (platform.double.bucket / "out").glob("*/manifest.json")]
    (of_failed,) = [run for run in exported if manifest_of(run)["status"] == "failed"]
    assert (of_failed / "output" / "lenet-1.ckpt").is_file()


def environment_path(project: Path, is_installed: bool) -> str:
    """Where Python finds MindRun and the stand-in for moxing."""
    from tests.moxing_double import DOUBLES

    return f"{DOUBLES}:{project / 'site'}" if is_installed else str(DOUBLES)


def test_a_script_is_made_of_what_it_imports_from_beside_it(tmp_path: Path) -> None:
    """Its own modules and packages count, whatever way they are imported; libraries do not."""
    files = {
        "train.py": "import json, net\nfrom parts import layers\nfrom parts.deep import x\n",
        "net.py": "import train\n",
        "parts/__init__.py": "",
        "parts/layers.py": "from . import more\nfrom .deep import x\n",
        "parts/more.py": "",
        "parts/deep.py": "this is no Python",
        "unused.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    found = files_of(tmp_path / "train.py")

    names = [path.relative_to(tmp_path).as_posix() for path in found]
    assert names[0] == "train.py"
    assert set(names) == files.keys() - {"unused.py"}
