"""The photo cut at its depth edges, and what lies behind the edges.

Own. Behind each edge the far surface goes on under the near one, as far as a camera path can show
it: 1/z by the plane that the far side follows at the edge, sky as sky.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.estimators.landscape_depth import FARTHEST, SKY_DEPTH
from fourfold.estimators.mask_parts import nearest_marked
from fourfold.methods.mom.canvas import Canvas
from fourfold.methods.mom.underpaint import underpaint

Inpainter = Callable[[Float[Tensor, "H W 3"], Bool[Tensor, "H W"]], Float[Tensor, "H W 3"]]
"""Gives a picture whose hole is filled. The hole holds all that lies before the background."""

PARALLAX = 30 / 1280
"""Share of the longer side by which paths move the nearest 5 % against infinity."""
NEAREST = 0.95
STEP = 0.75
"""Pixels of parallax between neighbours from which on there is an edge. Ground seen from standing
height moves by 0.1 per row, a wall that runs away from the camera by little more."""
NEARER = 0.02
"""Pixels of parallax before the background from which on a pixel is none of it, so that the foot of
a thing, which is hardly nearer than the ground behind it, gives the background no colours."""
SPARE, SPARE_PIXELS = 1.5, 3
"""Times the parallax, and pixels more, that the background reaches under an edge: 48 at most."""
WINDOW, STRIDE = 15, 3
"""Pixels around an edge, and their spacing, that tell how its far side goes on."""
LARGEST_CHANGE = 2.0
"""Times, either way, by which 1/z of the background may change under an edge."""


@dataclass(frozen=True)
class Layer:
    """A picture with depth over the canvas, of which only some pixels are there.

    image: (H, W, 3) in [0, 1]; depth: (H, W) z; sky: drawn without parallax. Where not `present`
    the values have no meaning.
    """

    image: Float[Tensor, "H W 3"]
    depth: Float[Tensor, "H W"]
    present: Bool[Tensor, "H W"]
    sky: Bool[Tensor, "H W"]


@dataclass(frozen=True)
class _Behind:
    """What goes on under edges: where (`present`), 1/z, sky, and all that lies before it."""

    present: np.ndarray
    inverse: np.ndarray
    sky: np.ndarray
    before: np.ndarray


def cut_layers(canvas: Canvas, inpaint: Inpainter | None = None) -> list[Layer]:
    """Take a photo apart into itself and the backgrounds under its depth edges.

    Args:
        inpaint: fills what is hidden; by default with pieces of the visible background.

    Returns:
        First the canvas, all present. Then at most two backgrounds: what edges hide, and what the
        seams of that hide. Each lies farther away than what it continues under. Deterministic.
    """
    landscape = canvas.landscape
    inverse = (1 / landscape.depth.double()).numpy()
    gain = parallax_gain(canvas)
    everything = np.ones(inverse.shape, bool)
    layers = [Layer(canvas.image, landscape.depth, torch.from_numpy(everything), landscape.sky)]
    first = _behind(inverse, landscape.sky.numpy(), gain, everything, everything)
    if first is None:
        return layers
    layers.append(_paint(canvas.image, landscape.sky.numpy(), first, inpaint))
    inverse = np.where(first.present, first.inverse, inverse)
    sky = np.where(first.present, first.sky, landscape.sky.numpy())
    background = ~first.before | first.present
    second = _behind(inverse, sky, gain, background, first.present)
    if second is not None:
        image = torch.where(layers[1].present[..., None], layers[1].image, canvas.image)
        beneath = _Behind(second.present, second.inverse, second.sky, second.before | ~background)
        layers.append(_paint(image, sky, beneath, inpaint))
    return layers


def parallax_gain(canvas: Canvas) -> float:
    """Give the pixels of parallax per 1/z: paths move the nearest 5 % of the photo by 30/1280."""
    photo = canvas.photo(canvas.landscape.depth)
    nearest = np.quantile(1 / photo.numpy(), NEAREST)
    return PARALLAX * max(photo.shape) / float(nearest)


def depth_edges(
    depth: Float[Tensor, "H W"], gain: float
) -> tuple[Bool[Tensor, "H W-1"], Bool[Tensor, "H-1 W"]]:
    """Tell between which neighbours the photo is torn: to the right, and below.

    Args:
        gain: pixels of parallax per 1/z.
    """
    inverse = 1 / depth.double()
    return (inverse.diff(dim=1).abs() * gain >= STEP), (inverse.diff(dim=0).abs() * gain >= STEP)


def _behind(
    inverse: np.ndarray, sky: np.ndarray, gain: float, valid: np.ndarray, seams: np.ndarray
) -> _Behind | None:
    """Continue the far side of all edges between valid pixels of which one lies in `seams`."""
    jump = _jumps(inverse, valid, seams)
    rim = jump * gain >= STEP
    if not rim.any():
        return None
    row, column, distance = nearest_marked(rim)
    slopes = np.zeros((*rim.shape, 2))
    slopes[rim] = _slopes(inverse, sky, np.argwhere(rim), jump[rim])
    slope = slopes[row, column]
    v, u = np.indices(inverse.shape)
    start = inverse[row, column]
    far = start + slope[..., 0] * (v - row) + slope[..., 1] * (u - column)
    far = far.clip(start / LARGEST_CHANGE, start * LARGEST_CHANGE).clip(min=1 / FARTHEST)
    far = np.where(sky[row, column], 1 / SKY_DEPTH, far)
    step = (inverse - far) * gain
    before = valid & (step >= NEARER)
    present = before & (step >= STEP) & (distance <= SPARE * step + SPARE_PIXELS)
    return _Behind(present, far, sky[row, column], before) if present.any() else None


def _jumps(inverse: np.ndarray, valid: np.ndarray, seams: np.ndarray) -> np.ndarray:
    """Give how much nearer the nearest of the four neighbours is, as a difference of 1/z."""
    jump = np.zeros_like(inverse)
    for axis in (0, 1):
        here, there = [slice(None)] * 2, [slice(None)] * 2
        here[axis], there[axis] = slice(None, -1), slice(1, None)
        for a, b in ((tuple(here), tuple(there)), (tuple(there), tuple(here))):
            counts = valid[a] & valid[b] & (seams[a] | seams[b])
            np.maximum(jump[a], np.where(counts, inverse[b] - inverse[a], 0), out=jump[a])
    return jump


def _slopes(
    inverse: np.ndarray, sky: np.ndarray, places: np.ndarray, jump: np.ndarray
) -> np.ndarray:
    """Fit how 1/z changes per row and column on the far side of each edge pixel.

    Least squares through the pixel itself, over those around whose 1/z is within half the jump and
    which are sky if it is.
    """
    steps = np.arange(-WINDOW, WINDOW + 1, STRIDE)
    offsets = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
    size = np.array(inverse.shape)
    there = places[:, None] + offsets
    inside = ((there >= 0) & (there < size)).all(axis=-1)
    rows, columns = there.clip(0, size - 1).transpose(2, 0, 1)
    row, column = places.T[..., None]
    change = inverse[rows, columns] - inverse[row, column]
    alike = inside & (sky[rows, columns] == sky[row, column])
    weight = (alike & (np.abs(change) <= 0.5 * jump[:, None])).astype(float)
    weighted = weight[..., None] * offsets
    normal = weighted.transpose(0, 2, 1) @ offsets
    ridge = 1e-3 * weight.sum(axis=1)[:, None, None] + 1e-6  # flat where a direction is not seen
    right = (weighted * change[..., None]).sum(axis=1)
    return np.linalg.solve(normal + ridge * np.eye(2), right[..., None])[..., 0]


def _paint(image: Tensor, sky: np.ndarray, behind: _Behind, inpaint: Inpainter | None) -> Layer:
    """Give the background its colours: sky from sky, the rest from the rest."""
    present, before = torch.from_numpy(behind.present), torch.from_numpy(behind.before)
    in_sky, is_sky = torch.from_numpy(behind.sky), torch.from_numpy(sky)
    if inpaint is not None:
        picture = inpaint(image, before)
    else:
        picture = underpaint(image, present & in_sky, is_sky & ~before)
        rest = underpaint(image, present & ~in_sky, ~is_sky & ~before)
        picture = torch.where(in_sky[..., None], picture, rest)
    depth = torch.from_numpy((1 / behind.inverse).astype(np.float32))
    return Layer(picture, depth, present, in_sky & present)
