"""Pictures side by side in one, each with its label."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

# Of the label, as shares of a picture's height, and in pixels at least.
_TEXT_SHARE, _LEAST_TEXT = 0.045, 9
_INK, _EDGE = (255, 255, 255), (0, 0, 0)
_GAP = 4
_PAPER = 1.0


def tile(
    pictures: Sequence[Float[Tensor, "H W 3"]], labels: Sequence[str], columns: int
) -> Float[Tensor, "H2 W2 3"]:
    """Lay labelled pictures of one size out in rows, from the left and from the top.

    White between them and where the last row ends early.
    """
    height, width = pictures[0].shape[:2]
    rows = math.ceil(len(pictures) / columns)
    size = (rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, 3)
    sheet = torch.full(size, _PAPER)
    for index, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        row, column = divmod(index, columns)
        top, left = row * (height + _GAP), column * (width + _GAP)
        sheet[top : top + height, left : left + width] = write_label(picture, label)
    return sheet


def write_label(picture: Float[Tensor, "H W 3"], label: str) -> Float[Tensor, "H W 3"]:
    """Write a label into the upper left corner, white with a dark edge; it is cut to fit."""
    pixels = (picture.detach().cpu().nan_to_num(0.0).clamp(0, 1) * 255).round().byte().numpy()
    image = Image.fromarray(pixels)
    size = max(round(_TEXT_SHARE * image.height), _LEAST_TEXT)
    font, margin = ImageFont.load_default(size), round(0.5 * size)
    while label and font.getlength(label) > image.width - 2 * margin:
        label = f"{label[:-2]}…" if len(label) > 2 else ""
    edge = max(1, round(size / 10))
    draw = ImageDraw.Draw(image)
    draw.text((margin, margin), label, _INK, font, stroke_width=edge, stroke_fill=_EDGE)
    return torch.from_numpy(np.array(image)).float() / 255.0
