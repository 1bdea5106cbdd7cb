"""samples.json: of a whole split the samples that a page shows, with small pictures of them."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from pipeline.report.samples import stretched

if TYPE_CHECKING:
    from pipeline.data import Array

MOST_WRONG, MOST_RIGHT = 24, 16
# Larger pictures would make a page heavy, and are shown at about this size.
LARGEST_PX = 64


@dataclass(frozen=True)
class _Kept:
    index: int
    predicted: int
    probability: float
    label: int
    image: Array | None


class Collector:
    """Sees a split batch by batch, and keeps no more of it than will be shown.

    Of the wrong samples those stay of which the network was the most certain, of the right ones
    those of which it was the least.
    """

    def __init__(self) -> None:
        self.total = 0
        self.wrong_ones = 0
        self._wrong: list[_Kept] = []
        self._right: list[_Kept] = []

    def add(
        self, inputs: Sequence[Array], labels: Array, predicted: Array, probabilities: Array
    ) -> None:
        """One batch more, in file order."""
        certainty = np.nan_to_num(probabilities)
        images = inputs[0] if _are_images(inputs) else None

        def kept(places: Array) -> list[_Kept]:
            return [
                _Kept(
                    self.total + int(i),
                    int(predicted[i]),
                    float(certainty[i]),
                    int(labels[i]),
                    # A copy, so that the batch can go.
                    None if images is None else np.array(images[i]),
                )
                for i in places
            ]

        order = np.argsort(certainty, kind="stable")
        is_wrong = (predicted != labels)[order]
        wrong, right = order[is_wrong][::-1][:MOST_WRONG], order[~is_wrong][:MOST_RIGHT]
        self._wrong = sorted([*self._wrong, *kept(wrong)], key=_by_certainty)[:MOST_WRONG]
        self._right = sorted([*self._right, *kept(right)], key=_by_doubt)[:MOST_RIGHT]
        self.total += len(labels)
        self.wrong_ones += int(is_wrong.sum())

    def as_plain(self) -> dict[str, Any]:
        """What samples.json holds."""
        found = [_plain(sample) for sample in (*self._wrong, *self._right)]
        return {"total": self.total, "wrong": self.wrong_ones, "samples": found}


def _by_certainty(sample: _Kept) -> tuple[float, int]:
    return -sample.probability, sample.index


def _by_doubt(sample: _Kept) -> tuple[float, int]:
    return sample.probability, sample.index


def _are_images(inputs: Sequence[Array]) -> bool:
    return len(inputs) > 0 and inputs[0].ndim == 4 and inputs[0].shape[1] in (1, 3)


def _plain(sample: _Kept) -> dict[str, Any]:
    return {
        "index": sample.index,
        "predicted": sample.predicted,
        "probability": round(sample.probability, 6),
        "label": sample.label,
        "png": "" if sample.image is None else _png(sample.image),
    }


def _png(image: Array) -> str:
    picture = stretched(image)
    if len(image) == 1:
        picture = picture.convert("L")
    if max(picture.size) > LARGEST_PX:
        picture.thumbnail((LARGEST_PX, LARGEST_PX), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
