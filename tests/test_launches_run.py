"""Whole jobs as platforms start them, with a stand-in for moxing as the object store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.platforms import (
    CPU,
    DATA,
    MOVE,
    OUT,
    Platform,
    assert_exported,
    item,
    mnist,
    zipped,
)
from tests.running import files_below
from tests.test_jobs import manifest_of, sha256_of

pytestmark = pytest.mark.slow


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    """A platform with nothing in its buckets."""
    return Platform(tmp_path)


@pytest.mark.parametrize("top", ["", "MNISTData/"], ids=["plain", "top-folder"])
def test_qizhi_with_one_dataset(platform: Platform, top: str) -> None:
    """A folder that the platform has unpacked is here, verified, with the results in the bucket."""
    platform.put("data", mnist(top))

    ended = platform.start(f"--data_url={DATA}", f"--train_url={OUT}", CPU, MOVE)
    again = platform.start(f"--data_url={DATA}", f"--train_url={OUT}", CPU, MOVE)

    found = assert_exported(ended, platform.bucket(ended.run))
    assert found["launch"] == {
        "cluster": "qizhi",
        "detected_by": "--data_url was passed",
        "ranks": 1,
    }
    assert "cluster qizhi, because --data_url was passed" in ended.said
    assert "read as dataset=mnist" in ended.said
    assert files_below(platform.folder / "data" / "data") == mnist(top)
    assert again.code == 0
    assert len(platform.double.calls("copy_parallel")) == 1
    assert "next      a job on the platform with the parameter mode=train" in ended.said


def test_several_datasets_one_of_which_holds_the_checkpoint(platform: Platform) -> None:
    """The platform unpacks checkpoint_lenet-1_1875.zip too; its file is found in the folder."""
    platform.put("1", mnist())
    platform.put("2", {"checkpoint_lenet-1_1875.ckpt": b"weights"})
    several = json.dumps(
        [
            item("s3://bucket/1/", "MNISTData.zip"),
            item("s3://bucket/2/", "checkpoint_lenet-1_1875.zip"),
        ]
    )

    ended = platform.start(
        "--data_url=s3://bucket/1/",
        f"--multi_data_url={several}",
        f"--result_url={OUT}",
        CPU,
        MOVE,
        "--mode=infer",
    )

    found = assert_exported(ended, platform.bucket(ended.run))
    assert [entry["name"] for entry in found["inputs"]] == [
        "MNISTData.zip",
        "checkpoint_lenet-1_1875.zip",
    ]
    assert "checkpoint_lenet-1_1875.ckpt" in ended.log
    assert (platform.folder / "data" / "MNISTData" / "train").is_dir()


def test_the_checkpoint_that_is_named_counts(platform: Platform) -> None:
    """ckpt_url comes before models, and these before what lies in the data."""
    platform.put("1", {**mnist(), "old.ckpt": b"in the data"})
    platform.put("m", {"named.ckpt": b"named", "model.ckpt": b"model"})
    brought = ["--data_url=s3://bucket/1/", f"--result_url={OUT}", CPU, MOVE, "--mode=infer"]
    models = json.dumps([item("s3://bucket/m/model.ckpt", "model.ckpt", "model")])

    by_model = platform.start(*brought, f"--pretrain_url={models}")
    named = platform.start(
        *brought, f"--pretrain_url={models}", "--ckpt_url=s3://bucket/m/named.ckpt"
    )

    names = [ended.manifest["inputs"][-1]["name"] for ended in (by_model, named)]
    assert by_model.code == named.code == 0
    assert names[0].endswith("-model.ckpt")
    assert names[1].endswith("-named.ckpt")
    # The settings are the same, the weights are not.
    assert "inputs changed" in named.said
    assert_exported(named, platform.bucket(named.run))


def test_a_model_that_is_a_folder(platform: Platform) -> None:
    """It is fetched and looked into when the job needs a checkpoint, before the data is."""
    platform.put("1", {**mnist(), "in-the-data.ckpt": b""})
    platform.put("m", {"a/weights.ckpt": b"weights"})
    models = json.dumps([item("s3://bucket/m/", "lenet", "model")])
    brought = ["--data_url=s3://bucket/1/", f"--train_url={OUT}", f"--pretrain_url={models}", CPU]

    ended = platform.start(*brought, MOVE, "--mode=infer")

    assert_exported(ended, platform.bucket(ended.run))
    assert "took the checkpoint" in ended.log
    assert "a/weights.ckpt; there is also in-the-data.ckpt" in ended.log


def test_nothing_that_could_hold_a_checkpoint(platform: Platform) -> None:
    """The job is refused before anything is done."""
    ended = platform.start(f"--result_url={OUT}", CPU, MOVE, "--mode=infer")

    assert ended.code == 2
    assert "select a model" in ended.said
    assert not ended.folder.exists()


def test_data_without_a_checkpoint(platform: Platform) -> None:
    """The job fails at extract and lists what there was."""
    platform.put("data", {**mnist(), "readme.txt": b""})

    ended = platform.start(f"--data_url={DATA}", f"--result_url={OUT}", CPU, MOVE, "--mode=infer")

    assert ended.code == 1
    assert ended.stage("extract")["status"] == "failed"
    assert "readme.txt" in ended.manifest["error"]["message"]
    assert ended.manifest["status"] == "failed"


@pytest.mark.parametrize("is_here", [True, False], ids=["mounted", "to-fetch"])
def test_c2net_with_an_archive(platform: Platform, is_here: bool) -> None:
    """It is unpacked under its name; where containerPath holds it already, nothing is fetched."""
    place = platform.folder / "cache" / "MNISTData.zip"
    source = place if is_here else platform.double.bucket / "a" / "MNISTData.zip"
    source.parent.mkdir()
    source.write_bytes(zipped(mnist()))
    brought = item(
        "obs://bucket/a/MNISTData.zip", "MNISTData.zip", containerPath=str(place), readOnly=True
    )

    ended = platform.start(
        f"--multi_data_url={json.dumps([brought])}",
        "--model_url=s3:///bucket/jobs/model/",
        "--grampus_code_file_name=master.zip",
        CPU,
        MOVE,
        variables={"bucket": "bucket", "remote_path": "jobs/output"},
    )

    assert ended.code == 0, ended.said
    assert (ended.manifest["launch"]["cluster"], ended.manifest["status"]) == ("c2net", "complete")
    assert ended.stage("export")["collected_from"] == str(ended.folder)
    assert "nothing leaves this container" in ended.said
    assert files_below(platform.folder / "data" / "MNISTData") == mnist()
    assert bool(platform.double.calls("copy")) is not is_here


def test_the_unified_environment_with_things_to_fetch(platform: Platform) -> None:
    """Variables alone describe the job; results lie below LOCAL_OUTPUT_PATH and in the bucket."""
    platform.put("a", {"MNISTData.zip": zipped(mnist("MNISTData/")), "lenet.ckpt": b"weights"})
    data = [item("obs://bucket/a/MNISTData.zip", "MNISTData.zip")]
    models = [item("obs://bucket/a/lenet.ckpt", "lenet.ckpt", "model")]
    variables = {
        "DATA_DOWNLOAD_METHOD": "MOXING",
        "DATASET_URL": json.dumps(data),
        "LOCAL_DATASET_PATH": str(platform.folder / "cache" / "dataset"),
        "PRETRAIN_MODEL_URL": json.dumps(models),
        "OUTPUT_URL": "s3:///bucket/out/",
        "LOCAL_OUTPUT_PATH": str(platform.folder / "cache" / "output"),
    }

    ended = platform.start(CPU, MOVE, "--mode=infer", variables=variables)

    found = assert_exported(ended, platform.bucket(ended.run))
    assert found["launch"]["detected_by"] == "DATA_DOWNLOAD_METHOD is set"
    assert [entry["kind"] for entry in found["inputs"]] == ["archive", "checkpoint"]
    assert not (platform.folder / "cache" / "dataset").exists()


def test_the_unified_environment_with_everything_mounted(platform: Platform) -> None:
    """A mount stays as it was: archives are unpacked elsewhere, folders used in place."""
    data, models = platform.folder / "mount", platform.folder / "models"
    for name, content in mnist("unpacked/").items():
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_bytes(content)
    (data / "more.zip").write_bytes(zipped({"a.txt": b"a"}))
    (models / "lenet").mkdir(parents=True)
    (models / "lenet" / "lenet.ckpt").write_bytes(b"weights")
    folders = [p for top in (data, models) for p in (*top.rglob("*"), top) if p.is_dir()]
    before = files_below(data), files_below(models)
    for folder in folders:
        folder.chmod(0o555)
    variables = {
        "DATA_DOWNLOAD_METHOD": "MOUNT",
        "LOCAL_DATASET_PATH": str(data),
        "LOCAL_PRETRAIN_MODEL_PATH": str(models),
        "OUTPUT_URL": "",
        "LOCAL_OUTPUT_PATH": str(platform.folder / "cache" / "output"),
    }

    ended = platform.start(CPU, MOVE, "--mode=infer", variables=variables)
    for folder in folders:
        folder.chmod(0o755)

    assert ended.code == 0, ended.said
    assert (files_below(data), files_below(models)) == before
    assert (platform.folder / "data" / "more" / "a.txt").read_bytes() == b"a"
    assert (platform.folder / "data" / "unpacked").resolve() == data / "unpacked"
    assert f"took the checkpoint {models / 'lenet' / 'lenet.ckpt'}" in ended.log


def test_modelarts_with_local_folders(platform: Platform) -> None:
    """Data are used in place, and results go to the folder that the platform takes away."""
    source, target = platform.folder / "inputs" / "data_url_0", platform.folder / "out_0"
    for name, content in mnist("MNISTData/").items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(content)
    flags = [f"--data_url={source}", f"--train_url={target}", CPU, MOVE]

    ended = platform.start(*flags, variables={"MA_HOME": "/home/ma-user", "MA_JOB_DIR": "/job"})

    found = assert_exported(ended, target / ended.run.name)
    assert (found["launch"]["cluster"], found["inputs"][0]["kind"]) == ("modelarts", "mount")
    assert list(source.parent.iterdir()) == [source]
    assert platform.double.calls("copy") == []


def test_flags_that_nobody_knows(platform: Platform) -> None:
    """Every text arrives as it was, and nothing of it stops the job."""
    platform.put("数据 集", mnist())
    kept = {"备注": "第一次 训练", "i": "3", "note": """{"a": '1', "b": "x=#,"}"""}
    unknown = [part for key, value in kept.items() for part in (f"--{key}", value)]

    ended = platform.start(
        *unknown, "--data_url=s3://bucket/数据 集/", "--train_url=s3://bucket/输出 目录/", CPU, MOVE
    )

    assert_exported(ended, platform.bucket(ended.run, "输出 目录"))
    config = yaml.safe_load((ended.run / "config.yaml").read_text(encoding="utf-8"))
    assert config["platform"] == kept
    assert all(ended.said.count(f"nobody claimed the flag --{key};") == 2 for key in kept)
    assert files_below(platform.folder / "data" / "数据 集") == mnist()


def test_the_current_folder_is_left_alone(platform: Platform) -> None:
    """Platforms start each card in a folder of their own, which may be read-only."""
    platform.put("data", mnist())
    here = platform.folder / "workspace"
    here.chmod(0o555)

    ended = platform.start(f"--data_url={DATA}", f"--train_url={OUT}", CPU, MOVE)
    here.chmod(0o755)

    assert_exported(ended, platform.bucket(ended.run))
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    "faults",
    [{"fail": 1}, {"leave_out": -1}, {"truncate": 1}, {"swallow": 1}, {"fail_list": 1}],
    ids=["copy-fails", "part-missing", "truncated", "swallowed", "list-fails"],
)
@pytest.mark.parametrize("is_archive", [False, True], ids=["folder", "archive"])
def test_a_fault_that_passes(
    platform: Platform, faults: Mapping[str, int], is_archive: bool
) -> None:
    """What came wrong is brought again, and the job is done."""
    flags = [*bring(platform, is_archive), f"--train_url={OUT}", CPU, MOVE]
    platform.double.fail(**faults)

    ended = platform.start(*flags)

    assert_exported(ended, platform.bucket(ended.run))
    assert files_below(platform.folder / "data" / "MNISTData") == mnist()


@pytest.mark.parametrize(
    "faults",
    [{"fail": -1}, {"truncate": -1}, {"swallow": -1}, {"fail_list": -1, "fail_stat": -1}],
    ids=["copy-fails", "truncated", "swallowed", "nothing-answers"],
)
@pytest.mark.parametrize("is_archive", [False, True], ids=["folder", "archive"])
def test_a_fault_that_stays(
    platform: Platform, faults: Mapping[str, int], is_archive: bool
) -> None:
    """The job ends in time with the URL named, and nothing claims to be there; later it is done."""
    flags = [*bring(platform, is_archive), f"--train_url={OUT}", CPU, MOVE]
    platform.double.fail(**faults)

    ended = platform.start(*flags)
    platform.double.fail()
    later = platform.start(*flags)

    assert ended.code == 1
    assert ended.seconds < 45
    assert "obs://bucket/MNISTData" in ended.said
    assert_exported(later, platform.bucket(later.run))
    assert files_below(platform.folder / "data" / "MNISTData") == mnist()


def has_ended(pid: int) -> bool:
    """Whether the process is gone, or waits for nothing but to be counted."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def bring(platform: Platform, is_archive: bool) -> list[str]:
    """The data lies in the bucket; the flag that names it."""
    if not is_archive:
        platform.put("MNISTData", mnist())
        return ["--data_url=s3://bucket/MNISTData/"]
    platform.put("", {"MNISTData.zip": zipped(mnist())})
    return [
        "--multi_data_url",
        json.dumps([item("s3://bucket/MNISTData.zip", "MNISTData.zip")]),
    ]


