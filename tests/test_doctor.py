"""The command `doctor`: it tells what is so, leaves nothing behind and comes to an end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline import cli
from pipeline.commands.doctor import ascend, asking, place, software, trial
from pipeline.commands.doctor.finding import Finding, ok
from pipeline.errors import StorageError
from pipeline.job.job import Job
from pipeline.messages import log
from pipeline.storage.local import LocalStorage
from pipeline.transfer import Limits
from tests.moxing_double import installed, moxing_double
from tests.running import files_below, make_archive, make_job
from tests.servers import WebServer, answering, closed_port, serving

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.usefixtures("quick_jobs")
SECRETS = ("secret-word-for-tests", "access-key-for-tests", "word-in-a-query", "word-in-a-flag")
LIMITS = Limits(parallel=1, retries=0, stall_s=1.0)

Doctor = Callable[..., "tuple[int, dict[str, list[str]]]"]


@pytest.fixture
def doctor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Doctor]:
    """Calls `doctor` in tmp_path; what it gives is the exit code, and lines by topic."""
    for name in [n for n in os.environ if n.startswith("OBS_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    handler = signal.getsignal(signal.SIGTERM)
    archive = make_archive(tmp_path / "source" / "set.zip")
    defaults = (
        "doctor",
        f"cluster.data_dir={tmp_path}/data",
        f"cluster.output_dir={tmp_path}/outputs",
        "cluster.transfer.retries=0",
        "cluster.transfer.stall_s=1",
        "mode.stages=[fetch,extract,export]",
    )
    here = (
        f"cluster.export_url={tmp_path}/new/exports",
        f"dataset.archives=[{{url: '{archive}', name: set.zip}}]",
    )

    def call(*arguments: str, is_launched: bool = False) -> tuple[int, dict[str, list[str]]]:
        before = files_below(tmp_path), sorted(tmp_path.rglob("*"))
        exit_code = cli.main([*defaults, *(() if is_launched else here), *arguments], ROOT)
        said = capsys.readouterr()
        for secret in SECRETS:
            assert secret not in said.out + said.err
        assert before == (files_below(tmp_path), sorted(tmp_path.rglob("*")))
        return exit_code, by_topic(said.out)

    yield call
    signal.signal(signal.SIGTERM, handler)
    log.to_folder(None)


def by_topic(text: str) -> dict[str, list[str]]:
    """`level: text` by topic; the last line stands under "end"."""
    *lines, empty, end = text.splitlines()
    assert empty == ""
    # The second column is as wide as its longest name, and no name has two blanks.
    found: dict[str, list[str]] = {"end": [end]}
    for line in lines:
        level, rest = line.split(maxsplit=1)
        topic, said = rest.split("  ", 1)
        found.setdefault(topic, []).append(f"{level}: {said.strip()}")
    return found


def credentials(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    """The variables of the OBS SDK lead to this endpoint."""
    monkeypatch.setenv("OBS_ENDPOINT", endpoint)
    monkeypatch.setenv("OBS_ACCESS_KEY_ID", "access-key-for-tests")
    monkeypatch.setenv("OBS_SECRET_ACCESS_KEY", "secret-word-for-tests")


def test_a_laptop_is_well(doctor: Doctor, tmp_path: Path) -> None:
    """Everything is told, the export place is tried, and the folders made for that are gone."""
    exit_code, said = doctor()

    assert exit_code == 0
    assert said["cluster"] == ["ok: local, because nothing was launched"]
    assert said["device"][0].startswith("ok: CPU, no NPU in /dev")
    assert said["Python"] == ["ok: {}.{}.{}, {}".format(*sys.version_info[:3], sys.executable)]
    assert "made when it is first used" in said["data_dir"][0]
    assert said["dataset"][0].endswith("set.zip: 225 B")
    assert f"{tmp_path}/new/exports: a small object was written" in said["export"][0]
    assert not [line for lines in said.values() for line in lines if line.startswith("problem")]


def test_a_process_of_its_own(tmp_path: Path) -> None:
    """The real command answers, and imports no MindSpore."""
    command = [sys.executable, "-X", "importtime", str(ROOT / "run.py"), "doctor"]
    places = [f"cluster.{name}={tmp_path}/{name}" for name in ("data_dir", "export_url")]

    done = subprocess.run(
        [*command, *places, f"cluster.output_dir={tmp_path}/o", "mode.stages=[fetch,export]"],
        capture_output=True, text=True, timeout=50, check=False, cwd=tmp_path,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout
    assert "read back and deleted" in done.stdout
    assert "| mindspore" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_export_place_that_cannot_be_written(doctor: Doctor, tmp_path: Path) -> None:
    """It is a problem, and the last line names it."""
    (tmp_path / "file").write_text("no folder")

    exit_code, said = doctor(f"cluster.export_url={tmp_path}/file/exports")

    assert exit_code == 1
    assert said["export"][0].startswith("problem: ")
    assert said["end"][0].startswith("1 problem: export")


def test_folders_that_cannot_be_written(doctor: Doctor, tmp_path: Path) -> None:
    """Both are told of once, and all else is looked at all the same."""
    (tmp_path / "file").write_text("no folder")

    exit_code, said = doctor(f"cluster.data_dir={tmp_path}/file/a")

    assert exit_code == 1
    assert "cannot be written" in said["data_dir"][0]
    assert "job" in said
    assert len(said["job"]) == 1
    assert said["export"][0].startswith("ok: ")


def test_a_job_without_export_tries_nothing(doctor: Doctor) -> None:
    """Nothing is written where nothing is to be exported."""
    assert doctor("mode.stages=[fetch]")[1]["export"] == [
        "ok: nowhere: the job has no export stage"
    ]


def test_what_the_platform_collects_is_said(doctor: Doctor) -> None:
    """Without an export place on C2Net there is nothing to try."""
    exit_code, said = doctor("--grampus_code_url=x", is_launched=True)

    assert exit_code == 0
    assert said["cluster"] == ["ok: c2net, because --grampus_code_url was passed"]
    assert "the platform collects the output folder" in said["export"][0]
    assert said["device"][0].startswith("warning: CPU")


def test_a_launch_with_data_where_nobody_listens(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was brought is named, both places are problems, and names alone of variables show."""
    pytest.importorskip("obs")
    credentials(monkeypatch, f"http://127.0.0.1:{closed_port()}")
    item = '{"dataset_url":"s3://bucket/a.zip?k=word-in-a-query","dataset_name":"a.zip"}'

    exit_code, said = doctor(
        f"--multi_data_url=[{item}]",
        "--train_url=s3://bucket/out/",
        "--ckpt_url=s3://bucket/x.ckpt",
        "--strange=word-in-a-flag",
        is_launched=True,
    )

    assert exit_code == 1
    assert said["cluster"] == ["ok: qizhi, because --multi_data_url was passed"]
    assert "data (a.zip)" in said["launch"][0]
    assert "checkpoint obs://bucket/x.ckpt" in said["launch"][0]
    assert said["flags"] == ["ok: kept under platform, read by nothing: strange"]
    assert "set: OBS_ENDPOINT, OBS_ACCESS_KEY_ID" in said["variables"][0]
    for topic in ("dataset", "export"):
        assert said[topic][0].startswith("problem: obs://bucket/")
        assert "refused" in said[topic][0]
    assert "2 problems: dataset, export" in said["end"][0]


