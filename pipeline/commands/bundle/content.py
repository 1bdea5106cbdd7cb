"""Which files a bundle holds besides the wheels, and where each comes from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pipeline.commands.bundle.registry import Target
from pipeline.disk.files import human_bytes
from pipeline.errors import ConfigError, Mistake

LIST_NAME = "pip-requirements.txt"

# Names under which platforms run pip in the code folder by themselves: with internet or not,
# with a list that was meant for another place or not.
_RUN_BY_PLATFORMS = frozenset(
    {"pip-requirement.txt", "pip-requirements.txt", "requirement.txt", "requirements.txt"}
)
_OURS = ("run.py", "LICENSE", "conf", "pipeline")
_MADE_HERE = frozenset({"README.md", ".gitignore", "wheels"})
_LEFT_OUT = frozenset({"__pycache__", ".DS_Store", ".git"})
_LEFT_BY_RUNS = ("data", "outputs", "exports")

# They come to 5.4 to 6.1 MB.
_WHEELS_BYTES = 7_000_000

Content = Mapping[str, Path]
"""Paths inside the bundle, with the files they are copied from."""


def gather(root: Path, includes: Iterable[Path]) -> Content:
    """Every file of the clone that runs jobs, and what is to be included.

    What lies in the clone keeps its place; what comes from elsewhere lies at the top.

    Raises:
        ConfigError: with all that cannot be included.
    """
    found = {name: path for top in _OURS for name, path in _files(root / top, top)}
    mistakes = []
    for source in includes:
        source = source.resolve()
        is_within = root in source.parents
        top = source.relative_to(root).as_posix() if is_within else source.name
        problem = _problem(source, root, top)
        new = {} if problem else dict(_files(source, top))
        clash = next((name for name, path in new.items() if found.get(name, path) != path), None)
        if problem or clash:
            problem = problem or f"{clash} would be in the bundle twice; rename it"
            mistakes.append(Mistake(f"--include {source}", problem))
        found.update(new)
    if mistakes:
        raise ConfigError(mistakes)
    return found


def _problem(source: Path, root: Path, top: str) -> str:
    if not source.exists():
        return "there is nothing of that name"
    if source == root or source in root.parents:
        return "is the whole clone; name the files or folders of it that are needed"
    if top in _RUN_BY_PLATFORMS:
        return "would be run by platforms with pip, and stop jobs where there is no internet"
    if top.split("/")[0] in _MADE_HERE:
        return f"{top.split('/')[0]} is made for the bundle itself; rename it"
    linked = next((p for p in source.rglob("*") if p.is_symlink() and not p.is_file()), None)
    if linked:
        return f"{linked} is a link to a folder or to nothing; include what it points to"
    return ""


def _files(source: Path, top: str) -> Iterator[tuple[str, Path]]:
    """The files in or at `source`, with their names in the bundle, without caches."""
    if source.is_file():
        yield top, source
    for path in sorted(source.rglob("*")):
        inside = path.relative_to(source)
        if path.is_file() and _LEFT_OUT.isdisjoint(inside.parts):
            yield f"{top}/{inside.as_posix()}", path


def too_large(content: Content, largest_bytes: int) -> list[Mistake]:
    """A mistake when it leaves no room for the wheels, naming the largest files."""
    sizes = {name: path.stat().st_size for name, path in content.items()}
    total = sum(sizes.values()) + _WHEELS_BYTES
    if total <= largest_bytes:
        return []
    largest = sorted(sizes, key=lambda name: -sizes[name])[:3]
    shown = ", ".join(f"{name} ({human_bytes(sizes[name])})" for name in largest)
    problem = f"the bundle would have {human_bytes(total)}, most of it in {shown}"
    remedy = f"platforms take {human_bytes(largest_bytes)} of code; bring data as a dataset"
    return [Mistake("--include", problem, remedy=remedy)]


def ignore_rules(content: Content) -> str:
    """The .gitignore of the bundle: what runs leave, but never what was brought."""
    tops = {name.split("/")[0] for name in content}
    left = [f"/{name}/" for name in _LEFT_BY_RUNS if name not in tops]
    # The last two undo what a person's own ignore file may say.
    return "\n".join(["__pycache__/", *left, "!/wheels/", "!*.whl", ""])


def readme(target: Target) -> str:
    """What the bundle's user reads first, in English and Chinese."""
    return _README.format(target=target, python=target.python, arch=target.arch)


_README = """\
# MindRun, packed for places without internet

Made by `python run.py bundle` for **{target}**. The image brings MindSpore and numpy; whatever
else it lacks, `run.py` installs from `wheels/` when it starts, into a private folder (below
`$MINDRUN_HOME`, `/cache`, `$TMPDIR` or `/tmp`).

- **OpenI** takes code from git: here `git init -b bundle`, `git add --all`,
  `git commit -m MindRun`; push that branch, and name it in the job.
- **ModelArts**: upload what is here, or what the zip holds, to OBS as the code folder.

In both: an image with {target}, start file `run.py`, parameters such as `--mode=train --epochs=3`.
`python run.py plan` shows what a job would do. For another Python or machine, do this in a clone:
`python run.py bundle --python {python} --arch {arch} --output FOLDER`.

# 中文

本目录由 `python run.py bundle` 生成，适用于 {arch} 上的 Python {python}。
镜像自带 MindSpore 和 numpy；其余缺少的包由 `run.py` 启动时从 `wheels/` 安装到私有目录，无需联网。

- 启智/智算：把本目录提交为一个 git 分支，任务选该分支。
- ModelArts：把本目录（或 zip 的内容）上传到 OBS 作为代码目录。

启动文件选 `run.py`，运行参数如 `--mode=train --epochs=3`。
"""
