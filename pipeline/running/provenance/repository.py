"""What git tells about a folder of code: its commit, and in what the files differ from it."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# All that git does for one folder ends within this time; usually it takes 20 ms.
PATIENCE_S = 3.0
# A longer difference is cut; who changes a megabyte has data among the code.
LONGEST_DIFF_BYTES = 1 << 20
_MOST_NAMES = 100
_CHANGED_MARKS = ("1 ", "2 ", "u ")
# Set for whoever is called by git itself, they would lead to another repository.
_LEADING_AWAY = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")
# Names as they are, no helper process, and no warning for each file with other line ends.
_SETTINGS = ("core.quotePath=false", "core.fsmonitor=false", "core.safecrlf=false")
_FLAGS = tuple(word for setting in _SETTINGS for word in ("-c", setting))


@dataclass(frozen=True)
class Repository:
    """A checkout, or the `problem` that keeps it from being told.

    `changed` are files that differ from the commit, `untracked` those of the files asked for that
    the repository does not know; both are whole in `diff`, in bytes, unless that `is_cut`.
    """

    folder: str
    commit: str | None = None
    branch: str | None = None
    remote: str | None = None
    changed: tuple[str, ...] = ()
    untracked: tuple[str, ...] = ()
    diff: bytes = b""
    is_cut: bool = False
    problem: str = ""

    @property
    def is_dirty(self) -> bool:
        """Whether anything is other than in the commit."""
        return bool(self.changed or self.untracked)


def look(folder: Path, files: Sequence[Path] = ()) -> Repository:
    """The repository that holds this folder, as far as the folder goes; it is only read.

    `files` are those of which it counts whether the repository knows them.
    """
    git = _Git(folder, time.monotonic() + PATIENCE_S)
    try:
        return _look(git, files)
    except FileNotFoundError:
        return Repository(str(folder), problem="git is not installed")
    except TimeoutError:
        return Repository(str(folder), problem=f"git took longer than {PATIENCE_S:.0f} s")
    except (subprocess.SubprocessError, OSError, ValueError) as error:
        return Repository(str(folder), problem=_reason(error))


def _look(git: _Git, files: Sequence[Path]) -> Repository:
    status = git.text("status", "--porcelain=v2", "--branch", "--untracked-files=no", "--", ".")
    lines = status.splitlines()
    heads = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# branch."))
    commit = heads.get("branch.oid", "").replace("(initial)", "") or None
    changed = [line for line in lines if line.startswith(_CHANGED_MARKS)]
    names = [str(path) for path in files]
    untracked = git.text("ls-files", "--others", "--", *names).splitlines() if names else []
    diff, is_cut = _diff(git, is_changed=bool(changed and commit), untracked=untracked)
    return Repository(
        str(git.folder),
        commit,
        heads.get("branch.head"),
        git.text("config", "--get", "remote.origin.url", fine=(0, 1)).strip() or None,
        tuple(_name_in(line) for line in changed[:_MOST_NAMES]),
        tuple(untracked[:_MOST_NAMES]),
        diff,
        is_cut,
    )


def _diff(git: _Git, *, is_changed: bool, untracked: Sequence[str]) -> tuple[bytes, bool]:
    """What differs from the commit, unknown files whole; cut where it is long."""
    plain = ("--no-color", "--no-ext-diff", "--no-textconv")
    found = git.output("diff", "HEAD", *plain, "--", ".") if is_changed else b""
    for name in untracked[:_MOST_NAMES]:
        words = ("diff", "--no-index", *plain, "--", os.devnull, name)
        found += git.output(*words, fine=(0, 1))
    return found[:LONGEST_DIFF_BYTES], len(found) > LONGEST_DIFF_BYTES


def _name_in(line: str) -> str:
    """The path in a line of git's status; of a renamed file the new one."""
    fields = {"1": 8, "2": 9, "u": 10}
    return line.split(" ", fields[line[0]])[-1].split("\t")[0]


def _reason(error: Exception) -> str:
    text = error.stderr if isinstance(error, subprocess.CalledProcessError) else str(error)
    lines = str(text or error).strip().splitlines()
    return lines[0].removeprefix("fatal: ") if lines else type(error).__name__


class _Git:
    """Git in a folder, until a moment; of what it says no more is taken than can be kept."""

    def __init__(self, folder: Path, ends_s: float) -> None:
        self.folder = folder
        self.ends_s = ends_s

    def text(self, *words: str, fine: Sequence[int] = (0,)) -> str:
        return self.output(*words, fine=fine).decode("utf-8", "replace")

    def output(self, *words: str, fine: Sequence[int] = (0,)) -> bytes:
        command = ["git", "--no-optional-locks", *_FLAGS, "-C", str(self.folder), *words]
        environment = {k: v for k, v in os.environ.items() if k not in _LEADING_AWAY}
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**environment, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"},
        )
        timer = threading.Timer(max(self.ends_s - time.monotonic(), 0.01), process.kill)
        timer.start()
        with process:
            found = process.stdout.read(LONGEST_DIFF_BYTES + 1) if process.stdout else b""
            is_whole = len(found) <= LONGEST_DIFF_BYTES
            if not is_whole:
                process.kill()
            said = process.stderr.read() if process.stderr else b""
        timer.cancel()
        if time.monotonic() > self.ends_s:
            raise TimeoutError
        if is_whole and process.returncode not in fine:
            text = said.decode("utf-8", "replace")
            raise subprocess.CalledProcessError(process.returncode, command, found, text)
        return found
