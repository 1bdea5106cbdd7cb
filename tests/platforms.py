"""Machines of platforms, with a stand-in for moxing as the object store."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.datasets import idx
from tests.moxing_double import DOUBLES, Double
from tests.running import files_below
from tests.test_jobs import manifest_of, sha256_of

ROOT = Path(__file__).resolve().parent.parent
SECRET = "secret-access-key-for-tests"
MOVE = "--mode.stages=[fetch,extract,export]"
CPU = "--device_target=CPU"
DATA, OUT = "s3://bucket/data/", "s3://bucket/out/"
# Variables of a platform, or of a test before, that would be part of the launch.
FOREIGN = ("OBS_", "MA_", "RANK", "DEVICE", "ASCEND", "MS_", "LOCAL_", "DATA", "PRETRAIN", "OUTPUT")


def mnist(folder: str = "", count: int = 60) -> dict[str, bytes]:
    """A tiny set in the layout of MNIST, by path below `folder`: bars whose place is the label."""
    files = {}
    for split, prefix in (("train", "train"), ("test", "t10k")):
        labels = (np.arange(count) % 10).astype(np.uint8)
        images = np.zeros((count, 28, 28), np.uint8)
        for image, label in zip(images, labels):
            image[:, 2 * label + 2 : 2 * label + 5] = 200
        files[f"{folder}{split}/{prefix}-images-idx3-ubyte"] = idx.encode(images)
        files[f"{folder}{split}/{prefix}-labels-idx1-ubyte"] = idx.encode(labels)
    return files


def zipped(files: Mapping[str, bytes]) -> bytes:
    """The files as one archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def item(url: str, name: str, kind: str = "dataset", **more: Any) -> dict[str, Any]:
    """One entry of a platform's list."""
    return {f"{kind}_url": url, f"{kind}_name": name, **more}


@dataclass
class Ended:
    """A job that has ended, and what there was of it then."""

    code: int
    said: str
    seconds: float
    folder: Path
    run: Path = field(init=False, default=Path("no-run"))
    manifest: dict[str, Any] = field(init=False, default_factory=dict)
    log: str = field(init=False, default="")

    def __post_init__(self) -> None:
        """Reads the only run folder, where there is one."""
        for manifest in self.folder.glob("[a-z]*/manifest.json"):
            if ".old-" not in manifest.parent.name:
                self.run = manifest.parent
                self.manifest = manifest_of(self.run)
                self.log = (self.run / "run.log").read_text(encoding="utf-8")

    def stage(self, name: str) -> dict[str, Any]:
        """What the manifest says of one stage."""
        return next(stage for stage in self.manifest["stages"] if stage["name"] == name)


@dataclass
class Platform:
    """A machine of a platform: buckets, places for data and results, a folder to stand in."""

    folder: Path
    double: Double = field(init=False)

    def __post_init__(self) -> None:
        """Makes the buckets and the folder."""
        self.double = Double(self.folder / "obs")
        (self.folder / "workspace").mkdir()

    def again(self, name: str) -> Platform:
        """Another machine with the same buckets."""
        (self.folder / name).mkdir()
        other = Platform(self.folder / name)
        other.double = self.double
        return other

    def put(self, prefix: str, files: Mapping[str, bytes]) -> None:
        """The bucket holds these files below the prefix."""
        for name, content in files.items():
            path = self.double.bucket / prefix / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def bucket(self, run: Path, prefix: str = "out") -> Path:
        """Where the run lies in the bucket."""
        return self.double.bucket / prefix / run.name

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """What the platform sets."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
        return {
            **kept,
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(DOUBLES),
            "MOXING_DOUBLE_ROOT": str(self.double.root),
            "OBS_SECRET_ACCESS_KEY": SECRET,
            **variables,
        }

    def start(
        self, *flags: str, variables: Mapping[str, str] | None = None, project: Path = ROOT
    ) -> Ended:
        """The project's run.py is started, from a folder that is not its own, to its end."""
        places = [f"--cluster.data_dir={self.folder / 'data'}"]
        output = self.folder / "outputs"
        if not (variables or {}).get("LOCAL_OUTPUT_PATH"):
            places.append(f"--cluster.output_dir={output}")
        else:
            output = Path((variables or {})["LOCAL_OUTPUT_PATH"])
        begun_s = time.monotonic()
        done = subprocess.run(
            [sys.executable, str(project / "run.py"), *flags, *places],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=self.folder / "workspace",
            env=self.environment(variables or {}),
        )
        seconds = time.monotonic() - begun_s
        return Ended(done.returncode, done.stdout + done.stderr, seconds, output)


def assert_exported(ended: Ended, there: Path) -> dict[str, Any]:
    """The run is complete here and there, every artifact with its digest, no secret in a file."""
    assert ended.code == 0, ended.said
    found = ended.manifest
    assert (found["status"], found["error"]) == ("complete", None)
    assert (there / "manifest.json").read_bytes() == (ended.run / "manifest.json").read_bytes()
    for artifact in found["artifacts"]:
        assert sha256_of(there / artifact["path"]) == artifact["sha256"]
    assert {"config.yaml"} <= {artifact["path"] for artifact in found["artifacts"]}
    assert SECRET not in ended.said
    assert not [n for n, c in files_below(ended.folder).items() if SECRET.encode() in c]
    return found
