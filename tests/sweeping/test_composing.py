"""All jobs of a sweep from one command line."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline import cli
from pipeline.commands.sweeping import command
from pipeline.commands.sweeping.composing import Member
from pipeline.errors import ConfigError
from pipeline.messages import log
from tests.jobs import ROOT, read

pytestmark = pytest.mark.usefixtures("quick_jobs")

Compose = Callable[..., list[Member]]


@pytest.fixture
def compose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compose:
    """The jobs of a command line whose folders all lie in tmp_path."""
    monkeypatch.chdir(tmp_path)
    places = ("cluster.data_dir=data", "cluster.output_dir=outputs", "cluster.export_url=exports")
    return lambda *words: command.members_of(read("-m", *places, *words), ROOT, "run.py")


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., int]]:
    """Calls the command line with all folders in tmp_path."""
    monkeypatch.setattr("sys.argv", ["run.py"])
    monkeypatch.chdir(tmp_path)
    handler = signal.getsignal(signal.SIGTERM)
    places = ("cluster.data_dir=data", "cluster.output_dir=outputs", "cluster.export_url=exports")
    yield lambda *words: cli.main([*places, *words], ROOT)
    signal.signal(signal.SIGTERM, handler)
    log.to_folder(None)


def overrides(members: list[Member]) -> list[dict[str, str]]:
    """What each job differs in."""
    return [dict(member.overrides) for member in members]


def test_every_combination_is_a_job(compose: Compose) -> None:
    """Groups and values are combined; each job is the one that would be composed alone."""
    members = compose("model=lenet5,mlp", "seed=1,2", "mode.epochs=3")

    assert overrides(members) == [
        {"model": model, "seed": seed} for model in ("lenet5", "mlp") for seed in ("1", "2")
    ]
    assert [(m.job.model.name, m.job.seed) for m in members] == [
        *(("lenet5", 1), ("lenet5", 2)),
        *(("mlp", 1), ("mlp", 2)),
    ]
    assert {m.job.mode.epochs for m in members} == {3}
    assert len({m.run_id for m in members}) == 4
    assert members[1].assignment.command.endswith("model=lenet5 seed=2 mode.epochs=3")
    assert "-m" not in members[1].assignment.command.split()


def test_groups_are_matched_by_name(compose: Compose) -> None:
    """glob() chooses among the files of a group; recipes are swept like any group."""
    assert [m.job.model.name for m in compose("model=glob(res*)")] == ["resnet18", "resnet50"]
    assert overrides(compose("experiment=qizhi_train,mnist_cosine")) == [
        {"experiment": "qizhi_train"},
        {"experiment": "mnist_cosine"},
    ]


def test_texts_come_through(compose: Compose) -> None:
    """A quoted comma is part of the text, whatever else stands in it."""
    places = ("https://host/a,b=甲.ckpt", "https://host/c#.ckpt")
    members = compose("mode=evaluate", f"mode.checkpoint='{places[0]}',{places[1]}")

    assert [m.job.mode.checkpoint for m in members] == [*places]
    assert "--text 'mode.checkpoint=https://host/a,b" in members[0].assignment.command


def test_a_flag_may_be_swept(compose: Compose) -> None:
    """A platform's web form passes flags only: one that names a key or a group is as good."""
    assert [m.job.mode.epochs for m in compose("--epochs=1,2")] == [1, 2]
    assert [m.job.model.name for m in compose("--model=mlp,lenet5")] == ["mlp", "lenet5"]
    assert [m.job.seed for m in compose("--seed", "3,4")] == [3, 4]
    assert [m.job.mode.epochs for m in compose("--mode.epochs=1,2")] == [1, 2]


def test_what_a_platform_passes_is_no_sweep(compose: Compose) -> None:
    """Flags of the tables, flags that nobody knows, and --text keep their commas."""
    url = "mode.checkpoint=https://host/a,b.ckpt"
    members = compose("mode=evaluate", "--grampus_x=a,b", "--nobody=1,2", "--text", url, "seed=1,2")

    assert overrides(members) == [{"seed": "1"}, {"seed": "2"}]
    assert members[0].job.platform["nobody"] == "1,2"
    assert members[0].job.mode.checkpoint == "https://host/a,b.ckpt"


