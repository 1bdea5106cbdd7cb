"""Bundles: what goes in, where they land, and a real one that starts without internet."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

from pipeline.commands import bundle
from pipeline.commands.bundle import content, making, place, registry
from pipeline.commands.bundle.registry import Target
from pipeline.errors import ConfigError, DependencyError, MindRunError, StorageError
from tests.wheelmaking import make_wheel

ROOT = Path(__file__).resolve().parent.parent
HERE = Target("{}.{}".format(*sys.version_info[:2]), platform.machine())
# Each makes a bundle, with wheels and a zip.
pytestmark = pytest.mark.slow
NEVER = {"mindspore", "numpy", "moxing", "esdk-obs-python"}


def names_below(folder: Path) -> set[str]:
    """The files in a folder, by their paths inside it."""
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A small clone: one need, pinned, with a need of its own on old Pythons."""
    root = tmp_path / "clone"
    texts = {
        "run.py": "",
        "LICENSE": "",
        "conf/config.yaml": "seed: 1\n",
        "pipeline/core.py": "",
        "pipeline/__pycache__/core.pyc": "",
        ".git/config": "",
        "requirements.txt": "torch",
        "pip-requirements.txt": "# light\nalpha>=1\n",
        "constraints.txt": "alpha==1.2\nbeta==2 ; python_full_version < '3.10'\n",
        "extra/net.py": "x = 1\n",
        "data/set.zip": "zip",
    }
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for the whole registry."""
    folder = tmp_path / "index"
    old_only = ["beta; python_version < '3.10'", "numpy>=1", "x; extra == 'x'"]
    make_wheel(folder, "alpha", "1.2", requires=old_only)
    make_wheel(folder, "alpha", "1.3")
    make_wheel(folder, "beta", "2", tag="cp39-cp39-manylinux2014_aarch64")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.mark.usefixtures("index")
def test_a_bundle_holds_what_runs_and_nothing_else(clone: Path, tmp_path: Path) -> None:
    """Code, configuration, pinned wheels for the target, the included; folder and zip alike."""
    options = bundle.Options(Target("3.9", "aarch64"), tmp_path / "out", (clone / "extra",))

    made = bundle.make(options, clone)

    expected = {"run.py", "LICENSE", "README.md", ".gitignore", "conf/config.yaml"}
    expected |= {"pipeline/core.py", "extra/net.py"}
    expected |= {"wheels/alpha-1.2-py3-none-any.whl", "wheels/pip-requirements.txt"}
    expected |= {"wheels/beta-2-cp39-cp39-manylinux2014_aarch64.whl", place.RECORD_NAME}
    assert (made.folder, made.wheels) == (tmp_path / "out", 2)
    assert names_below(made.folder) == expected
    with zipfile.ZipFile(made.zip_path) as archive:
        assert set(archive.namelist()) == expected
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".")) == []


@pytest.mark.usefixtures("index")
def test_markers_are_judged_for_the_target(clone: Path, tmp_path: Path) -> None:
    """What only an old Python needs is left out for a newer one, whatever Python runs this."""
    made = bundle.make(bundle.Options(Target("3.12", "x86_64"), tmp_path / "out"), clone)

    assert made.wheels == 1


@pytest.mark.usefixtures("index")
def test_a_bundle_replaces_an_earlier_one_and_keeps_its_repository(
    clone: Path, tmp_path: Path
) -> None:
    """A branch that was made in the folder goes on there; what left the clone leaves the bundle."""
    options = bundle.Options(Target("3.12", "x86_64"), tmp_path / "out", (clone / "extra",))
    folder = bundle.make(options, clone).folder
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("ref")
    (clone / "extra" / "net.py").unlink()
    (clone / "extra" / "new.py").write_text("")

    bundle.make(options, clone)

    assert (folder / ".git" / "HEAD").read_text() == "ref"
    assert (folder / "extra" / "new.py").exists()
    assert not (folder / "extra" / "net.py").exists()
    assert not folder.with_name(".out.old").exists()


def test_a_wheel_that_the_registry_lacks_is_named(clone: Path, index: Path, tmp_path: Path) -> None:
    """No wheel for the target: what and for what, and nothing is left behind."""
    next(index.glob("beta*")).unlink()
    options = bundle.Options(Target("3.9", "aarch64"), tmp_path / "out")

    with pytest.raises(DependencyError, match=r"Python 3\.9 on aarch64.*beta==2"):
        bundle.make(options, clone)

    assert sorted(p.name for p in tmp_path.iterdir()) == ["clone", "index"]


def test_without_a_network_there_is_one_clear_message(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registry that cannot be reached is not taken for a missing wheel."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    options = bundle.Options(Target("3.9", "aarch64"), tmp_path / "out")

    with pytest.raises(StorageError, match="registry cannot be reached"):
        bundle.make(options, clone)

    assert not (tmp_path / "out").exists()


def test_pips_other_words_get_a_meaning(tmp_path: Path) -> None:
    """A Python without pip, and a full disk, are told as such."""
    for said, word in (("No module named pip", "ensurepip"), ("[Errno 28] No space left", "disk")):
        with pytest.raises(MindRunError, match=word):
            registry._explain(said, HERE, tmp_path)


def test_all_that_is_wrong_is_told_at_once(clone: Path, tmp_path: Path) -> None:
    """Everything that hinders a bundle stands in one error, before anything is fetched."""
    (tmp_path / "thing.txt").write_text("")
    (clone / "constraints.txt").unlink()
    includes = (tmp_path / "none", clone, clone / "requirements.txt", clone / "extra")
    options = bundle.Options(HERE, clone / "extra" / "out", includes)

    with pytest.raises(ConfigError) as caught:
        bundle.make(options, clone)

    told = [str(mistake) for mistake in caught.value.mistakes]
    words = ("nothing of that name", "whole clone", "with pip", "goes into", "constraints.txt")
    assert [[word in text for text in told].count(True) for word in words] == [1] * 5
    assert len(told) == 5


@pytest.mark.parametrize("kind", ["folder", "file", "zip"])
def test_what_is_no_bundle_of_ours_is_never_replaced(
    kind: str, clone: Path, tmp_path: Path
) -> None:
    """Someone's folder, file or zip in the way is an error, and stays."""
    taken = {"folder": "out/x", "file": "out", "zip": "out.zip"}[kind]
    (tmp_path / taken).parent.mkdir(exist_ok=True)
    (tmp_path / taken).write_text("mine")

    with pytest.raises(ConfigError, match="choose another --output"):
        bundle.make(bundle.Options(HERE, tmp_path / "out"), clone)

    assert (tmp_path / taken).read_text() == "mine"


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize("name", ["conf/config.yaml", "notes.md"])
def test_changed_bundles_are_not_replaced(name: str, clone: Path, tmp_path: Path) -> None:
    """What a person changed or added in a bundle is named, and stays."""
    options = bundle.Options(Target("3.12", "x86_64"), tmp_path / "out")
    folder = bundle.make(options, clone).folder
    (folder / name).write_text("mine")

    with pytest.raises(ConfigError, match=f"holds {name}"):
        bundle.make(options, clone)

    assert (folder / name).read_text() == "mine"


