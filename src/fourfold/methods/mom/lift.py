"""From a photo with depth to Gaussians: what stands still, what moves, what is hidden."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from fourfold.geometry import Camera
from fourfold.methods.mom.canvas import Canvas
from fourfold.methods.mom.layers import Layer
from fourfold.methods.mom.pixel_gaussians import pixel_gaussians
from fourfold.scene import Gaussians, draw
from fourfold.training import Progress

EPS2D = 0.1
"""Blur of the picture in pixels^2: less than the 0.3 of 3DGS, which stops at 33-35 dB."""
ROUNDS = 4
"""Corrections of the colours: each divides the error by two to three."""
LEAST_COLOR, LARGEST_COLOR = -0.5, 1.5
"""Sharp detail needs colours beyond [0, 1], since neighbours overlap."""
BED_STEP = 3
"""Pixels: the ground under moving matter is as deep as the deepest of so many around."""
BED_DEPTH = 1.003


@dataclass(frozen=True)
class Lifted:
    """A photo's Gaussians: seen in it and still, hidden in it or outside it, and each region's."""

    still: Gaussians
    filled: Gaussians
    moving: tuple[Gaussians, ...]

    def parts(self) -> list[Gaussians]:
        """Give all of them, in the order of the scene's objects."""
        return [self.still, self.filled, *self.moving]


@torch.no_grad()
def lift(
    canvas: Canvas,
    layers: Sequence[Layer],
    regions: Bool[Tensor, "R H W"],
    progress: Progress | None = None,
) -> Lifted:
    """Make Gaussians of a photo's layers, and correct their colours until the photo is matched.

    Under a moving region its picture is kept once more, a little deeper, as the ground that is
    seen through gaps. Colours are corrected by the error of their own pixel in the rendering (van
    Cittert's iteration); the blur is slight, so it converges.

    Args:
        layers: the canvas first, then what is behind it.
        regions: the moving regions; none overlaps another.
    """
    front, camera = layers[0], canvas.camera
    hidden = [_layer(layer, camera) for layer in layers[1:]]
    beds = [_bed(front, region, camera) for region in regions]
    colors = front.image.clone()
    for _ in range(ROUNDS):
        lifted = _assemble(canvas, front, colors, regions, hidden, beds)
        picture = draw(lifted.parts(), camera, ("rgb",), eps2d=EPS2D).outputs["rgb"]
        colors = (colors + front.image - picture).clamp(LEAST_COLOR, LARGEST_COLOR)
        if progress is not None:
            progress.advance()
    return _assemble(canvas, front, colors, regions, hidden, beds)


def _assemble(
    canvas: Canvas,
    front: Layer,
    colors: Float[Tensor, "H W 3"],
    regions: Bool[Tensor, "R H W"],
    hidden: Sequence[Gaussians],
    beds: Sequence[Gaussians],
) -> Lifted:
    still, outside = ~regions.any(0), canvas.invented
    seen = pixel_gaussians(colors, front.depth, canvas.camera, still & ~outside)
    rim = pixel_gaussians(colors, front.depth, canvas.camera, still & outside)
    moving = [pixel_gaussians(colors, front.depth, canvas.camera, region) for region in regions]
    return Lifted(Gaussians.cat([seen, *beds]), Gaussians.cat([rim, *hidden]), tuple(moving))


def _layer(layer: Layer, camera: Camera) -> Gaussians:
    return pixel_gaussians(layer.image, layer.depth, camera, layer.present)


def _bed(front: Layer, region: Bool[Tensor, "H W"], camera: Camera) -> Gaussians:
    """Put a region's picture under it, at half its size: little of it is ever seen."""
    own = front.depth.masked_fill(~region, 0.0)
    size = 2 * BED_STEP + 1
    deepest = functional.max_pool2d(own[None, None], size, 1, BED_STEP)
    halves = [
        functional.avg_pool2d(front.image.permute(2, 0, 1)[None], 2, ceil_mode=True),
        functional.max_pool2d(deepest, 2, ceil_mode=True),
    ]
    image, depth = halves[0][0].permute(1, 2, 0), halves[1][0, 0]
    present = functional.max_pool2d(region[None, None].float(), 2, ceil_mode=True)[0, 0] > 0
    half = replace(
        camera, width=present.shape[1], height=present.shape[0], intrinsics=_halved(camera)
    )
    return pixel_gaussians(image, torch.where(present, BED_DEPTH * depth, 1.0), half, present)


def _halved(camera: Camera) -> Float[Tensor, "3 3"]:
    """Give the intrinsics for pixels of twice the size, of which the last may be cut."""
    return camera.intrinsics * camera.intrinsics.new_tensor([[0.5], [0.5], [1.0]])
