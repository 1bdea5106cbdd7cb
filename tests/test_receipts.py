"""Receipts, which spare a second look at what was verified once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.disk import jsonlines
from pipeline.inputs import receipts


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that was verified."""
    found = tmp_path / "数据 a.zip"
    found.write_text("content")
    receipts.add(found, sha256="abc")
    return found


def test_a_receipt_vouches_while_the_file_stays(path: Path) -> None:
    """Size and time are those on the receipt."""
    assert receipts.vouches(path)
    assert receipts.last(path)["sha256"] == "abc"


def test_a_changed_file_is_not_vouched_for(path: Path) -> None:
    """Another size or time, or no file at all, ends the trust."""
    os.utime(path, (1, 1))
    assert not receipts.vouches(path)
    path.unlink()
    assert not receipts.vouches(path)


def test_the_last_receipt_counts(path: Path) -> None:
    """Lines are added, never changed."""
    receipts.add(path, sha256="def")

    assert receipts.last(path)["sha256"] == "def"
    assert len(receipts.table_of(path).read_text().splitlines()) == 2


def test_a_receipt_is_withdrawn(path: Path) -> None:
    """What was found damaged is vouched for by nothing until it has come anew."""
    receipts.withdraw(path, "it cannot be unpacked")

    assert not receipts.vouches(path)
    assert receipts.damage(path) == "it cannot be unpacked"
    assert receipts.last(path)["sha256"] == "abc"
    receipts.add(path, sha256="abc")
    assert receipts.vouches(path)


def test_half_a_receipt_is_none(path: Path) -> None:
    """After a kill in the middle of a line the one before it counts, and the next one is whole."""
    with receipts.table_of(path).open("a") as table:
        table.write('{"sha256": "half')

    assert receipts.last(path)["sha256"] == "abc"
    receipts.add(path, sha256="def")
    assert receipts.last(path)["sha256"] == "def"


@pytest.mark.parametrize("content", ["", "half", "[1]\n", "\n\n"])
def test_a_table_of_nonsense_vouches_for_nothing(tmp_path: Path, content: str) -> None:
    """Whatever stands there, it is either a receipt or none."""
    path = tmp_path / "a"
    path.write_text("x")
    receipts.table_of(path).write_text(content)

    assert receipts.last(path) == {}
    assert not receipts.vouches(path)


def test_lines_are_made_plain(tmp_path: Path) -> None:
    """What JSON cannot carry is made so that it can."""
    jsonlines.append(tmp_path / "a.jsonl", {"loss": float("nan"), "path": tmp_path})

    assert (tmp_path / "a.jsonl").read_text() == f'{{"loss": null, "path": "{tmp_path}"}}\n'