def test_a_replacement_that_was_killed_is_finished(tmp_path: Path) -> None:
    """Killed between two renames, the old folder comes back, or gives its repository."""
    (tmp_path / ".out.old" / ".git").mkdir(parents=True)

    place.finish_earlier(tmp_path / "out")
    came_back = (tmp_path / "out" / ".git").is_dir()
    (tmp_path / "out").rename(tmp_path / ".out.old")
    (tmp_path / "out").mkdir()
    place.finish_earlier(tmp_path / "out")

    assert came_back
    assert (tmp_path / "out" / ".git").is_dir()
    assert not (tmp_path / ".out.old").exists()


def test_what_platforms_would_not_take_is_refused(clone: Path) -> None:
    """Data that make the code too large are named, with their size."""
    found = content.gather(clone, [clone / "data"])

    mistakes = content.too_large(found, 7_000_010)

    assert ["data/set.zip (3 B)" in mistake.problem for mistake in mistakes] == [True]
    assert content.too_large(found, making.LARGEST_BYTES) == []


def test_included_data_are_not_ignored_by_git(clone: Path, tmp_path: Path) -> None:
    """What was brought can be committed, wheels too; what runs leave stays out."""
    found = content.gather(clone, [clone / "data" / "set.zip"])
    (tmp_path / ".gitignore").write_text(content.ignore_rules(found))
    (tmp_path / "own").write_text("*.whl\nwheels/\n")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)

    def is_ignored(name: str) -> bool:
        git = ["git", "-C", str(tmp_path), "-c", f"core.excludesFile={tmp_path / 'own'}"]
        return subprocess.run([*git, "check-ignore", "-q", name], check=False).returncode == 0

    assert [is_ignored(n) for n in ("outputs/x", "data/set.zip", "wheels/a.whl")] == [
        True,
        False,
        False,
    ]


def test_flags_are_read_in_any_order(tmp_path: Path) -> None:
    """Both spellings work, the last counts, paths are taken from the current folder."""
    tokens = ["--python", "3.10", "bundle", "--python=3.11", "--output", "bundle"]
    tokens += ["--include", "a", "--include=/b"]

    options = bundle.read_options(tokens, tmp_path)

    includes = (tmp_path / "a", Path("/b"))
    assert options == bundle.Options(Target("3.11", "aarch64"), tmp_path / "bundle", includes)
    assert bundle.read_options(["bundle"], tmp_path).target == Target("3.9", "aarch64")


