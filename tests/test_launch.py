"""What platforms pass, understood: real launch lines, odd spellings, and who wins."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pipeline import cli
from pipeline.configuration import arguments, compose
from pipeline.configuration.brought import Brought, items_of, place_of
from pipeline.configuration.compose import Composed
from pipeline.processes import world

ROOT = Path(__file__).resolve().parent.parent
LAUNCHES = json.loads((ROOT / "tests/launches/launches.json").read_text(encoding="utf-8"))
BY_NAME = {launch["name"]: launch for launch in LAUNCHES["launches"]}


def composed(*argv: str, current_folder: Path = ROOT, **variables: str) -> Composed:
    """What this command line and environment compose to."""
    found = arguments.read(argv, commands=cli.COMMANDS, roots=compose.roots(ROOT))
    return compose.compose(found, root=ROOT, current_folder=current_folder, variables=variables)


def facts_of(job: Any, env: Mapping[str, str]) -> dict[str, Any]:
    """The job in the words that the launches' `means` use."""
    here = world.read(job.cluster.world.model_dump(), env)
    checkpoint = job.launched.checkpoint or next(iter(job.launched.models), "")
    return {
        "export_url": job.cluster.export_url,
        "device": job.device.target.lower(),
        "mode": job.mode.name,
        "mode.epochs": job.mode.epochs,
        "output_dir": job.cluster.output_dir[0],
        "checkpoint": checkpoint.rpartition("/")[2],
        "collected_by_platform": job.cluster.export_url is None,
        "rank": here.rank,
        "size": here.size,
        "device_id": here.device,
    }


@pytest.mark.parametrize("name", BY_NAME)
def test_a_real_launch_is_understood(name: str) -> None:
    """Each recorded launch means what is written beside it."""
    launch = BY_NAME[name]
    means = dict(launch["means"])

    job = composed(*launch["argv"], **launch["env"]).job

    assert job.cluster.name == launch["cluster"]
    datasets = means.pop("datasets", None)
    for_others = {"unpacked_elsewhere"}
    found = facts_of(job, launch["env"])
    assert {k: found[k] for k in means if k not in for_others} == {
        k: v for k, v in means.items() if k not in for_others
    }
    if isinstance(datasets, int):
        assert len(job.dataset.archives) == datasets
    if isinstance(datasets, list):
        assert [a.url for a in job.dataset.archives] == [d["url"] for d in datasets]


