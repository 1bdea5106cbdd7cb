"""What run.py does before anything is installed: real starts of a bare Python on tiny wheels."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pipeline.installing import installed
from tests.wheelmaking import make_packaging_wheel, make_wheel

ROOT = Path(__file__).resolve().parent.parent
# Each starts processes that install.
pytestmark = pytest.mark.slow
NEEDED_HERE = ("__init__", "bootstrap", "installed", "installation", "wheels")
NEEDED_BELOW = ("clock", "errors", "files", "folders")

# Stands for the real command line: tells what can be imported, here and in a child process.
CLI = """
import json, os, subprocess, sys

def main(argv, root):
    import alpha, beta
    script = "import alpha; print(alpha.VERSION)"
    child = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    modules = [n for n in sys.modules if n.split(".")[0] == "packaging" or "installation" in n]
    print(json.dumps({"argv": argv, "alpha": alpha.VERSION, "beta": beta.VERSION,
                      "alpha_path": alpha.__file__, "beta_path": beta.__file__,
                      "child": child.stdout.strip(), "modules": modules}))
    return 7
"""


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that has the standard library alone."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False, symlinks=True)
    return folder / "bin" / "python"


class Project:
    """A folder with run.py, a list of two needs, and wheels for them."""

    def __init__(self, folder: Path, python: Path) -> None:
        self.root, self.python = folder / "code", python
        self.home, self.image = folder / "home", folder / "image"
        self.wheels = self.root / "wheels"
        for name in (*NEEDED_HERE, *NEEDED_BELOW):
            # The nearest to the roof: other rooms may have a file of that name, too.
            source = min((ROOT / "pipeline").rglob(f"{name}.py"), key=lambda path: len(path.parts))
            for path in {source, source.with_name("__init__.py")}:
                target = self.root / path.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
        shutil.copyfile(ROOT / "run.py", self.root / "run.py")
        (self.root / "pipeline" / "cli.py").write_text(CLI)
        (self.root / "pip-requirements.txt").write_text("# needs\nalpha>=1.2,<2\nbeta\n")
        self.image.mkdir()
        make_packaging_wheel(self.wheels)
        make_wheel(self.wheels, "alpha", "1.5")
        make_wheel(self.wheels, "beta", "1", requires=["gamma>=1", "numpy", "x; extra == 'x'"])
        make_wheel(self.wheels, "gamma", "1")

    def bring(self, name: str, version: str) -> None:
        """The image has this."""
        wheel = make_wheel(self.image.parent, name, version)
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(self.image)

    def begin(self, **variables: str) -> subprocess.Popen[str]:
        """Starts run.py without HOME, from another folder."""
        environment = {"MINDRUN_HOME": str(self.home), "PYTHONPATH": str(self.image)}
        return subprocess.Popen(
            [str(self.python), str(self.root / "run.py"), "a=1"],
            cwd="/",
            env={"PATH": os.environ["PATH"], **environment, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def start(self, **variables: str) -> tuple[int, dict[str, Any], str]:
        """The exit code, what the stand-in told, and what was said on the way."""
        return self.end(self.begin(**variables))

    @staticmethod
    def end(process: subprocess.Popen[str]) -> tuple[int, dict[str, Any], str]:
        """What `start` gives, for a process that was begun."""
        out, said = process.communicate(timeout=60)
        return process.returncode, json.loads(out) if out else {}, said

    def folders(self) -> list[Path]:
        """What was installed."""
        return sorted(self.home.glob("mindrun-packages-*"))


@pytest.fixture
def project(tmp_path: Path, bare_python: Path) -> Project:
    """A project in a folder whose name has a blank and is not ASCII."""
    folder = tmp_path / "代码 x"
    folder.mkdir()
    return Project(folder, bare_python)


def test_what_is_missing_is_installed_once_and_reaches_child_processes(project: Project) -> None:
    """The first start installs needs and their needs; the second finds them and says nothing."""
    code, told, said = project.start()
    again = project.start()

    folder = project.folders()[0]
    assert (code, told["argv"], told["alpha"], told["child"]) == (7, ["a=1"], "1.5", "1.5")
    assert re.fullmatch(r"MindRun: installed 3 packages from .*wheels in [\d.]+ s\n", said)
    assert sorted(p.name for p in folder.glob("*.py")) == ["alpha.py", "beta.py", "gamma.py"]
    assert (again[0], again[1]["alpha"], again[2]) == (7, "1.5", "")
    assert project.folders() == [folder]


def test_what_the_image_has_is_left_alone(project: Project) -> None:
    """A fitting package of the image is used and not installed; `packaging` is given back."""
    project.bring("alpha", "1.2")
    project.bring("gamma", "3")

    code, told, said = project.start()

    assert (code, told["alpha"], told["beta"]) == (7, "1.2", "1")
    assert told["alpha_path"].startswith(str(project.image))
    assert "installed 1 packages" in said
    assert [name for name in told["modules"] if name.startswith("packaging")] == []


@pytest.mark.parametrize("version", ["1.1.9", "2.0"])
def test_what_is_too_old_or_too_new_is_replaced_for_this_job_only(
    version: str, project: Project
) -> None:
    """A package out of its bounds makes way for the wheel's, and stays where it is."""
    project.bring("alpha", version)

    code, told, _ = project.start()

    assert (code, told["alpha"], told["child"]) == (7, "1.5", "1.5")
    assert version in (project.image / "alpha.py").read_text()


