"""How much fine detail a picture has."""

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional


def sharpness(
    image: Float[Tensor, "H W 3"], mask: Bool[Tensor, "H W"] | None = None
) -> Float[Tensor, ""]:
    """Measure the mean absolute Laplacian of an image's brightness, over all pixels or a mask.

    |4 b(x, y) - b(x-1, y) - b(x+1, y) - b(x, y-1) - b(x, y+1)| with the brightness b, the mean of
    the channels; the rim repeats outside. Only ratios to the sharpness of another picture of the
    same content mean something. NaN for an empty mask.

    >>> import torch
    >>> edge = torch.zeros(2, 4, 3)
    >>> edge[:, 2:] = 1.0
    >>> float(sharpness(edge)), float(sharpness(0.5 * edge))
    (0.5, 0.25)
    """
    brightness = image.mean(-1)
    wide = functional.pad(brightness[None, None], (1, 1, 1, 1), mode="replicate")[0, 0]
    around = wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:]
    strength = (4.0 * brightness - around).abs()
    return (strength if mask is None else strength[mask]).mean()
