"""What a relative path counts from."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.jobs import ROOT, composed

pytestmark = pytest.mark.usefixtures("quick_jobs")


def test_a_path_in_yaml_counts_from_the_project(tmp_path: Path) -> None:
    """Wherever the user stands, and whether or not the file was chosen by hand."""
    for argv in ([], ["cluster=local", "dataset=digits"]):
        job = composed(*argv, current_folder=tmp_path).job

        assert job.cluster.data_dir == (str(ROOT / "data"),)
        assert job.dataset.archives[0].url.startswith(str(ROOT))


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("cluster.data_dir=x", "{here}/x"),
        ("cluster.data_dir=[x]", "{here}/x"),
        ("cluster.data_dir=/abs/x", "/abs/x"),
        ("cluster.data_dir=~/x", "{home}/x"),
        ("cluster.data_dir=~no-such-user/x", "{here}/~no-such-user/x"),
    ],
)
def test_a_typed_path_counts_from_where_the_user_stands(
    token: str, expected: str, tmp_path: Path
) -> None:
    """What is typed means what it means to every other command."""
    job = composed(token, current_folder=tmp_path).job

    assert job.cluster.data_dir == (expected.format(here=tmp_path, home=Path.home()),)


@pytest.mark.parametrize("url", ["obs://b/x", "s3:///b/x", "file:///x", "https://host/x?a=1"])
def test_a_url_is_no_path(url: str, tmp_path: Path) -> None:
    """Whatever has a scheme stays as it is."""
    token = f"cluster.export_url={url}"

    assert composed(token, current_folder=tmp_path).job.cluster.export_url == url


@pytest.mark.parametrize(
    ("text", "is_path"),
    [("latest", False), ("train-lenet5-1234", False), ("x.ckpt", True), ("a/x", True)],
)
def test_a_checkpoint_may_be_the_name_of_a_run(text: str, is_path: bool, tmp_path: Path) -> None:
    """A slash or .ckpt makes a path of it; other words are names."""
    job = composed(f"mode.checkpoint={text}", current_folder=tmp_path).job

    assert job.mode.checkpoint == (str(tmp_path / text) if is_path else text)