def test_missing_variables_are_one_line_each_place(doctor: Doctor) -> None:
    """What a run would refuse is told per place, with what to set."""
    exit_code, said = doctor(
        "--data_url=s3://bucket/data/", "--train_url=s3://bucket/out/", is_launched=True
    )

    assert exit_code == 1
    assert said["dataset"][0].startswith("problem: OBS_ENDPOINT: is not set")
    assert "OBS_SECRET_ACCESS_KEY" in said["export"][0]
    assert len(said["export"]) == 1


def test_a_silent_server_is_not_waited_for(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place that takes connections and says nothing ends by the limits of the job."""
    pytest.importorskip("obs")
    began_s = time.monotonic()
    with answering(None) as url:
        credentials(monkeypatch, url)

        exit_code, said = doctor("cluster.export_url=obs://bucket/out")

    assert exit_code == 1
    assert "nothing moved for 1 s" in said["export"][0]
    assert time.monotonic() - began_s < 20


def test_web_places(doctor: Doctor) -> None:
    """What is there shows its size, what is not is a problem; queries stay hidden."""
    query = "?Signature=word-in-a-query"
    with serving(WebServer(files={"a.zip": b"x" * 1500})) as web:
        archives = ", ".join(
            f"{{url: '{web.url}/{name}{query}', name: {name}}}" for name in ("a.zip", "b.zip")
        )

        exit_code, said = doctor(f"dataset.archives=[{archives}]")

    assert exit_code == 1
    assert said["dataset"][0].startswith("ok: a.zip (archive)")
    assert said["dataset"][0].endswith("1.5 kB")
    assert "nothing is there" in said["dataset"][1]


def test_what_is_here_already_is_not_asked_for(
    doctor: Doctor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fetched and verified input needs no place any more."""
    fetch = [f"cluster.data_dir={tmp_path}/data", f"cluster.output_dir={tmp_path}/outputs"]
    with serving(WebServer(files={"a.zip": (tmp_path / "source/set.zip").read_bytes()})) as web:
        archive = f"dataset.archives=[{{url: '{web.url}/a.zip', name: a.zip}}]"
        assert cli.main([*fetch, archive, "mode.stages=[fetch]"], ROOT) == 0
    capsys.readouterr()

    exit_code, said = doctor(archive)

    assert exit_code == 0
    assert "already here and verified" in said["dataset"][0]


def test_a_wrong_job_is_a_wrong_job(doctor: Doctor, capsys: pytest.CaptureFixture[str]) -> None:
    """Mistakes in the command line are refused as everywhere; the rest is looked at."""
    assert cli.main(["doctor", "mode.epochs=x"], ROOT) == 2
    assert "mode.epochs" in capsys.readouterr().err

    exit_code, said = doctor("mode=evaluate", "mode.checkpoint=nowhere")

    assert exit_code == 1
    assert any(line.startswith("problem: mode.checkpoint: ") for line in said["job"])
    assert said["export"][0].startswith("ok: ")


def test_real_moxing_is_used(
    doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where Huawei's moxing is, folders are counted and the trial goes through it."""
    with moxing_double(tmp_path.parent / f"{tmp_path.name}-buckets", monkeypatch) as double:
        double.fill(data__a=b"12", data__b=b"345")
        before = files_below(double.bucket)

        exit_code, said = doctor(
            "--data_url=s3://bucket/data/", "--train_url=s3://bucket/out/", is_launched=True
        )

        assert exit_code == 0
        assert files_below(double.bucket) == before
        assert any("/out/.mindrun-doctor-" in call[2] for call in double.calls("copy"))
    assert said["moxing"][0].startswith("ok: Huawei's own")
    assert said["dataset"][0].endswith("a folder, 2 files, 5 B")
    assert "obs://bucket/out: a small object was written" in said["export"][0]


def test_an_impostor_is_named(
    doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another package of moxing's name is a warning while no bucket is needed."""
    (tmp_path / "other" / "moxing").mkdir(parents=True)
    (tmp_path / "other" / "moxing" / "__init__.py").write_text("class Llama: pass")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")

    with installed(tmp_path / "other", monkeypatch):
        exit_code, said = doctor()

    assert exit_code == 0
    assert said["moxing"][0].startswith("warning: ")
    assert "pip uninstall moxing" in said["moxing"][0]


class Stubborn(LocalStorage):
    """A place that takes objects, and fails where it is told to."""

    failing = ""

    def get(self, key: str, *, start_byte: int = 0, etag: str = "") -> Iterator[bytes]:
        """The bytes, or other ones."""
        if self.failing == "get":
            return iter([b"other"])
        return super().get(key, start_byte=start_byte, etag=etag)

    def delete(self, key: str) -> None:
        """Deletes it, or refuses to."""
        if self.failing == "delete":
            raise StorageError("no right to delete.")
        super().delete(key)


@pytest.mark.parametrize(("failing", "is_left"), [("get", False), ("delete", True)])
def test_a_trial_that_fails_tidies_up(tmp_path: Path, failing: str, is_left: bool) -> None:
    """The object is deleted after a failure too; one that has to stay is named."""
    storage = Stubborn(str(tmp_path))
    storage.failing = failing

    with pytest.raises((StorageError, ValueError), match=r"\.mindrun-doctor-[0-9a-f]{16}"):
        trial.write_read_delete(storage, LIMITS)

    assert bool(list(tmp_path.iterdir())) is is_left


def test_who_never_answers_is_left_behind() -> None:
    """Other checks count, and the one that hangs is a problem under its topic."""
    ending = threading.Event()

    def hang() -> Finding:
        ending.wait(20)
        return ok("b", "late")

    checks = [asking.Check("a", lambda: ok("a", "here")), asking.Check("b", hang, ", and rest")]

    found = asking.ask(checks, longest_s=0.2)
    ending.set()

    assert [(f.level, f.topic) for f in found] == [("ok", "a"), ("problem", "b")]
    assert found[1].text.startswith("no answer in 0.2 s")
    assert found[1].text.endswith(", and rest")


def on_ascend(folder: Path) -> Job:
    """A job for Ascend."""
    job = make_job(folder)
    return job.model_copy(update={"device": job.device.model_copy(update={"target": "Ascend"})})


def test_an_ascend_machine(tmp_path: Path) -> None:
    """Cards are counted, CANN's version is read from where its home is."""
    devices = tmp_path / "dev"
    home = tmp_path / "cann"
    (home / "aarch64-linux").mkdir(parents=True)
    info = "package_name=Ascend-cann-toolkit\nversion=8.0.RC3\ninnerversion=V100\n"
    (home / "aarch64-linux/ascend_toolkit_install.info").write_text(info)
    devices.mkdir()
    for name in ("davinci0", "davinci1", "davinci_manager"):
        (devices / name).touch()
    variables = {"ASCEND_HOME_PATH": str(home), "RANK_ID": "0", "RANK_SIZE": "2"}

    found = list(ascend.findings(on_ascend(tmp_path), (), variables, devices=devices))

    assert [(f.level, f.topic) for f in found] == [("ok", "device"), ("ok", "CANN")]
    assert "2 NPUs" in found[0].text
    assert found[1].text.startswith("8.0.RC3")


@pytest.mark.parametrize(
    ("timeout", "level"), [("", "warning"), ("120", "warning"), ("soon", "warning"), ("9", "ok")]
)
def test_machines_have_to_wait_for_each_other(tmp_path: Path, timeout: str, level: str) -> None:
    """More ranks than cards mean several machines; the job waits up to 5 s for a node."""
    (tmp_path / "davinci0").touch()
    job = on_ascend(tmp_path)
    if timeout == "120":
        cluster = job.cluster.model_copy(update={"node_wait_s": 600.0})
        job = job.model_copy(update={"cluster": cluster})
    variables = {"HCCL_CONNECT_TIMEOUT": timeout, "RANK_ID": "0", "RANK_SIZE": "2"}

    found = list(ascend.findings(job, (), variables, devices=tmp_path))

    assert [f.level for f in found if f.topic == "HCCL"] == [level]


def test_ranks_that_cannot_be_are_a_problem(tmp_path: Path) -> None:
    """A rank beyond the size is told like everything else."""
    found = list(place.findings(make_job(tmp_path), {"RANK_ID": "3", "RANK_SIZE": "2"}))

    assert [f.level for f in found if f.topic == "processes"] == ["problem"]


@pytest.mark.parametrize(
    ("version", "level"),
    [("2.7.0", "ok"), ("2.10.0rc1", "ok"), ("1.8.1", "warning"), ("3.0", "warning")],
)
def test_versions_of_mindspore(tmp_path: Path, version: str, level: str) -> None:
    """Those that were tried are fine; a missing one is a problem where a stage needs it."""
    assert software._mindspore(make_job(tmp_path), version).level == level
    assert software._mindspore(make_job(tmp_path), None).level == "ok"
    needy = make_job(tmp_path, stages=("fetch", "build"))
    assert software._mindspore(needy, None).level == "problem"


def test_numpy_2_is_a_problem() -> None:
    """MindSpore installs beside it and then fails."""
    assert [software._numpy(v).level for v in ("1.26.4", "2.1.0")] == ["ok", "problem"]
