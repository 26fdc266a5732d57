"""Many small labelled images on one picture, to be looked at together."""

from collections.abc import Sequence

from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from fourfold.evaluation.pictures import encode_image, to_pillow

Tile = tuple[str, Float[Tensor, "H W 3"]]

_GAP = 6
_LABEL_HEIGHT = 22
_FONT_SIZE = 14
_PAPER = (255, 255, 255)
_INK = (40, 44, 52)


def contact_sheet(rows: Sequence[Sequence[Tile]], tile_height: int = 200) -> bytes:
    """Lay rows of labelled images out on a white sheet and encode it as PNG.

    Own. Each image is scaled to `tile_height` at its own aspect, its label above it; columns are
    as wide as their widest image. Rows may differ in length.

    Args:
        rows: per row the pairs (label, image in [0, 1]).

    Raises:
        ValueError: there is no image.
    """
    if not any(rows):
        raise ValueError("a contact sheet needs at least one image")
    tiles = [[(label, _scaled(image, tile_height)) for label, image in row] for row in rows]
    columns = max(map(len, tiles))
    widths = [max(row[c][1].width for row in tiles if c < len(row)) for c in range(columns)]
    step = _LABEL_HEIGHT + tile_height + _GAP
    sheet = Image.new("RGB", (sum(widths) + _GAP * (columns + 1), step * len(tiles) + _GAP), _PAPER)
    for index, row in enumerate(tiles):
        left = _GAP
        for (label, picture), width in zip(row, widths, strict=False):
            _place(sheet, label, picture, left, _GAP + index * step)
            left += width + _GAP
    return encode_image(sheet, "PNG")


def _scaled(image: Float[Tensor, "H W 3"], height: int) -> Image.Image:
    picture = to_pillow(image)
    width = max(1, round(picture.width * height / picture.height))
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def _place(sheet: Image.Image, label: str, picture: Image.Image, left: int, top: int) -> None:
    font = ImageFont.load_default(_FONT_SIZE)
    while label and font.getlength(label) > picture.width:
        label = f"{label[:-2]}…" if len(label) > 2 else ""
    draw = ImageDraw.Draw(sheet)
    draw.text((left, top + _LABEL_HEIGHT / 2), label, _INK, font, anchor="lm")
    sheet.paste(picture, (left, top + _LABEL_HEIGHT))