@pytest.mark.parametrize("text", ["", "  ", "[]", "[{}]", "{}", '[{"other": 1}]'])
def test_nothing_brought_is_nothing(text: str) -> None:
    """Platforms without a dataset pass empty lists in several spellings."""
    assert items_of(text) == ()


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("s3://b/k/", [("obs://b/k/", "k")]),
        ("/cache/data/", [("/cache/data/", "data")]),
        ('{"dataset_url":"obs://b/a.zip"}', [("obs://b/a.zip", "a.zip")]),
        ('[{"dataset_url":"obs://b/a/","dataset_name":"../../x.zip"}]', [("obs://b/a/", "x.zip")]),
        (
            "[{dataset_url:obs://b/a.zip,dataset_name:a.zip,readOnly:true},"
            "{dataset_url:s3:///b/c.zip,dataset_name:c.zip}]",
            [("obs://b/a.zip", "a.zip"), ("obs://b/c.zip", "c.zip")],
        ),
        ("['obs://b/a.zip']", []),
    ],
)
def test_lists_in_every_spelling(
    text: str, items: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """JSON, one item, a plain place, and JSON whose quotes a shell has eaten."""
    monkeypatch.setattr(Path, "is_dir", lambda path: path == Path("/cache"))

    assert [(item.url, item.name) for item in items_of(text)] == items


def test_places_in_every_spelling(tmp_path: Path) -> None:
    """One bucket in four spellings is one place; a path that is here stays a path."""
    spellings = ["s3://b/k/", "s3:///b/k/", "obs://b/k/", "/b-no-such-folder/k/"]

    found = [place_of(text) for text in spellings]

    assert found == ["obs://b/k/", "obs://b/k/", "obs://b/k/", "obs://b-no-such-folder/k/"]
    assert place_of(f"{tmp_path}/x") == f"{tmp_path}/x"


def test_what_was_typed_beats_the_tables_and_these_the_environment() -> None:
    """Overrides, then flags of the tables, then variables, then YAML."""
    flags = ["--data_url=s3://b/k/", "--train_url=s3://b/flag/", "--epoch_size=5"]
    variables = {"OUTPUT_URL": "s3://b/variable/", "DATA_DOWNLOAD_METHOD": "MOXING"}

    by_variable = composed(flags[0], **variables).job
    by_flag = composed(*flags, **variables).job
    by_hand = composed("cluster.export_url=s3://b/typed/", "mode.epochs=7", *flags, **variables).job

    assert by_variable.cluster.export_url == "obs://b/variable/"
    assert (by_flag.cluster.export_url, by_flag.mode.epochs) == ("obs://b/flag/", 5)
    assert (by_hand.cluster.export_url, by_hand.mode.epochs) == ("s3://b/typed/", 7)


def test_ma_inputs_stand_in_for_flags() -> None:
    """ModelArts may say in JSON what flags say elsewhere; a flag that is passed counts more."""
    item = {"parameter": {"label": "data_url", "value": "/home/ma-user/in"}}
    output = {"parameter": {"label": "train_url", "value": "/home/ma-user/out"}}
    variables = {
        "MA_INPUTS": json.dumps({"inputs": [item]}),
        "MA_OUTPUTS": json.dumps({"outputs": [output]}),
    }

    job = composed(**variables).job
    typed = composed("--train_url=/home/elsewhere", **variables).job

    assert job.cluster.name == "modelarts"
    assert job.dataset.archives[0].url == "/home/ma-user/in"
    assert job.cluster.export_url == "/home/ma-user/out"
    assert typed.cluster.export_url == "/home/elsewhere"


def test_a_flag_that_the_mode_lacks_does_not_stop_the_job() -> None:
    """epoch_size means nothing to an inference; it is kept and named."""
    found = composed("--data_url=s3://b/k/", "--mode=infer", "--epoch_size=5")

    assert found.job.platform == {"mode.epochs": "5"} or "epoch_size" in str(found.job.platform)
    assert any("kept under platform" in note for note in found.notes)


def test_abbreviations_never_match() -> None:
    """--i=3 is a flag of the user's, and --data is not --data_url."""
    job = composed("--i=3", "--data=s3://b/k/").job

    assert job.cluster.name == "local"
    assert job.platform == {"i": "3", "data": "s3://b/k/"}


def test_both_flag_forms_are_one() -> None:
    """`--name value` and `--name=value` say the same."""
    items = '[{"dataset_url":"s3://b/k/","dataset_name":"a b.zip"}]'

    one = composed(f"--multi_data_url={items}", "--train_url=s3://b/o/").job
    two = composed("--multi_data_url", items, "--train_url", "s3://b/o/").job

    assert one.dataset.archives == two.dataset.archives
    assert one.cluster == two.cluster


def test_a_mount_is_used_in_place_and_archives_in_it_are_not(tmp_path: Path) -> None:
    """What lies in a mount is found without a list: folders as they are, archives to unpack."""
    (tmp_path / "MNISTData").mkdir()
    (tmp_path / "more.zip").write_bytes(b"")
    variables = {"DATA_DOWNLOAD_METHOD": "MOUNT", "LOCAL_DATASET_PATH": str(tmp_path)}

    archives = composed(**variables).job.dataset.archives

    assert [(a.name, a.mount) for a in archives] == [("MNISTData", True), ("more.zip", False)]


def test_what_the_platform_put_here_is_not_fetched_again(tmp_path: Path) -> None:
    """An item's containerPath counts where something lies there, and only then."""
    here = tmp_path / "a.zip"
    here.write_bytes(b"")
    item = {"dataset_url": "obs://b/a.zip", "dataset_name": "a.zip"}
    there = json.dumps([{**item, "containerPath": str(here)}])
    missing = json.dumps([{**item, "containerPath": str(tmp_path / "b.zip")}])

    assert composed("--multi_data_url", there).job.dataset.archives[0].url == str(here)
    assert composed("--multi_data_url", missing).job.dataset.archives[0].url == "obs://b/a.zip"


def test_two_datasets_of_one_name_land_apart() -> None:
    """Nothing is overwritten by a namesake."""
    items = [{"dataset_url": f"s3://b/{n}/", "dataset_name": "data.zip"} for n in (1, 2)]

    archives = composed("--multi_data_url", json.dumps(items)).job.dataset.archives

    assert [a.name for a in archives] == ["data.zip", "2-data.zip"]


def test_the_log_says_what_was_concluded() -> None:
    """Cluster, data, device and export place are named with their reasons."""
    notes = " ".join(composed("--data_url=s3://b/k/", "--grampus_x=1").notes)

    assert "cluster c2net, because --grampus_x was passed" in notes
    assert "read as dataset=mnist" in notes
    assert "runs on the CPU" in notes
    assert "nothing leaves this container" in notes


def test_train_ignores_brought_checkpoints_and_infer_takes_the_named_one() -> None:
    """The launch's checkpoint waits until a mode needs one."""
    brought = ["--data_url=s3://b/k/", "--ckpt_url=s3://b/m/lenet.ckpt"]

    train, infer = composed(*brought).job, composed(*brought, "--mode=infer").job

    assert train.mode.checkpoint is None
    assert infer.launched.checkpoint == "obs://b/m/lenet.ckpt"


def test_items_are_values() -> None:
    """Two spellings of one item are equal."""
    assert items_of("s3:///b/a.zip") == (Brought("obs://b/a.zip", "a.zip"),)


def test_a_recipe_is_a_choice() -> None:
    """What a recipe chooses is not detected over; the launch's values, being typed, count more."""
    brought = ["--data_url=s3://b/k/", "--train_url=s3://b/o/", "--grampus_x=1", "--epoch_size=2"]

    found = composed("--experiment=qizhi_train", *brought)
    by_hand = composed("--experiment=qizhi_train", "--cluster=openi", *brought).job

    assert (found.job.cluster.name, found.job.mode.epochs) == ("qizhi", 2)
    assert [a.url for a in found.job.dataset.archives] == ["obs://b/k/"]
    assert any("cluster qizhi was chosen; found: cluster c2net" in note for note in found.notes)
    assert by_hand.cluster.name == "openi"
