"""Which runs are asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.commands.runs import filters, finding
from pipeline.commands.runs.filters import Filters
from pipeline.errors import ConfigError
from tests.runs.leaving import leave_run


def chosen(folder: Path, *tokens: str) -> set[str]:
    """The ids of the runs in the folder that the words admit."""
    wanted = Filters()
    wrong = [mistake for token in tokens for mistake in filters.add(wanted, token)]
    assert wrong == []
    return {run.id for run in filters.admitted(wanted, finding.in_folders([folder]))}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three runs that differ in everything."""
    leave_run(tmp_path, "good", metrics={"accuracy": 0.95})
    leave_run(
        tmp_path,
        "old",
        job={"mode": "train", "model": "resnet18", "dataset": "cifar10"},
        metrics={"accuracy": 0.9, "loss": 0.5},
        finished="2020-01-01T00:00:00.000Z",
    )
    leave_run(
        tmp_path,
        "bad",
        status="failed",
        metrics={},
        job={"mode": "infer", "model": "resnet50", "dataset": "digits"},
        launch={"cluster": "qizhi"},
        finished="2026-01-01T00:00:00.000Z",
    )
    return tmp_path


@pytest.mark.parametrize(
    ("tokens", "ids"),
    [
        ((), {"good", "old", "bad"}),
        (("status=failed",), {"bad"}),
        (("status=failed,complete", "mode=train"), {"good", "old"}),
        (("model=resnet*",), {"old", "bad"}),
        (("dataset=digits", "cluster=local"), {"good"}),
        (("device=CPU",), {"good", "old", "bad"}),
        (("accuracy>=0.9",), {"good", "old"}),
        (("accuracy>0.9",), {"good"}),
        (("accuracy<=0.9", "loss<1"), {"old"}),
        (("since=1h",), {"good"}),
        (("since=2021-01-01",), {"good", "bad"}),
        (("last=2",), {"good", "bad"}),
    ],
)
def test_a_run_is_listed_where_everything_holds(
    folder: Path, tokens: tuple[str, ...], ids: set[str]
) -> None:
    """Facts by name, several with commas, any letters with a star; limits; ages."""
    assert chosen(folder, *tokens) == ids


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("modle=mlp", "did you mean 'mode' or 'model'"),
        ("accuracy=0.9", "'accuracy>=0.9', in quotes"),
        ("status=faild", "did you mean 'failed'"),
        ("model=", "write model=NAME"),
        ("accuracy>=high", "'accuracy>=0.9'"),
        ("since=yesterday", "since=7d"),
        ("last=0", "last=20"),
        ("last=many", "last=20"),
    ],
)
def test_a_wrong_filter_says_how_it_is_right(token: str, said: str) -> None:
    """Each mistake comes with what to write."""
    (mistake,) = filters.add(Filters(), token)

    assert said in mistake.remedy


def test_a_limit_to_what_nobody_measured_is_a_mistake(folder: Path) -> None:
    """An empty list would say that no run is that good."""
    with pytest.raises(ConfigError, match="did you mean 'accuracy'"):
        chosen(folder, "acuracy>=0.9")


def test_an_empty_list_says_which_filter_leaves_nothing(folder: Path) -> None:
    """With what there is instead."""
    wanted = Filters()
    filters.add(wanted, "model=lenet")

    said = filters.explain_none(wanted, finding.in_folders([folder]))

    assert said.startswith("no run has model=lenet; did you mean 'lenet5'? there is: lenet5, ")
