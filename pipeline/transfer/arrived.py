"""What an unfinished download has brought so far, from local records alone."""

from __future__ import annotations

from pathlib import Path

from pipeline.storage import is_url, masked, split
from pipeline.transfer.download import arrived_file_bytes
from pipeline.transfer.folder import arrived_folder_bytes
from pipeline.transfer.ranges import source_of


def arrived_bytes(path: Path, url: str | None = None) -> int:
    """How many bytes the next download of this file or folder would go on from; 0 if none.

    With `url`, what has arrived from another place does not count.
    """
    if url is None:
        return arrived_file_bytes(path) + arrived_folder_bytes(path)
    root, key = split(url)
    place = masked(root).rstrip("/") if is_url(root) else str(Path(root).absolute())
    file_bytes = arrived_file_bytes(path, source=source_of(f"{place}/{key}"))
    folder = f"{place}/{key}" if key else place
    return file_bytes + arrived_folder_bytes(path, source=source_of(folder))
