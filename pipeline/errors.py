"""Every error of MindRun, and the exit code it ends with.

MindRunError
├── ConfigError          the job is wrong and nothing ran              (ValueError)
├── RunBusyError         another process runs this run                 (RuntimeError)
├── DependencyError      a library is missing or is an impostor        (ImportError)
├── StorageError         a place could not be read or written          (OSError)
│   ├── ObjectMissingError   nothing lies at that URL                  (FileNotFoundError)
│   ├── AccessDeniedError    the place refuses these credentials       (PermissionError)
│   └── StalledError         nothing moved for too long                (TimeoutError)
├── DiskFullError        no space left where something had to land     (OSError)
├── IntegrityError       bytes differ from what was declared or sent   (ValueError)
├── ArchiveError         an archive is unsafe, locked or too big       (ValueError)
│   └── DamagedArchiveError  what lies here is no whole archive
├── DatasetError         the data lack what the loader looks for       (ValueError)
├── CheckpointError      a checkpoint is missing, damaged or unfit     (ValueError)
├── DeviceError          MindSpore cannot use the device asked for     (RuntimeError)
├── StoppedEarlyError    training was asked to stop, its state is saved (RuntimeError)
├── TrainingError        training cannot go on, such as a NaN loss     (ArithmeticError)
├── ModelExportError     a model cannot be written, or computes wrong  (ValueError)
├── ScriptError          a script of the user's ended with an error    (RuntimeError)
└── HookError            somebody could not be told of a run           (RuntimeError)

A message says what is wrong, with the value, what was expected, and what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

DONE = 0
FAILED = 1
WRONG_JOB = 2
OUT_OF_TIME = 75
INTERRUPTED = 130
TERMINATED = 143


class MindRunError(Exception):
    """Something a person can mend; its text is all that they need to read."""

    exit_code = FAILED


@dataclass(frozen=True)
class Mistake:
    """One thing wrong with a job: the key, what it holds, what was expected, where it was set."""

    key: str
    problem: str
    origin: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        """The mistake as one paragraph, for a terminal."""
        where = f" (set by {self.origin})" if self.origin else ""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{self.key}: {self.problem}{where}{remedy}"


class ConfigError(MindRunError, ValueError):
    """The job is wrong: all its mistakes together, and nothing has run."""

    exit_code = WRONG_JOB

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


class RunBusyError(MindRunError, RuntimeError):
    """Another process is running this run."""


class DependencyError(MindRunError, ImportError):
    """A library is missing, or is not the one it is taken for."""


class StorageError(MindRunError, OSError):
    """A place could not be read or written; `is_passing` says whether trying again may help."""

    is_passing = True


class ObjectMissingError(StorageError, FileNotFoundError):
    """Nothing lies at that URL, or its bucket does not exist."""

    is_passing = False


class AccessDeniedError(StorageError, PermissionError):
    """The place refuses these credentials."""

    is_passing = False


class StalledError(StorageError, TimeoutError):
    """Nothing moved for longer than the stall limit."""


class DiskFullError(MindRunError, OSError):
    """No space is left where something had to land."""


class IntegrityError(MindRunError, ValueError):
    """Bytes differ from what was declared or sent."""


class ArchiveError(MindRunError, ValueError):
    """An archive is damaged, unsafe, locked or larger than the limits allow."""


class DamagedArchiveError(ArchiveError):
    """What lies here is no whole archive; fetched anew, it may be one."""


class DatasetError(MindRunError, ValueError):
    """The data lack what the loader looks for."""


class CheckpointError(MindRunError, ValueError):
    """A checkpoint is missing, damaged or does not fit the network."""


class DeviceError(MindRunError, RuntimeError):
    """MindSpore cannot use the device that was asked for."""


class StoppedEarlyError(MindRunError, RuntimeError):
    """Training was asked to stop and has saved its state; `why` is what who asked has said."""

    def __init__(self, message: str, *, why: int = 0) -> None:
        self.why = why
        super().__init__(message)


class TrainingError(MindRunError, ArithmeticError):
    """Training cannot go on."""


class ModelExportError(MindRunError, ValueError):
    """A network cannot be written in a format, or what was written computes something else."""


class ScriptError(MindRunError, RuntimeError):
    """A script of the user's cannot be started, or ended with another exit code than 0."""


class HookError(MindRunError, RuntimeError):
    """A hook could not tell of the run; the run itself goes on."""
