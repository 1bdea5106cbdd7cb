"""How failures of the local disk become our errors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import AccessDeniedError, MindRunError, ObjectMissingError
from pipeline.storage.protocol import RefusedError


@contextlib.contextmanager
def naming_cause(path: Path) -> Iterator[None]:
    """Turns the system's errors into ours; goes around naming_full_disk, which names its own.

    Raises:
        ObjectMissingError: a file or folder that is needed is not there.
        AccessDeniedError: the user who runs this may not do that.
        RefusedError: the disk does not do it for another reason.
    """
    try:
        yield
    except MindRunError:
        raise
    except FileNotFoundError as error:
        raise ObjectMissingError(
            f"{error.filename or path}: no such file; check the path and whether it is mounted."
        ) from error
    except PermissionError as error:
        raise AccessDeniedError(
            f"{error.filename or path}: permission denied; open it to the user who runs this."
        ) from error
    except (IsADirectoryError, NotADirectoryError, FileExistsError) as error:
        raise RefusedError(
            f"{error.filename2 or error.filename or path}: is a file where a folder should be, or "
            f"the other way round; remove it or choose another name."
        ) from error
    except OSError as error:
        if error.errno is None:
            raise
        raise RefusedError(
            f"{error.filename or path}: the disk answered {error.strerror!r}; look at its mount."
        ) from error
