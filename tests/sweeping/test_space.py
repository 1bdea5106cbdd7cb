"""What a search chooses from, before anything runs."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import cli
from pipeline.commands.sweeping.searching import space
from pipeline.commands.sweeping.searching.dimension import NoSpaceError, Range
from pipeline.commands.sweeping.searching.epochs import Epochs
from pipeline.commands.sweeping.searching.parting import part
from pipeline.commands.sweeping.searching.preparing import Prepared, prepare
from pipeline.disk import jsonlines
from pipeline.errors import ConfigError
from pipeline.messages import log
from tests.jobs import ROOT, read

pytestmark = pytest.mark.usefixtures("quick_jobs")

PLACES = ("cluster.data_dir=data", "cluster.output_dir=outputs", "cluster.export_url=exports")


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Prepared]:
    """The search of a command line whose folders all lie in tmp_path."""
    monkeypatch.chdir(tmp_path)

    def make(*words: str) -> Prepared:
        parted = part(read("-m", *PLACES, *words), root=ROOT, current_folder=tmp_path)
        assert parted.is_search
        return prepare(parted, root=ROOT, start_file="run.py", known=[])

    return make


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., int]]:
    """Calls the command line with all folders in tmp_path."""
    monkeypatch.setattr("sys.argv", ["run.py"])
    monkeypatch.chdir(tmp_path)
    handler = signal.getsignal(signal.SIGTERM)
    yield lambda *words: cli.main([*PLACES, *words], ROOT)
    signal.signal(signal.SIGTERM, handler)
    log.to_folder(None)


def words(found: Prepared) -> dict[str, str]:
    """What the search chooses from, for people."""
    return {d.key: d.words for d in found.composer.dimensions}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"low": 0.1, "high": 1}, Range(0.1, 1.0)),
        ({"low": 1, "high": 8}, Range(1, 8, is_whole=True)),
        ({"low": 1, "high": 8, "type": "float"}, Range(1.0, 8.0)),
        ({"low": 1e-3, "high": 0.1, "log": True}, Range(1e-3, 0.1, is_log=True)),
        ({"low": 5, "high": 19, "step": 5}, Range(5, 15, 5, is_whole=True)),
        ("tag(log, int, interval(1, 8))", Range(1, 8, is_log=True, is_whole=True)),
        ("int(interval(1, 8))", Range(1, 8, is_whole=True)),
        ("range(0,1,0.25)", Range(0.0, 0.75, 0.25)),
        ("range(5,0,-2)", Range(1, 5, 2, is_whole=True)),
    ],
)
def test_ranges(value: Any, expected: Range) -> None:
    """In YAML's words and in Hydra's."""
    assert space.of_yaml("key", value).values == expected


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (3, "3: expected a range or a list"),
        ({}, "expected a range or a list"),
        ([], "an empty list"),
        ([1, 1.0], "1.0 stands twice"),
        ("word", "'word': expected several values or a range"),
        ({"low": 1}, "high null: expected a number"),
        ({"low": True, "high": 2}, "low true: expected a number"),
        ({"low": 0, "high": math.inf}, "expected a number"),
        ({"low": 2, "high": 1}, "from 2 to 1: expected the lower end first"),
        ({"low": 0, "high": 1, "log": True}, "expected a lower end above 0"),
        ({"low": 1, "high": 2, "log": True, "step": 1}, "step and log exclude each other"),
        ({"low": 1, "high": 2, "step": 0}, "step 0: expected more than 0"),
        ({"low": 1, "hihg": 2}, "there is no 'hihg' in a range; did you mean 'high'?"),
        ({"low": 0.5, "high": 2, "type": "int"}, "type int expects whole numbers"),
        ({"low": 1, "high": 2, "type": "text"}, "expected int or float"),
        ({"low": 1, "high": 2, "log": 1}, "log 1: expected true or false"),
        ({"choices": [1], "low": 1}, "choices and low exclude each other"),
        ("range(1,1)", "has no values"),
    ],
)
def test_what_is_no_space(value: Any, said: str) -> None:
    """It is refused in words."""
    with pytest.raises(NoSpaceError) as refused:
        space.of_yaml("key", value)

    assert said in str(refused.value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["low", "high", "step", "log", "choices"]), inner, max_size=3
            )
        ),
        max_leaves=6,
    )
)
def test_any_value_is_a_dimension_or_refused(value: Any) -> None:
    """Whatever stands in YAML, each end has a setting that a command line could hold."""
    try:
        found = space.of_yaml("mode.epochs", value)
    except NoSpaceError:
        return

    assert [found.setting(end).key for end in found.ends] == ["mode.epochs"] * len(found.ends)


def test_what_is_typed_wins(prepared: Callable[..., Prepared]) -> None:
    """A sweep takes the place of a range, a value takes the key out of the space."""
    recipe, typed = (
        prepared("experiment=digits_search"),
        prepared("experiment=digits_search", "mode.learning_rate=0.1,0.2", "mode.batch_size=8"),
    )

    assert words(recipe) == {
        "mode.learning_rate": "0.001 to 0.1, by their logarithm",
        "mode.batch_size": "16, 32, 64",
        "model": "lenet5, mlp",
    }
    assert words(typed) == {"model": "lenet5, mlp", "mode.learning_rate": "0.1, 0.2"}
    assert typed.first.job.mode.batch_size == 8
    assert recipe.prune_on == "test_accuracy"


def test_a_search_has_an_id_of_its_own(prepared: Callable[..., Prepared]) -> None:
    """Space, metric and direction make it; how many trials there are, and chosen how, does not."""
    base = ("mode.momentum=interval(0.1,0.9)",)
    found = prepared(*base)

    same = prepared(*base, "sweep.search.trials=3", "sweep.search.sampler=random", "sweep.jobs=2")
    others = [
        prepared("mode.momentum=interval(0.1,0.8)"),
        prepared(*base, "sweep.search.metric=loss"),
        prepared(*base, "sweep.search.direction=min"),
        prepared(*base, "seed=5"),
    ]

    assert same.search_id == found.search_id
    assert len({found.search_id, *(other.search_id for other in others)}) == 5
    assert (found.metric, found.direction) == ("accuracy", "max")
    assert (others[1].metric, others[1].direction) == ("loss", "min")


def test_a_trial_is_the_job_of_its_values(prepared: Callable[..., Prepared]) -> None:
    """The same run as a command line alone would start, flags and exact texts included."""
    found = prepared("--learning_rate=interval(0.1,0.2)", "model=lenet5,mlp", "sweep.jobs=2")
    values: Mapping[str, Any] = {"model": "mlp", "learning_rate": 0.125}

    member = found.composer.compose(7, values)
    alone = found.composer.alone(values)

    assert (member.number, member.job.model.name) == (7, "mlp")
    assert member.job.mode.learning_rate == 0.125
    assert [s.token for s in alone.settings][3:] == ["model=mlp", "--learning_rate=0.125"]
    assert not alone.is_multirun


def test_all_mistakes_are_told(
    call: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """In the space and in the jobs at its ends, at once, and nothing has been written."""
    wanted = (
        "sweep.search.space={mode.learning_rat: [1, 2], mode.batch_size: [16, x], model: "
        "[lenet5, mlpp], mode.epochs: {low: 5, high: 2}, mode.momentum: {low: 0, high: 1}}"
    )
    assert call("-m", wanted, "sweep.search.trials=0", "sweep.search.pruner=medan") == 2
    said = capsys.readouterr().err

    assert said.count("mode.learning_rat: there is no such key") == 1
    assert "mode.batch_size: 'x': expected a whole number (set by sweep.search.space)" in said
    assert (
        "model: there is no choice 'mlpp' (set by sweep.search.space); did you mean 'mlp'" in said
    )
    assert "mode.epochs: from 5 to 2: expected the lower end first" in said
    assert "mode.momentum: 1: expected less than 1" in said
    assert "sweep.search.trials: 0: expected at least 1" in said
    assert "'medan': expected one of median, hyperband, halving, none" in said
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (("sweep.search.trials=3",), "there is nothing to choose from"),
        (("seed=int(interval(1,3))", "run.id=a"), "'a' would be the name of every trial"),
        (("seed=interval(1,3)",), "whole numbers are int(interval(LOW,HIGH))"),
        (("seed=int(interval(1,3))", "sweep.search.prune_on=loss"), "gets better the other way"),
        (
            ("seed=1,2", "sweep.search.pruner={_target_: optuna.pruners.MedianPruner, warm: 1}"),
            "sweep.search.pruner.warm: optuna.pruners.MedianPruner has no such argument",
        ),
        (
            ("seed=1,2", "sweep.search.sampler={_target_: optuna.pruners.NopPruner}"),
            "optuna.pruners.NopPruner is no sampler of Optuna's",
        ),
    ],
)
def test_what_cannot_be_searched(
    call: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    wanted: tuple[str, ...],
    said: str,
) -> None:
    """It is refused before anything is written."""
    assert call("-m", *wanted) == 2
    assert said in capsys.readouterr().err
    assert list(Path.cwd().iterdir()) == []


def test_a_study_that_cannot_be_opened(
    call: Callable[..., int], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A file that is no study is named as the mistake it is, and left as it was."""
    (tmp_path / "study.db").write_text("no database" * 100, encoding="utf-8")
    storage = f"sweep.search.storage=sqlite:///{tmp_path}/study.db"

    assert call("-m", "seed=1,2", storage) == 2

    assert "sweep.search.storage: the study cannot be opened" in capsys.readouterr().err
    assert (tmp_path / "study.db").read_text(encoding="utf-8").startswith("no database")


