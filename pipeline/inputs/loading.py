"""What a job's loader gives for a split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.data import Arrays, Data, Stream
from pipeline.errors import DatasetError
from pipeline.job import component
from pipeline.job.job import Job


def load(job: Job, folders: Sequence[Path], split: str) -> Data:
    """The split, from the dataset's folders.

    Raises:
        DatasetError: the loader finds no such split, or gave something else than data.
    """
    loader = job.components["dataset.loader"]
    data = component.build(loader.target, list(folders), split, **loader.arguments)
    if not isinstance(data, (Arrays, Stream)):
        raise DatasetError(
            f"the loader {loader.target} gave {type(data).__name__} for the {split} split; "
            f"expected pipeline.data.Arrays or Stream. Change the loader."
        )
    return data
