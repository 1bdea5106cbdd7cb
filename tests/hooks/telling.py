"""Hooks that do what anybody's code may do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from pipeline.hooks import News


def note(news: News, path: str) -> None:
    """Adds what it was told to a file."""
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(news), ensure_ascii=False) + "\n")


def fail(news: News) -> None:
    """Raises what holds a credential, and two lines."""
    raise ValueError(f"no way to tell of {news.event}\nat https://host/a?Signature=word-for-tests")


def leave(news: News) -> None:
    """Ends its process."""
    del news
    sys.stdout.write("so long")
    sys.exit(3)


def die(news: News) -> None:
    """Kills its process."""
    del news
    os.kill(os.getpid(), signal.SIGKILL)


def hang(news: News, path: str) -> None:
    """Takes longer than anybody waits, with a child that does the same."""
    del news
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(path).write_text(f"{os.getpid()} {child.pid}", encoding="utf-8")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)


def chatter(news: News) -> None:
    """Says more than anybody reads."""
    del news
    for number in range(20_000):
        sys.stdout.write(f"{'word ' * 20}{number}\n")


def reveal(news: News, url_env: str) -> None:
    """Says what it should keep to itself, and fails with it."""
    del news
    sys.stdout.write(f"{os.environ[url_env]}\n")
    raise OSError(f"{os.environ[url_env]} refused {os.environ[url_env].rpartition('/')[2]}")
