"""One process of ours, from its first line to its exit code."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import NoReturn

from pipeline import errors
from pipeline.errors import ConfigError, MindRunError, Mistake
from pipeline.messages import console, log
from pipeline.messages.masking import mask
from pipeline.processes import stopping
from pipeline.running.outcome import exit_code_of
from pipeline.starting import ranks

_HEADLINE = "the job is wrong, nothing ran:"


def run(work: Callable[[], int]) -> int:
    """The work is done, or why it was not is said in words; gives the exit code of the contract."""
    console.bear_any_text()
    log.to_terminal()
    signal.signal(signal.SIGTERM, _terminate)
    sys.excepthook = ranks.show_masked
    with ranks.Leaving() as leaving:
        leaving.exit_code = _answer(work)
    return leaving.exit_code


def _answer(work: Callable[[], int]) -> int:
    try:
        return errors.DONE if ranks.schedule_if_asked(os.environ) else work()
    except ConfigError as error:
        _show_mistakes(error.mistakes)
        return error.exit_code
    except MindRunError as error:
        console.say(f"{error}", "red", to_errors=True)
        return error.exit_code
    except OSError as error:
        console.say(f"{error}; nothing more was done", "red", to_errors=True)
        return errors.FAILED
    except KeyboardInterrupt as interrupt:
        console.say("stopped", "yellow", to_errors=True)
        return exit_code_of(interrupt)


def _show_mistakes(mistakes: Sequence[Mistake]) -> None:
    console.say(_HEADLINE, "bold red", to_errors=True)
    for mistake in mistakes:
        console.say(f"  {mask(str(mistake))}", to_errors=True)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    raise stopping.Terminated