def test_when_all_is_there_nothing_is_looked_at(project: Project) -> None:
    """An ordinary start opens no wheel, installs nothing, and does not load what would."""
    project.bring("alpha", "1.5")
    project.bring("beta", "1")
    (project.wheels / "alpha-1.5-py3-none-any.whl").write_bytes(b"damaged")

    code, told, said = project.start()

    assert (code, told["modules"], said) == (7, [], "")
    assert project.folders() == []


def test_many_starts_at_once_install_once(project: Project) -> None:
    """One of all the processes of a node installs; every one of them runs."""
    processes = [project.begin() for _ in range(6)]

    ended = [project.end(process) for process in processes]

    assert [code for code, _, _ in ended] == [7] * 6
    assert sum("installed" in said for _, _, said in ended) == 1
    assert [p.name for p in project.home.iterdir() if ".part" in p.name] == []


def test_a_killed_installer_blocks_nobody(project: Project) -> None:
    """Half-filled folders and a lock without owner are no obstacle, and old ones are removed."""
    project.start()
    folder = project.folders()[0]
    shutil.rmtree(folder)
    old, young = (project.home / f".{folder.name}.part{n}" for n in ("old", "young"))
    for leftover in (old, young):
        leftover.mkdir()
    os.utime(old, (time.time() - 7200,) * 2)

    code, _, _ = project.start()

    assert (code, folder.is_dir(), old.exists(), young.exists()) == (7, True, False, True)


def test_other_wheels_go_into_another_folder(project: Project) -> None:
    """What one bundle has installed is not taken for another's."""
    project.start()
    make_wheel(project.wheels, "alpha", "1.6")

    _, told, _ = project.start()

    assert told["alpha"] == "1.6"
    assert len(project.folders()) == 2


def test_the_next_place_is_used_where_the_first_cannot_be(project: Project) -> None:
    """MINDRUN_HOME that is no folder leaves the others; the code folder stays as it was."""
    project.home.write_text("a file")
    other = project.root.parent / "tmp"
    other.mkdir()
    before = sorted(p for p in project.root.rglob("*") if "__pycache__" not in p.parts)
    has_cache = os.access("/cache", os.W_OK)

    code, told, _ = project.start(TMPDIR=str(other))

    assert code == 7
    assert has_cache or told["beta_path"].startswith(str(other))
    assert before == sorted(p for p in project.root.rglob("*") if "__pycache__" not in p.parts)


def test_without_wheels_one_line_says_how_to_get_what_is_missing(project: Project) -> None:
    """What is missing or unfit is named, with pip's command and the bundle's."""
    shutil.rmtree(project.wheels)
    project.bring("alpha", "1.0")

    code, _, said = project.start()

    assert (code, said.count("\n")) == (2, 1)
    assert "alpha>=1.2,<2 (it has 1.0), beta" in said
    assert 'pip install "alpha>=1.2,<2" "beta"' in said
    assert "run.py bundle --python {}.{}".format(*sys.version_info[:2]) in said


