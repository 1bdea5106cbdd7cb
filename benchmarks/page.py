"""The page of results, docs/benchmarks.md, made from one run."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import bars, show
from benchmarks.results import Result

HEAD = """\
# How fast, beside what

<!-- Written by `make bench ARGS="--page docs/benchmarks.md"`; edits are lost at the next run. -->

Every figure on this page is from one run on one machine, described at the end. What is compared
runs in turn, {rounds} rounds after one to warm up, on the same two cores, and a ratio is the
median of the ratios round by round: below 1 is less time than what the table compares with. A
training has no such round: it compiles and warms up in its first epoch, which does not count.
Seconds depend on the machine; ratios travel better. What each side leaves is counted after every
round, files and bytes. A goal stands beside its figure also where it is not met.

To repeat it:

```bash
make bench                                          # all of it
make bench ARGS="unpack fetch --rounds 3"           # some of it
make bench ARGS="--page docs/benchmarks.md"         # and write this page anew
```

What is not installed is left out, with a line that says so; `apt install unzip libarchive-tools
p7zip-full` brings the programs, `make bench` the packages; PyTorch, for one row, is left to
`.venv/bin/python -m pip install torch`. Files lie in memory (`/dev/shm`) where
there is enough, because a disk remembers the files of the round before, which slows down whoever
comes next: `TMPDIR=/some/folder make bench` measures there instead. In memory, syncing what was
written costs next to nothing; MindRun does it where something is to survive a power cut, the
others do not.
"""


def write(
    path: Path, results: Sequence[Result], told: Mapping[str, str], left_out: Sequence[str] = ()
) -> None:
    """The page lies at `path`, and its pictures beside it; `told` describes machine and run."""
    blocks = [HEAD.format(rounds=told["rounds"])]
    for name, group in itertools.groupby(results, key=lambda result: result.name):
        found = list(group)
        picture = path.with_name(f"{path.stem}-{name}.svg")
        picture.write_text(bars.draw(found), encoding="utf-8")
        blocks.append(f"![{found[0].title}]({picture.name})\n")
        blocks += [_section(result) for result in found]
    if left_out:
        blocks.append(
            "\n".join(["## Not measured in this run", "", *(f"- {text}" for text in left_out), ""])
        )
    rows = "\n".join(f"| {name} | {value} |" for name, value in told.items())
    blocks.append(f"## The machine and the run\n\n| | |\n|---|---|\n{rows}\n")
    path.write_text("\n".join(blocks), encoding="utf-8")


def _section(result: Result) -> str:
    found = show.columns(result)
    if result.against and "ratio" in found:
        found = {
            (f"ratio to {result.against}" if head == "ratio" else head): cells
            for head, cells in found.items()
        }
    lines = [f"## {result.title}", "", result.explanation, ""]
    lines.append(" | ".join(["| what", *found]) + " |")
    lines.append("|---" + "".join("|---:" if head else "|---" for head in found) + "|")
    for row, *cells in zip(result.rows, *found.values()):
        lines.append(" | ".join([f"| {row.name}", *cells]) + " |")
    lines += [
        "",
        *(f"- {goal.verdict.replace('NOT met', '**not met**')}" for goal in result.goals),
    ]
    lines += [f"- {note[0].upper()}{note[1:]}." for note in result.notes]
    return "\n".join(lines).rstrip() + "\n"
