"""From the command line to an exit code and a message that helps."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline import cli
from pipeline.messages import log
from pipeline.running import runner
from tests.running import files_below, make_archive
from tests.servers import answering, closed_port, obs_error

ROOT = Path(__file__).resolve().parent.parent
SECRETS = ("secret-word-for-tests", "access-key-for-tests", "word-in-a-query")
QUERY = "?Signature=word-in-a-query"

Command = Callable[..., int]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """Calls the command line with all folders in tmp_path and short patience."""
    for name in [n for n in os.environ if n.startswith("OBS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr("sys.argv", ["run.py"])
    monkeypatch.chdir(tmp_path)
    handler = signal.getsignal(signal.SIGTERM)
    archive = make_archive(tmp_path / "source" / "set.zip")
    defaults = (
        "mode.stages=[fetch,extract,export]",
        f"dataset.archives=[{{url: '{archive}', name: set.zip}}]",
        "cluster.data_dir=data",
        "cluster.output_dir=outputs",
        "cluster.export_url=exports",
        "cluster.transfer.retries=0",
        "cluster.transfer.stall_s=1",
    )
    yield lambda *arguments: cli.main([*defaults, *arguments], ROOT)
    signal.signal(signal.SIGTERM, handler)
    log.to_folder(None)


@pytest.fixture
def obs(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Credentials for OBS at this endpoint."""

    def at(endpoint: str) -> None:
        monkeypatch.setenv("OBS_ENDPOINT", endpoint)
        monkeypatch.setenv("OBS_ACCESS_KEY_ID", "access-key-for-tests")
        monkeypatch.setenv("OBS_SECRET_ACCESS_KEY", "secret-word-for-tests")

    return at


def assert_no_secret(tmp_path: Path, said: str) -> None:
    """No credential and no query is in any output or file."""
    for secret in SECRETS:
        assert secret not in said
        for name, content in files_below(tmp_path).items():
            assert secret.encode() not in content, name


def assert_nothing_pretended(tmp_path: Path) -> None:
    """No half file bears a final name, and no export claims to be whole."""
    assert not list((tmp_path / "data" / "downloads").glob("[!.]*.zip"))
    assert not list((tmp_path / "exports").rglob("manifest.json"))


def archive_at(url: str) -> str:
    """The override that names this archive."""
    return f"dataset.archives=[{{url: '{url}', name: set.zip}}]"


def test_a_finished_job_says_so(call: Command, capsys: pytest.CaptureFixture[str]) -> None:
    """Done at first, already done afterwards, both with the place of the results."""
    assert call() == 0
    first = capsys.readouterr().out
    assert call() == 0

    second = capsys.readouterr()
    assert first.splitlines()[1] == "complete"
    assert "mode=train" in first
    assert "already done" in second.out
    assert "outputs/train-" in second.out
    assert second.err == ""