def test_a_plan_writes_nothing(
    call: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """The space, and how many trials would run."""
    assert call("plan", "-m", "experiment=digits_search") == 0

    said = capsys.readouterr().out
    assert "MedianPruner on test_accuracy" in said
    assert "12 would run" in said
    assert list(Path.cwd().iterdir()) == []


def test_epochs_are_told_once(tmp_path: Path) -> None:
    """As they come, half lines when they are whole, and none again after a run begins anew."""
    path = tmp_path / "metrics.jsonl"
    epochs = Epochs(tmp_path, "accuracy", known=[1])
    assert list(epochs.fresh()) == []

    for number, value in enumerate([0.1, 0.2, None], start=1):
        jsonlines.append(path, {"epoch": number, "accuracy": value})
    with path.open("a", encoding="utf-8") as file:
        file.write('damaged\n{"epoch": 4, "accu')
    (second, value), (third, nothing) = epochs.fresh()
    with path.open("a", encoding="utf-8") as file:
        file.write('racy": 0.4}\n{"epoch": 5, "loss": 1}\n[6]\n{"epoch": 7, "accuracy": "x"}\n')
    later = list(epochs.fresh())
    path.unlink()
    for number in (1, 2, 8):
        jsonlines.append(path, {"epoch": number, "accuracy": 0.5})

    assert (second, value, third) == (2, 0.2, 3)
    assert math.isnan(nothing)
    assert later == [(4, 0.4)]
    assert list(epochs.fresh()) == [(8, 0.5)]


def test_a_broken_configuration_is_told(call: Callable[..., int], tmp_path: Path) -> None:
    """Whether it is a search cannot be told then, and the job is wrong in any case."""
    folder = tmp_path / "own" / "experiment"
    folder.mkdir(parents=True)
    (folder / "bad.yaml").write_text("a: [", encoding="utf-8")

    assert call("-m", "--config-dir", "own", "experiment=bad", "seed=1,2") == 2
    with pytest.raises(ConfigError):
        part(
            read("-m", "--config-dir", "own", "experiment=bad"), root=ROOT, current_folder=tmp_path
        )
