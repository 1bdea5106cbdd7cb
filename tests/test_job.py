"""The frozen job: types, ranges, and nothing to change afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.configuration.validation import uncertain_calls
from pipeline.job.fields import is_dotted_name
from pipeline.job.job import Job
from pipeline.job.mode import Mode
from tests.jobs import ROOT, composed, mistakes_of

pytestmark = pytest.mark.usefixtures("quick_jobs")


def test_nothing_in_a_job_can_be_changed() -> None:
    """Neither fields nor mappings nor lists."""
    job = composed("model=mlp").job

    with pytest.raises(ValidationError):
        job.mode.epochs = 3  # type: ignore[misc]
    for mapping in (job.platform, job.device.env, job.model.network.arguments, job.dataset.sample):
        with pytest.raises(TypeError):
            mapping["x"] = "y"  # type: ignore[index]
    assert job.model.network.arguments["hidden"] == (128, 64)
    assert isinstance(job.mode.stages, tuple)


def test_a_job_is_made_again_from_its_mapping() -> None:
    """The composed mapping is all there is to a job."""
    found = composed()

    assert Job.model_validate({**found.mapping, "root": ROOT}).mode == found.job.mode


@pytest.mark.parametrize(
    ("run_id", "expected"), [(None, "train-lenet5-digits-"), ("mine", "mine"), ("实验-1", "实验-1")]
)
def test_the_name_of_the_run(run_id: str | None, expected: str) -> None:
    """The one that was asked for, else mode, model, dataset and eight digits."""
    argv = [f"run.id={run_id}"] if run_id else []

    assert composed(*argv).job.run_id.startswith(expected)


@pytest.mark.parametrize(
    ("name", "is_name"),
    [
        ("a.b", True),
        ("a", False),
        ("a..b", False),
        ("模块.网络", True),
        ("a.1", False),
        ("", False),
    ],
)
def test_dotted_names(name: str, is_name: bool) -> None:
    """What can be the name of something in a module."""
    assert is_dotted_name(name) is is_name


@pytest.mark.parametrize("value", [{}, {"target": "a.b"}, "a.b", None])
def test_a_component_is_a_mapping_with_a_target(value: Any) -> None:
    """Anything else is refused."""
    mapping = composed().mapping
    model = {**mapping["model"], "network": value}

    with pytest.raises(ValidationError):
        Job.model_validate({**mapping, "model": model, "root": ROOT})


def test_how_to_learn_has_defaults() -> None:
    """A mode of before, which names no optimizer, is the mode it was."""
    mode = Mode(name="old", stages=("fetch",), epochs=3, batch_size=2)

    assert mode.optimizer.target == "mindspore.nn.Momentum"
    assert mode.loss.target == "mindspore.nn.SoftmaxCrossEntropyWithLogits"
    assert mode.schedule.target == "pipeline.training.schedules.constant"
    assert mode == Mode.model_validate({**SHIPPED, "name": "old", "stages": ["fetch"]})


SHIPPED = {
    "epochs": 3,
    "batch_size": 2,
    "optimizer": {"_target_": "mindspore.nn.Momentum"},
    "schedule": {"_target_": "pipeline.training.schedules.constant"},
    "loss": {"_target_": "mindspore.nn.SoftmaxCrossEntropyWithLogits"},
    "metrics": {},
    "gradient_accumulation": 1,
    "evaluate_every": 0,
    "early_stopping": None,
    "keep_checkpoints": None,
    "checkpoint_every_s": None,
    "time_budget_min": None,
    "export_formats": [],
    "resume": None,
    "strict": True,
}


@pytest.mark.parametrize(
    ("changes", "key", "expected"),
    [
        ({"gradient_accumulation": 0}, "gradient_accumulation", "greater than or equal to 1"),
        ({"evaluate_every": -1}, "evaluate_every", "greater than or equal to 0"),
        ({"keep_checkpoints": 0}, "keep_checkpoints", "greater than or equal to 1"),
        ({"checkpoint_every_s": 0.0}, "checkpoint_every_s", "greater than 0"),
        ({"time_budget_min": 0.0}, "time_budget_min", "greater than 0"),
        ({"export_formats": ["pdf"]}, "export_formats.0", "'mindir' or 'onnx'"),
        ({"early_stopping": {"patience": 0}}, "early_stopping.patience", "or equal to 1"),
        ({"early_stopping": {}}, "early_stopping", "mode.evaluate_every of at least 1"),
        (
            {"early_stopping": {"metric": "f1"}, "evaluate_every": 1},
            "early_stopping",
            "the metric 'f1': expected one of accuracy, loss",
        ),
        ({"metrics": {"loss": {"_target_": "a.b"}}}, "metrics", "and none of accuracy, loss"),
        ({"metrics": {"a b": {"_target_": "a.b"}}}, "metrics", "the name 'a b'"),
        ({"metrics": {"a": {}}}, "metrics.a.target", "Field required"),
        ({"optimizer": None}, "optimizer", "expected a mapping with _target_"),
        ({"resume": ""}, "resume", "at least 1 character"),
    ],
)
def test_what_a_mode_refuses(changes: Any, key: str, expected: str) -> None:
    """Each value out of its range is told at its key."""
    with pytest.raises(ValidationError) as caught:
        Mode.model_validate({**SHIPPED, "name": "x", "stages": ["fetch"], **changes})

    (error,) = caught.value.errors()
    assert ".".join(map(str, error["loc"])) == key
    assert expected in error["msg"]


@pytest.mark.parametrize(
    ("mode", "needs"),
    [
        (["mode=script", "mode.command=true"], False),
        (["mode.stages=[fetch,extract,export]"], False),
        (["mode=train"], True),
        (["experiment=read_imagenet"], True),
    ],
)
def test_who_needs_a_loader(mode: list[str], needs: bool) -> None:
    """What only moves data or runs a script does without; whoever reads them says so."""
    mistakes = mistakes_of(*mode, "~dataset.loader")

    assert set(mistakes) == ({"dataset.loader"} if needs else set())
    assert not needs or "needs it" in mistakes["dataset.loader"].problem


def test_the_components_of_a_job() -> None:
    """How to learn is checked where there are epochs, metrics wherever they stand."""
    metrics = "mode.metrics={top: {_target_: tests.jobs.measure}}"
    training, evaluation = (
        composed(metrics),
        composed("mode=evaluate", "mode.checkpoint=x", metrics),
    )

    assert set(evaluation.job.components) == {"dataset.loader", "model.network", "mode.metrics.top"}
    assert set(training.job.components) - set(evaluation.job.components) == {
        *("mode.optimizer", "mode.schedule", "mode.loss"),
    }


def test_the_default_way_to_learn_needs_no_look_at_mindspore() -> None:
    """A plan of it imports nothing, and works where MindSpore is not installed."""
    assert uncertain_calls(composed().job) == {}
    changed = composed("+mode.loss.reduction=sum").job
    assert set(uncertain_calls(changed)) == {"mode.loss"}
