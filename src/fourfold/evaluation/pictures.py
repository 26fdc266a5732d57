"""Images as files: the way out of tensors."""

import io
from typing import Literal

from jaxtyping import Float
from PIL import Image
from torch import Tensor

# Where blocks become invisible; 4:4:4, since thin coloured parts are what one looks for.
_JPEG = {"quality": 90, "subsampling": 0}


def to_pillow(image: Float[Tensor, "H W 3"]) -> Image.Image:
    """Turn an image in [0, 1] into a Pillow image of 8 bits; values outside are clipped."""
    pixels = (image.detach().cpu().clamp(0, 1) * 255).round().byte().numpy()
    return Image.fromarray(pixels)


def encode_image(
    image: Float[Tensor, "H W 3"] | Image.Image, kind: Literal["JPEG", "PNG"]
) -> bytes:
    """Encode an image in [0, 1] (or a Pillow image) as the bytes of a JPEG or PNG file."""
    picture = image if isinstance(image, Image.Image) else to_pillow(image)
    buffer = io.BytesIO()
    picture.save(buffer, kind, **(_JPEG if kind == "JPEG" else {}))
    return buffer.getvalue()