@pytest.mark.parametrize("call", ["hang", "hang_list", "hang_stat"])
def test_a_hang_is_ended(platform: Platform, call: str) -> None:
    """There are no time limits in moxing; ours are kept, and no process is left."""
    flags = [*bring(platform, call == "hang_stat"), f"--train_url={OUT}", CPU, MOVE]
    platform.double.fail(**{call: -1, "child": 1})

    ended = platform.start(*flags, "--cluster.transfer.stall_s=1")

    assert ended.code == 1
    assert ended.seconds < 30
    assert "obs://bucket/MNISTData" in ended.said
    assert ended.manifest["status"] == "failed"
    assert not list((platform.folder / "data").rglob("train-*"))
    assert has_ended(int((platform.double.root / ".child").read_text()))


@pytest.mark.parametrize(
    "faults",
    [{"fail": -1}, {"swallow": -1}, {"truncate": -1}, {"hang": -1}],
    ids=["copy-fails", "swallowed", "truncated", "hangs"],
)
def test_an_upload_that_is_lost(platform: Platform, faults: Mapping[str, int]) -> None:
    """Exit code 1, the URL named, no manifest that claims more than is there; later it is done."""
    flags = ["dataset=digits", f"--train_url={OUT}", CPU, MOVE, "--cluster.transfer.stall_s=1"]
    platform.double.fail(**faults)

    ended = platform.start(*flags)
    claims = (platform.bucket(ended.run) / "manifest.json").exists()
    platform.double.fail()
    later = platform.start(*flags)

    assert ended.code == 1
    assert ended.seconds < 45
    assert "obs://bucket/out/" in ended.manifest["error"]["message"]
    assert ended.manifest["status"] == "failed"
    assert not claims
    assert_exported(later, platform.bucket(later.run))