def test_wrong_flags_are_told_at_once(tmp_path: Path) -> None:
    """Each with what would be right."""
    tokens = ["--python=3.9.18", "--arch", "arm64", "--ouput", "x", "mode=train", "--include"]

    with pytest.raises(ConfigError) as caught:
        bundle.read_options(tokens, tmp_path)

    told = str(caught.value)
    assert len(caught.value.mistakes) == 5
    for text in ("--python 3.9\n", "--arch aarch64", "'--output'", "mode", "--include: needs"):
        assert text in told + "\n"


def test_the_targets_are_the_pythons_that_run_py_admits() -> None:
    """A bundle can be made for every Python that MindRun runs on, and for no other."""
    admitted = (ROOT / "run.py").read_text(encoding="utf-8")

    numbers = [tuple(map(int, python.split("."))) for python in registry.PYTHONS]

    assert f"{numbers[0]} <= sys.version_info[:2] <= {numbers[-1]}" in admitted


@pytest.mark.network
def test_a_bundle_for_the_platforms_has_their_wheels(tmp_path: Path) -> None:
    """Every wheel runs on Python 3.9 on aarch64 with an old glibc; all needs are met by one."""
    target = Target("3.9", "aarch64")
    platforms = ["manylinux_2_17_aarch64", "manylinux2014_aarch64"]
    fitting = {*cpython_tags((3, 9), platforms=platforms)}
    fitting |= {*compatible_tags((3, 9), "cp39", platforms)}

    made = bundle.make(bundle.Options(target, tmp_path / "out"), ROOT)

    wheels = [parse_wheel_filename(p.name) for p in made.folder.glob("wheels/*.whl")]
    names = {wheel[0] for wheel in wheels}
    lines = (made.folder / "wheels" / "pip-requirements.txt").read_text().splitlines()
    needed = {Requirement(line).name.lower() for line in lines if not line.startswith("#")}
    assert [wheel for wheel in wheels if wheel[3].isdisjoint(fitting)] == []
    assert needed | {"antlr4-python3-runtime", "pydantic-core", "typing-extensions"} <= names
    assert names.isdisjoint(NEVER)
    assert made.size_bytes < making.LARGEST_BYTES


def interpreters() -> dict[str, str]:
    """This Python, and one each of the oldest and the usual version where they can be found."""
    found = {HERE.python: sys.executable}
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    for version in {"3.9", "3.11"} - set(found):
        candidates = [*pyenv.glob(f"{version}.*/bin/python"), shutil.which(f"python{version}")]
        for candidate in filter(None, candidates):
            asked = [str(candidate), "-c", "import venv"]
            if subprocess.run(asked, capture_output=True, check=False).returncode == 0:
                found.setdefault(version, str(candidate))
    return found


PYTHONS = interpreters()


@pytest.mark.network
@pytest.mark.skipif(platform.system() != "Linux", reason="bundles are for Linux")
@pytest.mark.parametrize("version", sorted(PYTHONS))
def test_a_bundle_plans_in_a_bare_python_without_internet(version: str, tmp_path: Path) -> None:
    """Two starts at once, no HOME, read-only code, from another folder: both show the plan."""
    bare = tmp_path / "bare"
    subprocess.run([PYTHONS[version], "-m", "venv", "--without-pip", str(bare)], check=True)
    target = Target(version, platform.machine())
    folder = bundle.make(bundle.Options(target, tmp_path / "code"), ROOT).folder
    before = names_below(folder)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = [str(bare / "bin/python"), str(folder / "run.py"), "plan"]
    variables = {"PATH": os.defpath, "PIP_NO_INDEX": "1", "MINDRUN_HOME": str(home)}
    # Root may write anywhere, and Python would leave its caches.
    variables["PYTHONDONTWRITEBYTECODE"] = "1"

    started = [
        subprocess.Popen(
            [*command, "mode.stages=[fetch,extract]", f"cluster.data_dir={tmp_path}/data"],
            cwd=elsewhere,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    ended = [(*process.communicate(timeout=120), process.returncode) for process in started]

    assert [code for _, _, code in ended] == [0, 0], ended
    assert all("extract" in out for out, _, _ in ended)
    assert sum("installed" in said for _, said, _ in ended) == 1
    assert names_below(folder) == before
    assert list(elsewhere.iterdir()) == []
    record = json.loads((folder / place.RECORD_NAME).read_text())
    assert (record["python"], record["arch"]) == (version, platform.machine())