def test_a_job_that_cannot_be_meant_is_refused(
    call: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A read-only export place and the run folder itself end with 2, and nothing is written."""
    assert call(f"cluster.export_url=https://host/a{QUERY}") == 2
    assert call("cluster.export_url=outputs") == 2

    said = capsys.readouterr().err
    assert "cluster.export_url: https://host/a?***: web servers are read-only" in said
    assert "copied onto themselves" in said
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_missing_endpoint_is_named(call: Command, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything runs, the variables that OBS needs are listed."""
    pytest.importorskip("obs")

    assert call("cluster.export_url=s3://bucket/a") == 2

    said = capsys.readouterr().err
    assert "OBS_ENDPOINT" in said
    assert "OBS_ACCESS_KEY_ID" in said


def test_a_missing_object(
    call: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A 404 is one message with the URL and what to do."""
    missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with answering(missing) as url:
        assert call(archive_at(f"{url}/set.zip{QUERY}")) == 1

    said = capsys.readouterr()
    assert f"{url}/set.zip" in said.err
    assert "check the URL" in said.err
    assert "Traceback" not in said.err
    assert "run.log" in said.err
    assert "resume" in said.err
    assert_no_secret(tmp_path, said.out + said.err)
    assert_nothing_pretended(tmp_path)


def test_a_refused_connection(
    call: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dead server is named."""
    assert call(archive_at(f"http://127.0.0.1:{closed_port()}/set.zip{QUERY}")) == 1

    said = capsys.readouterr()
    assert "refused" in said.err
    assert_no_secret(tmp_path, said.out + said.err)
    assert_nothing_pretended(tmp_path)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [(404, "NoSuchBucket", "NoSuchBucket"), (403, "InvalidAccessKeyId", "denied")],
)
@pytest.mark.parametrize("use", ["archive", "export"])
def test_obs_says_no(
    call: Command,
    obs: Callable[[str], None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    status: int,
    code: str,
    expected: str,
    use: str,
) -> None:
    """A bucket that is not there and refused credentials end with 1 and the place's URL."""
    pytest.importorskip("obs")
    there = {
        "archive": archive_at("obs://bucket/set.zip"),
        "export": "cluster.export_url=obs://bucket/a",
    }
    with answering(obs_error(status, code)) as url:
        obs(url)
        assert call(there[use]) == 1

    said = capsys.readouterr()
    assert "obs://bucket" in said.err
    assert expected in said.err or "no such" in said.err
    assert_no_secret(tmp_path, said.out + said.err)
    if use == "archive":
        assert_nothing_pretended(tmp_path)


def test_a_local_archive_that_is_not_there(
    call: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A path is named as it was looked for."""
    assert call(archive_at("none/set.zip")) == 1

    assert f"{tmp_path}/none/set.zip" in capsys.readouterr().err


def test_the_next_command_keeps_what_lasts(
    call: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """Folders and choices carry over, the mode's numbers and the run's name do not."""
    call("mode.epochs=3", "run.id=mine", "seed=3", "--batch_size=64")

    said = capsys.readouterr().out
    following = next(line for line in said.splitlines() if line.lstrip().startswith("next"))
    assert "cluster.data_dir=data" in following
    assert "seed=3" in following
    assert following.endswith("mode=train")
    assert "mine" not in following
    assert "epochs" not in following
    assert "batch_size" not in following


def test_the_resume_command_does_not_start_anew(
    call: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whichever way run.fresh was asked for, the command that goes on leaves it out."""
    call("--run.fresh", "true", archive_at("none/set.zip"))
    call("run.fresh=true", archive_at("none/set.zip"), "run.id=a")

    resumes = [s for s in capsys.readouterr().err.splitlines() if s.lstrip().startswith("resume")]
    assert resumes
    for line in resumes:
        assert "run.fresh" not in line
        assert "'dataset.archives=[{url: " in line


def test_a_plan_of_a_finished_job(call: Command, capsys: pytest.CaptureFixture[str]) -> None:
    """It shows that nothing would be done, since when, and how to do it anew."""
    call()
    capsys.readouterr()

    assert call("plan") == 0

    said = capsys.readouterr().out
    assert said.count("skipped: ") == 3
    assert "already done" in said
    assert "run.fresh=true" in said


def test_what_the_system_refuses_is_one_line(
    call: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that cannot be made after all ends with 1 and no traceback."""
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / "mine").write_text("a file")

    assert call("run.id=mine") == 1

    assert "outputs/mine" in capsys.readouterr().err


def test_an_interrupt_before_the_run(
    call: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C anywhere ends with 130, SIGTERM with 143, and one word."""
    for error, code in ((KeyboardInterrupt, 130), (runner.Terminated, 143)):

        def interrupted(*_: object, error: type[BaseException] = error, **__: object) -> None:
            raise error

        monkeypatch.setattr(runner, "run", interrupted)
        assert call() == code

    assert capsys.readouterr().err == "stopped\nstopped\n"


def test_an_export_on_a_full_or_read_only_place(
    call: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where results cannot go, the job fails and says where."""
    (tmp_path / "exports").write_text("a file, no folder")

    assert call() == 1

    said = capsys.readouterr().err
    assert str(tmp_path / "exports") in said
    assert "Traceback" not in said
    shutil.rmtree(tmp_path / "outputs")