def test_a_key_can_be_removed(compose: Compose) -> None:
    """~key is the same for all jobs."""
    members = compose("~mode.export_formats", "seed=1,2")

    assert overrides(members) == [{"seed": "1"}, {"seed": "2"}]


def test_equal_jobs_run_once(call: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    """Jobs that are the same run are one job, and that is said; a plan writes nothing."""
    assert call("-m", "plan", "mode.learning_rate=0.1,0.10,0.2") == 0

    said = capsys.readouterr()
    assert "job 2 is the same as job 1 (mode.learning_rate=0.1) and run once" in said.err
    assert ": 2 jobs" in said.out
    assert "2 would run" in said.out
    assert list(Path.cwd().iterdir()) == []


def test_all_mistakes_of_all_jobs_are_told(
    call: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Each with the jobs that have it, at once, and nothing has been written."""
    words = ("model=lenet5,mlpp", "seed=1,x", "mode.batch_size=0", "sweep.jobs=1,2")
    assert call("-m", "model=lenet5,mlpp", "seed=1,x", "mode.batch_size=0") == 2
    said = capsys.readouterr().err
    assert call("-m", *words) == 2
    said_of_sweep = capsys.readouterr().err

    assert "jobs 3, 4: model: there is no choice 'mlpp'" in said
    assert "did you mean 'mlp'?" in said
    assert "jobs 2, 4: seed: 'x': expected a whole number (set by the command line: seed=x)" in said
    assert "\n  mode.batch_size: 0: expected at least 1" in said
    assert "sweep.jobs: '1,2': it is the same for all jobs of a sweep" in said_of_sweep
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("seed=interval(0,1)",), "0.0: expected a whole number"),
        (("seed=range(0,20000)",), "expected at most 10,000"),
        (("seed=range(0,1000)", "mode.epochs=range(1,100)"), "expected at most 10,000"),
        (("run.id=a", "seed=1,2"), "'a' is the name of job 1, too, which is another"),
        (("doctor", "seed=1,2"), "a sweep can be run or planned, nothing else"),
        (("hydra.sweeper.params={seed: 1}",), "MindRun runs, logs and sweeps by itself"),
    ],
)
def test_what_cannot_be_swept(
    call: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    said: str,
) -> None:
    """It is refused before anything runs, in words."""
    assert call("-m", *words) == 2
    assert said in capsys.readouterr().err


def test_several_ranks_start_no_sweep(compose: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them would start all jobs."""
    monkeypatch.setenv("RANK_SIZE", "2")
    monkeypatch.setenv("RANK_ID", "0")

    with pytest.raises(ConfigError, match="a launcher has started several processes"):
        compose("seed=1,2")


def test_a_recipe_sweeps(compose: Compose, tmp_path: Path) -> None:
    """hydra.sweeper.params of a chosen file is swept; what is typed wins."""
    folder = tmp_path / "own" / "experiment"
    folder.mkdir(parents=True)
    (folder / "rates.yaml").write_text(
        "# @package _global_\n"
        "hydra:\n  sweeper:\n    params:\n"
        "      mode.learning_rate: 0.1,0.2\n      seed: range(1,3)\n      model: mlp\n",
        encoding="utf-8",
    )
    words = ("--config-dir", "own", "experiment=rates")

    swept, typed = compose(*words), compose(*words, "seed=5")

    assert overrides(swept) == [
        {"mode.learning_rate": rate, "seed": seed} for rate in ("0.1", "0.2") for seed in "12"
    ]
    assert {m.job.model.name for m in swept} == {"mlp"}
    assert [(m.job.mode.learning_rate, m.job.seed) for m in typed] == [(0.1, 5), (0.2, 5)]


def test_no_secret_is_shown(compose: Compose) -> None:
    """The query of a signed URL is in no line about a job."""
    url = "https://host/{}.ckpt?Signature=word-for-tests"
    members = compose("mode=evaluate", f"mode.checkpoint='{url.format('a')}','{url.format('b')}'")

    assert [m.words for m in members] == [
        f"mode.checkpoint=https://host/{name}.ckpt?***" for name in "ab"
    ]
