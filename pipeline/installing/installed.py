"""What is needed, and what this Python has of it: by the names of metadata folders alone.

importlib.metadata would do, but takes longer than an ordinary start may.
"""

from __future__ import annotations

import operator
import os
import platform
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# The image brings them, made for its hardware: never installed, never taken along.
FROM_THE_IMAGE = frozenset({"mindspore", "moxing", "numpy"})

_LINE = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)\s*(?P<clauses>[^;\[@#]*)(?:#.*)?")
_CLAUSE = re.compile(r"\s*(?P<operator>>=|<=|==|!=|>|<)\s*(?P<version>\d+(?:\.\d+)*)\s*")
_METADATA = re.compile(r"(?P<name>.+?)-(?P<version>\d[^-]*)(?:-py[\d.]+)?\.(?:dist|egg)-info")
_COMPARE = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass(frozen=True)
class Need:
    """One line of the list: a distribution, and between which versions.

    `clauses` are pairs such as (">=", "1.3.8"); `text` is the line as pip reads it.
    """

    name: str
    clauses: tuple[tuple[str, str], ...]
    text: str

    def is_met_by(self, versions: Mapping[str, str]) -> bool:
        """Whether a fitting version is among what is installed."""
        found = versions.get(self.name)
        if found is None:
            return False
        return all(_COMPARE[sign](*_padded(found, wanted)) for sign, wanted in self.clauses)

    def told(self, versions: Mapping[str, str]) -> str:
        """What a person reads about this need when it is not met."""
        found = versions.get(self.name)
        return f"{self.text} (it has {found})" if found else self.text


def read_list(text: str) -> list[Need]:
    r"""The needs in a pip requirements file, in its order.

    Lines that it takes pip to judge (options, markers, extras, URLs) are left out.

    >>> [(need.name, need.clauses) for need in read_list("PyYAML>=6,<7  # c\n--pre\nx; a == 'b'")]
    [('pyyaml', (('>=', '6'), ('<', '7')))]
    """
    needs = []
    for line in text.splitlines():
        match = _LINE.fullmatch(line.strip())
        clauses = [_CLAUSE.fullmatch(c) for c in match["clauses"].split(",") if c] if match else []
        if match and all(clauses):
            pairs = tuple((c["operator"], c["version"]) for c in clauses if c)
            bounds = ",".join(sign + version for sign, version in pairs)
            needs.append(Need(normalised(match["name"]), pairs, match["name"] + bounds))
    return needs


def versions(path: Sequence[str]) -> dict[str, str]:
    """What is installed along this search path, by normalised name; the first found counts."""
    found: dict[str, str] = {}
    for folder in path:
        try:
            names = os.listdir(folder or ".")  # noqa: PTH208
        except OSError:
            continue  # Zip files and folders that are not there are usual on a search path.
        for name in names:
            match = _METADATA.fullmatch(name) if name.endswith("-info") else None
            if match:
                found.setdefault(normalised(match["name"]), match["version"])
    return found


def normalised(name: str) -> str:
    """The one spelling of a distribution's name that all its spellings share.

    >>> normalised("Pydantic_Core")
    'pydantic-core'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def bundle_command() -> str:
    """The command that makes a bundle for this Python on this machine."""
    python = "{}.{}".format(*sys.version_info[:2])
    return f"python run.py bundle --python {python} --arch {platform.machine()}"


def _padded(found: str, wanted: str) -> tuple[list[int], list[int]]:
    """Both versions as numbers, equally many; what follows the numbers (rc1, +local) is cut."""
    match = re.match(r"\d+(?:\.\d+)*", found)
    left = [int(part) for part in (match[0] if match else "0").split(".")]
    right = [int(part) for part in wanted.split(".")]
    length = max(len(left), len(right))
    return left + [0] * (length - len(left)), right + [0] * (length - len(right))
