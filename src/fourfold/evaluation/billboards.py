"""Novel views from flat cards: the mark that a reconstructed shape has to beat."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.capture import Capture
from fourfold.evaluation.metrics import front_most
from fourfold.evaluation.ordering import median_depths
from fourfold.geometry import Camera, project_points, transform_points
from fourfold.scene import BACKGROUND, Scene, draw


class Card(NamedTuple):
    """A flat cut-out that faces its camera: image (H,W,3), mask (H,W), z-depth of its plane."""

    image: Float[Tensor, "H W 3"]
    mask: Bool[Tensor, "H W"]
    depth: float


def render_cards(
    cards: Sequence[Card], source: Camera, camera: Camera
) -> tuple[Float[Tensor, "H W 3"], Float[Tensor, "H W"]]:
    """See cut-outs of a camera's image from another camera, the nearer hiding the farther.

    Own: each card is a plane at one depth of `source`, sampled bilinearly where the rays of
    `camera` meet it. Pixels that no card covers are black.

    Returns:
        the image in [0, 1] and how much of each pixel the cards cover.
    """
    image = cards[0].image.new_zeros(camera.height, camera.width, 3)
    alpha = image[..., 0].clone()
    for card in sorted(cards, key=lambda card: -card.depth):
        color, cover = _see_card(card, source, camera)
        image = cover[..., None] * color + (1 - cover[..., None]) * image
        alpha = cover + (1 - cover) * alpha
    return image, alpha


def view_with_cards(
    scene: Scene, capture: Capture, frame: int, camera: Camera
) -> Float[Tensor, "H W 3"]:
    """See a scene's background from a camera, with flat cards in the place of its objects.

    Own. Each card is the object's part of the input image at that frame, at the median depth at
    which the scene shows it there: what one gets from knowing where an object is, but not its
    shape.
    """
    source = scene.camera_at(float(frame))
    drawn = scene.render(source, float(frame), {"objects", "depth"})
    depths = median_depths(drawn["depth"], front_most(drawn["objects"]), scene.object_names)
    masks = dict(zip(capture.object_names, capture.masks(frame), strict=True))
    image = capture.image(frame)
    cards = [Card(image, mask, depths[name]) for name, mask in masks.items() if name in depths]
    backdrop = _background_alone(scene, float(frame), camera)
    if not cards:
        return backdrop
    front, alpha = render_cards(cards, source, camera)
    return front + (1 - alpha[..., None]) * backdrop


def _background_alone(scene: Scene, time: float, camera: Camera) -> Float[Tensor, "H W 3"]:
    if BACKGROUND not in scene.object_names:
        return scene.background_color.expand(camera.height, camera.width, 3)
    parts = [scene.object(BACKGROUND).at(time)]
    drawing = draw(parts, camera, {"rgb"}, background_color=scene.background_color)
    return drawing.outputs["rgb"].clamp(0, 1)


def _see_card(
    card: Card, source: Camera, camera: Camera
) -> tuple[Float[Tensor, "H W 3"], Float[Tensor, "H W"]]:
    origins, directions = camera.rays()
    pose = source.camera_from_world
    start = transform_points(pose, origins.reshape(-1, 3))
    heading = directions.reshape(-1, 3) @ pose[:3, :3].mT
    distance = (card.depth - start[:, 2]) / heading[:, 2]
    points = origins.reshape(-1, 3) + distance[:, None] * directions.reshape(-1, 3)
    pixels, depth = project_points(source, points)
    # Rays along the plane never meet it, and those that lead away meet it behind the camera.
    met = distance.isfinite() & (distance > 0) & (depth > 0)
    size = pixels.new_tensor([source.width, source.height])
    grid = torch.where(met[:, None], 2 * pixels / size - 1, 2.0).view(1, *origins.shape[:2], 2)
    # Colours are weighted by the mask, so that nothing from beside the card bleeds in.
    mask = card.mask.to(card.image)[..., None]
    planes = torch.cat([card.image * mask, mask], dim=-1).permute(2, 0, 1)[None]
    sampled = F.grid_sample(planes, grid, align_corners=False)[0].permute(1, 2, 0)
    cover = sampled[..., 3]
    return sampled[..., :3] / cover.clamp_min(1e-6)[..., None], cover