@pytest.mark.parametrize(
    ("tag", "python"), [("cp27-cp27m-linux_sparc", ""), ("py3-none-any", "<3")]
)
def test_a_wheel_for_another_python_is_named(tag: str, python: str, project: Project) -> None:
    """A wheel that does not fit stops the start in one line with the bundle's command."""
    (project.wheels / "alpha-1.5-py3-none-any.whl").unlink()
    wheel = make_wheel(project.wheels, "alpha", "1.5", tag=tag, python=python)

    code, _, said = project.start()

    assert (code, said.count("\n")) == (2, 1)
    assert f"{wheel.name} in wheels/ does not fit this Python" in said
    assert "run.py bundle --python" in said
    assert project.folders() == []


@pytest.mark.parametrize("name", ["gamma-1", "packaging-"])
def test_a_missing_wheel_is_named(name: str, project: Project) -> None:
    """A bundle that lacks what its wheels need says so in one line."""
    next(project.wheels.glob(f"{name}*")).unlink()

    code, _, said = project.start()

    assert (code, said.count("\n")) == (2, 1)
    assert name.split("-")[0] in said
    assert "bundle" in said


def test_a_damaged_wheel_is_named(project: Project) -> None:
    """A wheel that was cut short leaves nothing behind and is named."""
    wheel = project.wheels / "alpha-1.5-py3-none-any.whl"
    wheel.write_bytes(wheel.read_bytes()[:200])

    code, _, said = project.start()

    assert (code, said.count("\n")) == (2, 1)
    assert f"{wheel.name} is damaged" in said
    assert project.folders() == []


def test_a_wheel_cannot_write_elsewhere(project: Project) -> None:
    """A name that leaves the folder is refused, and nothing of the wheel stays."""
    with zipfile.ZipFile(project.wheels / "alpha-1.5-py3-none-any.whl", "a") as archive:
        archive.writestr("../outside.py", "")

    code, _, said = project.start()

    assert code == 2
    assert "outside.py" in said
    assert not (project.home / "outside.py").exists()
    assert project.folders() == []


def test_a_module_lost_by_the_image_is_one_line(project: Project) -> None:
    """What the list cannot tell, because it lies deeper, is still no traceback."""
    for name in ("alpha", "beta"):
        project.bring(name, "1.5")
    (project.root / "pipeline" / "cli.py").write_text("import mdurl\n")

    code, _, said = project.start()

    assert (code, said.count("\n")) == (2, 1)
    assert "the module mdurl" in said
    assert "pip install -r pip-requirements.txt" in said


@pytest.mark.parametrize(
    ("line", "version", "is_met"),
    [
        ("x>=1.3.8,<1.4", "1.3.8", True),
        ("x>=1.3.8,<1.4", "1.4", False),
        ("x>=1.3.8,<1.4", "1.10", False),
        ("X_y.z >= 6", "6.0.3", True),
        ("x==1.2", "1.2.0", True),
        ("x!=1.2", "1.2", False),
        ("x>1", "1.0.1rc1", True),
        ("x", "0.1+local", True),
    ],
)
def test_bounds(line: str, version: str, is_met: bool) -> None:
    """Versions are compared number by number, not as text."""
    need = installed.read_list(line)[0]

    assert need.is_met_by({need.name: version}) is is_met
    assert not need.is_met_by({})


def test_lines_that_only_pip_can_judge_are_left_to_it() -> None:
    """Options, markers, extras and URLs in a person's own list stop nothing."""
    lines = ["-i https://x", "a; python_version<'3'", "b[c]", "d @ https://x", "e~=1", "", "f==1.*"]

    assert installed.read_list("\n".join([*lines, "g>=1  # why"])) == installed.read_list("g>=1")


def test_installed_versions_are_found_by_their_metadata(tmp_path: Path) -> None:
    """Wheels, eggs and distribution packages are seen; the first on the path counts."""
    first, second = tmp_path / "a", tmp_path / "b"
    names = ("PyYAML-5.4.1-py3.9.egg-info", "hydra_core-1.3.8.dist-info", "x-1.dist-info")
    for folder, name in [(first, "x-2.dist-info"), *((second, name) for name in names)]:
        (folder / name).mkdir(parents=True)

    found = installed.versions([str(first), str(second), str(tmp_path / "none.zip")])

    assert found == {"pyyaml": "5.4.1", "hydra-core": "1.3.8", "x": "2"}
