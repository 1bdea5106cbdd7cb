"""The digest that names a run."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.jobs import composed

pytestmark = pytest.mark.usefixtures("quick_jobs")

SAME = [
    "dataset.archives.0.url=obs://other/digits.zip",
    "dataset.archives.0.url=/mnt/digits.zip",
    "dataset.archives.0.name=digits.tar.gz",
    "+dataset.archives.0.mount=true",
    "cluster.name=elsewhere",
    "cluster.data_dir=[a,b]",
    "cluster.output_dir=o",
    "cluster.export_url=s3://bucket/x",
    "cluster.transfer.parallel=1",
    "dataset.limits.members=7",
    "dataset.keep_archives=false",
    "run.id=mine",
    "run.fresh=true",
    "device.env.ONEDNN_MAX_CPU_ISA=AVX",
    "--unknown=3",
    "mode.keep_checkpoints=2",
    "mode.checkpoint_every_s=30",
    "mode.time_budget_min=5",
    "mode.export_formats=[mindir]",
]
OTHER = [
    "mode.epochs=2",
    "mode.batch_size=2",
    "mode.learning_rate=0.5",
    "mode.checkpoint=latest",
    "mode.resume=launch",
    "mode.strict=false",
    "mode.gradient_accumulation=2",
    "mode.evaluate_every=1",
    "mode.optimizer._target_=mindspore.nn.SGD",
    "mode.schedule._target_=pipeline.training.schedules.cosine",
    "+mode.loss.reduction=sum",
    "mode.metrics={top_2: {_target_: tests.jobs.measure}}",
    "mode.stages=[fetch,extract]",
    "seed=2",
    f"dataset.archives.0.sha256={'0' * 64}",
    "dataset.archives.0.name=letters.zip",
    "dataset=mnist",
    "model=mlp",
    "model.network.classes=12",
    "dataset.sample.size=28",
    "device.precision=O2",
    "device.target=GPU",
    "device.workers=1",
]


def digest(*argv: str, current_folder: Path = Path("/")) -> str:
    """The digest of what the command line asks for; inputs go by name unless it says otherwise."""
    undeclared = "dataset.archives.0.sha256=null"
    return composed(undeclared, *argv, current_folder=current_folder).job.digest


@settings(max_examples=12)
@given(st.lists(st.sampled_from(SAME)))
def test_where_and_how_do_not_count(argv: list[str]) -> None:
    """URLs, folders, limits, cluster and export place leave the name as it is."""
    assert digest(*argv) == digest()


@settings(max_examples=12)
@given(st.sampled_from(OTHER), st.lists(st.sampled_from(SAME)))
def test_each_thing_that_decides_the_result_counts(token: str, others: list[str]) -> None:
    """A number, a seed, a declared digest, a network: each makes another run."""
    assert digest(*others, token) != digest(*others)


def test_all_that_decide_make_different_runs() -> None:
    """No two of them give the same name."""
    assert len({digest(token) for token in OTHER}) == len(OTHER)


@pytest.mark.parametrize("key", ["checkpoint", "resume"])
def test_what_it_starts_from_counts_as_it_was_written(tmp_path: Path, key: str) -> None:
    """The same words name the same run in every folder."""
    token = f"mode.{key}=some/x.ckpt"

    assert digest(token) == digest(token, current_folder=tmp_path)


def test_how_to_learn_is_nothing_to_a_mode_that_does_not_train() -> None:
    """An evaluation stays the same run, whatever optimizer other modes have."""
    evaluation = ["mode=evaluate", "mode.checkpoint=x"]

    metric = "mode.metrics={a: {_target_: tests.jobs.measure}}"

    assert digest(*evaluation, "+mode.gradient_accumulation=2") == digest(*evaluation)
    assert digest(*evaluation, metric) != digest(*evaluation)


def test_an_edited_network_is_another_run(tmp_path: Path) -> None:
    """The source of the module that a target names counts, byte for byte."""
    sys.path.append(str(tmp_path))
    network = tmp_path / "network_for_the_digest.py"
    network.write_text("class Net:\n    def __init__(self, classes, channels): ...\n")
    token = "model.network._target_=network_for_the_digest.Net"
    before = digest(token)

    network.write_text(network.read_text() + "# edited\n")

    assert digest(token) != before


def test_the_place_of_the_source_does_not_count(tmp_path: Path) -> None:
    """The same code elsewhere is the same run."""
    (tmp_path / "a").mkdir()
    network = tmp_path / "a" / "network_that_moves.py"
    network.write_text("class Net:\n    def __init__(self, classes, channels): ...\n")
    token = "model.network._target_=network_that_moves.Net"
    sys.path.append(str(network.parent))
    before = digest(token)

    shutil.move(tmp_path / "a", tmp_path / "b")
    sys.path.append(str(tmp_path / "b"))

    assert digest(token) == before