@pytest.mark.parametrize("fault", ["fail", "swallow", "truncate", "hang"])
@pytest.mark.parametrize("times", [1, 3])
def test_an_upload_that_fails_for_a_while(platform: Platform, fault: str, times: int) -> None:
    """No more often than it is tried again: everything arrives after all."""
    platform.double.fail(**{fault: times})
    flags = ["dataset=digits", f"--train_url={OUT}", CPU, MOVE, "--cluster.transfer.stall_s=1"]

    ended = platform.start(*flags)

    assert_exported(ended, platform.bucket(ended.run))


@pytest.mark.parametrize("fault", ["fail", "swallow", "fail_remove", "lose_remove"])
def test_an_export_that_is_overtaken(platform: Platform, fault: str) -> None:
    """A manifest in the bucket names only what is there, also when it is an earlier one."""
    flags = ["dataset=digits", f"--train_url={OUT}", CPU, MOVE, "--cluster.transfer.stall_s=1"]
    first = platform.start(*flags)
    there = platform.bucket(first.run)
    assert_exported(first, there)
    platform.double.fail(**{fault: -1})

    ended = platform.start(*flags, "--run.fresh=true")

    assert ended.code == 1
    if (there / "manifest.json").exists():
        for artifact in manifest_of(there)["artifacts"]:
            assert sha256_of(there / artifact["path"]) == artifact["sha256"]


