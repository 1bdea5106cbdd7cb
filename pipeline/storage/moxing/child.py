"""The helper process: the only place that imports moxing. Run as a script, standard library only.

It reads one request per line and answers with lines of JSON: any number of `items`, then
`done`. The first error that moxing raises is the last line and ends the process: the next
call gets a new one, with no broken connection in it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, TextIO

_LOOK_S = 0.5
_STATS_AT_ONCE = 32
_STATS_PER_LINE = 200


def main() -> None:
    """Serves the parent until it closes the pipe, or is gone."""
    parent = int(sys.argv[1])
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    requests, answers = _take_over_pipes()

    def say(**line: Any) -> None:
        answers.write(json.dumps(line) + "\n")

    def end(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
        number = error.errno if isinstance(error, OSError) else None
        say(error=[each.__name__ for each in kind.__mro__], text=str(error), errno=number)
        _end()

    sys.excepthook = end
    sys.path[:] = json.loads(requests.readline())
    calls = _calls()
    say(done=calls is not None)
    for line in requests:
        name, arguments = json.loads(line)
        if calls and name == "list":
            for items in _listed(calls["list_directory"], calls["stat"], *arguments):
                say(items=items)
            say(done=None)
        elif calls:
            say(done=calls[name](*arguments))
    _end()


def _take_over_pipes() -> tuple[TextIO, TextIO]:
    """The pipes to the parent, out of reach of what moxing reads and prints."""
    requests, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    # Buffered by the line: each answer leaves at once.
    return os.fdopen(requests), os.fdopen(answers, "w", buffering=1)


def _end_with(parent: int) -> None:
    """Ends this process when its parent is gone, whatever moxing is doing just then.

    The system's own signal for this would come when the thread that started us ends.
    """
    while os.getppid() == parent:
        time.sleep(_LOOK_S)
    _end()


def _end() -> None:
    """Ends this process and those that moxing started."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


def _calls() -> dict[str, Callable[..., Any]] | None:
    """What can be asked; None where this moxing is not Huawei's."""
    # Read by moxing while it is imported.
    os.environ["MOX_SILENT_MODE"] = "1"
    import moxing

    file: Any = getattr(moxing, "file", None)
    if not hasattr(file, "copy_parallel"):
        return None

    def stat(url: str) -> list[Any]:
        found = file.stat(url)
        return [int(found.length), int(found.mtime_nsec or 0), bool(found.is_directory)]

    def copy_many(source: str, target: str, names: list[str], threads: int) -> None:
        # Not in processes: those are what is known to hang.
        file.copy_parallel(source, target, file_list=names, threads=threads, is_processing=False)

    return {
        # Asked first, because which error a missing object is differs between versions.
        "head": lambda url: stat(url) if file.exists(url) else None,
        "copy": lambda source, target: _nothing(file.copy(source, target)),
        "copy_many": copy_many,
        "remove": lambda url: _nothing(file.remove(url)),
        "stat": stat,
        "list_directory": lambda url: (
            file.list_directory(url, recursive=True) if file.is_directory(url) else []
        ),
    }


def _nothing(_: object) -> None:
    """In place of a result that nobody documents."""


def _listed(
    names_below: Callable[[str], Iterable[str]], stat: Callable[[str], list[Any]], url: str
) -> Iterator[list[list[Any]]]:
    """Name, size and time of every object below, some at a time; folders are left out."""
    names = [name for name in names_below(url) if not name.endswith("/")]
    with ThreadPoolExecutor(_STATS_AT_ONCE) as pool:
        for start in range(0, len(names), _STATS_PER_LINE):
            some = names[start : start + _STATS_PER_LINE]
            found = pool.map(lambda name: stat(f"{url}{name}"), some)
            yield [
                [name, size_bytes, mtime_ns]
                for name, (size_bytes, mtime_ns, is_directory) in zip(some, found)
                if not is_directory
            ]


if __name__ == "__main__":
    main()
