"""What an unfinished download has brought so far, from local records alone."""

from __future__ import annotations

from pathlib import Path

from pipeline.transfer.download import arrived_file_bytes
from pipeline.transfer.folder import arrived_folder_bytes


def arrived_bytes(path: Path) -> int:
    """How many bytes the next download of this file or folder would go on from; 0 if none."""
    return arrived_file_bytes(path) + arrived_folder_bytes(path)