def test_other_data_under_the_same_name(platform: Platform) -> None:
    """A finished run does not stand for one whose data came from somewhere else."""
    platform.put("a/data", {"x.txt": b"one"})
    platform.put("b/data", {"x.txt": b"two"})
    flags = [f"--train_url={OUT}", CPU, MOVE]

    first = platform.start("--data_url=s3://bucket/a/data/", *flags)
    assert_exported(first, platform.bucket(first.run))
    for data_url in ("s3://bucket/b/data/", "s3://bucket/a/data/"):
        ended = platform.start(f"--data_url={data_url}", *flags)

        assert "inputs changed" in ended.said
        assert_exported(ended, platform.bucket(ended.run))
    assert (platform.folder / "data" / "data" / "x.txt").read_bytes() == b"one"


@pytest.mark.mindspore
def test_the_official_samples_in_turn(platform: Platform) -> None:
    """Trained on Qizhi, predicted there with ckpt_url, trained on with C2Net from an archive."""
    platform.put("data", mnist("MNISTData/"))
    small = ["--epoch_size=1", "--batch_size=20", CPU]
    data = [item("s3://bucket/MNISTData.zip", "MNISTData.zip")]
    weights = item("s3://bucket/checkpoint_lenet-1_1875.zip", "checkpoint_lenet-1_1875.zip")

    trained = platform.start(
        f"--data_url={DATA}", f"--train_url={OUT}", "--experiment=qizhi_train", *small
    )
    there = platform.bucket(trained.run) if trained.code == 0 else Path()
    checkpoint = (there / "checkpoints" / "lenet5-1.ckpt").read_bytes()
    platform.put("", {"MNISTData.zip": zipped(mnist())})
    packed = {"checkpoint_lenet-1_1875.ckpt": checkpoint}
    platform.put("", {"checkpoint_lenet-1_1875.zip": zipped(packed)})
    predicted = platform.again("infer").start(
        f"--data_url={DATA}",
        f"--ckpt_url={OUT}{trained.run.name}/checkpoints/lenet5-1.ckpt",
        f"--result_url={OUT}",
        "--experiment=qizhi_infer",
        CPU,
    )
    pretrained = platform.again("pretrain").start(
        f"--multi_data_url={json.dumps([*data, weights])}",
        "--model_url=s3:///bucket/model/",
        "--experiment=c2net_pretrain",
        *small,
    )

    assert "accuracy" in assert_exported(trained, there)["metrics"]
    assert_exported(predicted, platform.bucket(predicted.run))
    assert len((predicted.run / "predictions.csv").read_text().splitlines()) == 61
    assert pretrained.code == 0, pretrained.said
    assert pretrained.manifest["launch"]["cluster"] == "c2net"
    assert pretrained.stage("train")["status"] == "done"
