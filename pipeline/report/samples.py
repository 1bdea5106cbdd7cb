"""A picture of samples with what the network makes of them."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipeline.disk.files import write_atomically

if TYPE_CHECKING:
    from pipeline.data import Array

COLUMNS = 8
ROWS = 5
TILE_PX = 96
CAPTION_PX = 30
GAP_PX = 8

_PAPER, _INK, _RIGHT, _WRONG = "#ffffff", "#1f2933", "#1a7f37", "#b42318"


def draw(
    images: Array,
    predicted: Array,
    probabilities: Array,
    labels: Array | None,
    path: Path,
) -> None:
    """The PNG shows up to 40 samples: wrong ones first, then the least certain.

    Images are (n, 1 or 3, height, width) in any range; each is stretched to full contrast.
    Without labels nothing is right or wrong, and the least certain come first.
    """
    chosen = _choice(predicted, probabilities, labels)
    columns = min(COLUMNS, len(chosen))
    width = columns * (TILE_PX + GAP_PX) + GAP_PX
    height = math.ceil(len(chosen) / columns) * (TILE_PX + CAPTION_PX + GAP_PX) + GAP_PX
    sheet = Image.new("RGB", (width, height), _PAPER)
    pen = ImageDraw.Draw(sheet)
    font = _font()
    for place, i in enumerate(chosen):
        left = GAP_PX + place % columns * (TILE_PX + GAP_PX)
        top = GAP_PX + place // columns * (TILE_PX + CAPTION_PX + GAP_PX)
        sheet.paste(_tile(images[i]), (left, top))
        text, colour = _caption(
            predicted[i], probabilities[i], None if labels is None else labels[i]
        )
        if colour == _WRONG:
            pen.rectangle(
                (left - 3, top - 3, left + TILE_PX + 2, top + TILE_PX + 2), None, _WRONG, 3
            )
        indent = (TILE_PX - pen.textlength(text, font)) / 2
        pen.text((left + indent, top + TILE_PX + 6), text, colour, font)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    write_atomically(path, buffer.getvalue())


def stretched(image: Array) -> Image.Image:
    """The image (1 or 3, height, width) as a picture of full contrast."""
    low, high = float(image.min()), float(image.max())
    grey = np.rint((image - low) * (255 / (high - low or 1))).astype(np.uint8)
    pixels = np.broadcast_to(grey, (3, *grey.shape[1:])).transpose(1, 2, 0)
    return Image.fromarray(np.ascontiguousarray(pixels))


def _choice(predicted: Array, probabilities: Array, labels: Array | None) -> Array:
    is_right = np.ones(len(predicted), bool) if labels is None else predicted == labels
    # Half of the places go to right ones if there are enough: only mistakes would mislead.
    by_doubt = np.argsort(probabilities, kind="stable")
    wrong, right = by_doubt[~is_right[by_doubt]], by_doubt[is_right[by_doubt]]
    places = COLUMNS * ROWS
    shown_wrong = wrong[: max(places // 2, places - len(right))]
    return np.concatenate([shown_wrong, right[: places - len(shown_wrong)]])


def _font() -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    try:
        return ImageFont.load_default(size=13)
    except TypeError:  # Pillow before 10.1 has one small font, and it cannot be sized
        return ImageFont.load_default()


def _tile(image: Array) -> Image.Image:
    return stretched(image).resize((TILE_PX, TILE_PX), Image.Resampling.NEAREST)


def _caption(predicted: int, probability: float, label: int | None) -> tuple[str, str]:
    percent = f"{math.floor(probability * 100)} %"
    if label is None:
        return f"{predicted}  {percent}", _INK
    if predicted == label:
        return f"{predicted}  {percent}", _RIGHT
    return f"{predicted}, not {label}  {percent}", _WRONG
