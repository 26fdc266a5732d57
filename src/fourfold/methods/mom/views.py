"""Views around the photo, made by reprojection with an occlusion test.

3D-MOM's protocol has 25 views: five rotations (0, +-20 degrees of yaw, +-22.5 of pitch) times five
places on an orbit of +-5 degrees about a point 4.3 units ahead. Its rotations show two fifths of
black holes, and its paper finds three views as good as all. So: the photo's own view, the four
rotations at a quarter of their angles, and the four places on an orbit about the middle depth, at
the parallax that the camera paths have.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fourfold.capture import Hint
from fourfold.geometry import Camera, project_points, rigid_matrix, unproject_pixels
from fourfold.methods.mom.nearest import nearest_pixel

# Degrees of the rotated views: a quarter of the original's.
YAW, PITCH = 5.0, 5.6
# Parallax of the orbiting views between the nearest 5 % and infinity, of the longer side (30 px at
# 1280 px, as the camera paths).
PARALLAX = 30.0 / 1280.0
# A point is hidden where the view's surface is nearer than this share of the point's depth.
HIDDEN = 0.97
# Cracks between reprojected pixels up to so many pixels from one are closed.
CRACK = 1.5


@dataclass(frozen=True, eq=False)
class View:
    """What a view around the photo shows, by the photo's pixels.

    Args:
        camera: its camera, in the photo camera's world.
        image: (H,W,3), 0 where nothing is known.
        masks: the moving regions.
        depth: z in this view; where nothing is known, that of the nearest pixel.
        sky: pixels without parallax.
        hints: as they look from here.
    """

    camera: Camera
    image: Float[Tensor, "H W 3"]
    masks: Bool[Tensor, "R H W"]
    depth: Float[Tensor, "H W"]
    sky: Bool[Tensor, "H W"]
    hints: tuple[Hint, ...]


def make_views(
    camera: Camera, depth: Float[Tensor, "H W"], sky: Bool[Tensor, "H W"]
) -> list[Camera]:
    """Place nine cameras: the photo's own first, four turned, four on an orbit.

    Args:
        camera: the photo's, whose frame is the world.
        depth: z, positive and finite.
        sky: left out of the depths that set the orbit, unless all is sky.
    """
    land = depth[~sky] if bool((~sky).any()) else depth.flatten()
    sample = land[:: max(1, len(land) // 100_000)]
    near, middle = (float(torch.quantile(sample, share)) for share in (0.05, 0.5))
    offset = PARALLAX * max(camera.width, camera.height) * near / camera.focal[0]
    turn = math.atan2(offset, middle)
    poses = [torch.eye(4)]
    for yaw, pitch in ((YAW, 0.0), (-YAW, 0.0), (0.0, PITCH), (0.0, -PITCH)):
        poses.append(rigid_matrix(_turned(math.radians(yaw), math.radians(pitch)), torch.zeros(3)))
    target = torch.tensor([0.0, 0.0, math.hypot(middle, offset)])
    for yaw, pitch in ((turn, 0.0), (-turn, 0.0), (0.0, turn), (0.0, -turn)):
        rotation = _turned(yaw, pitch)
        poses.append(rigid_matrix(rotation, target - rotation @ target))
    return [camera.moved(pose.to(camera.camera_from_world)) for pose in poses]


def see_from(
    camera: Camera,
    photo: Camera,
    image: Float[Tensor, "H W 3"],
    masks: Bool[Tensor, "R H W"],
    depth: Float[Tensor, "H W"],
    sky: Bool[Tensor, "H W"],
    hints: Sequence[Hint],
) -> View:
    """Reproject a photo into a view: each pixel of the view shows the nearest point there.

    Args:
        depth: also under the hints' ends, which are lifted with it.
    """
    source = _winners(camera, photo, depth)
    known = torch.from_numpy(source >= 0)
    _, row, column = nearest_pixel(source >= 0)
    index = torch.from_numpy(source[row, column])
    _, z = project_points(camera, unproject_pixels(photo, photo.pixel_grid(), depth))
    return View(
        camera,
        image.flatten(0, 1)[index] * known[..., None],
        masks.flatten(1)[:, index] & known,
        z.flatten()[index],
        sky.flatten()[index] & known,
        tuple(_seen_hint(hint, camera, photo, depth) for hint in hints),
    )


def visible_points(view: View, points: Float[Tensor, "N 3"]) -> Bool[Tensor, "N"]:
    """Tell which world points a view sees: in front, inside, and not behind its surface."""
    pixels, z = project_points(view.camera, points)
    inside = (z > 0) & (pixels >= 0).all(dim=-1)
    inside &= (pixels[:, 0] < view.camera.width) & (pixels[:, 1] < view.camera.height)
    column = pixels[:, 0].long().clamp(0, view.camera.width - 1)
    row = pixels[:, 1].long().clamp(0, view.camera.height - 1)
    return inside & (view.depth[row, column] >= HIDDEN * z)


def _turned(yaw: float, pitch: float) -> Float[Tensor, "3 3"]:
    """Rotate the camera's view by yaw about y, then by pitch about x (3D-MOM's order and signs)."""
    c, s = math.cos(yaw), math.sin(yaw)
    about_y = torch.tensor([[c, 0.0, -s], [0.0, 1.0, 0.0], [s, 0.0, c]])
    c, s = math.cos(pitch), math.sin(pitch)
    return about_y @ torch.tensor([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])


def _winners(camera: Camera, photo: Camera, depth: Tensor) -> Int[np.ndarray, "H W"]:
    """Number the photo's pixel that each pixel of the view shows, -1 where none does."""
    points = unproject_pixels(photo, photo.pixel_grid(), depth).flatten(0, 1)
    pixels, z = (part.cpu().numpy() for part in project_points(camera, points))
    column, row = np.floor(pixels).astype(int).T
    inside = (z > 0) & (column >= 0) & (row >= 0) & (column < camera.width) & (row < camera.height)
    # Painted from far to near: the last one to be written stays.
    order = np.nonzero(inside)[0]
    order = order[np.argsort(-z[order], kind="stable")]
    shown = np.full((camera.height, camera.width), -1)
    shown[row[order], column[order]] = order
    away, near_row, near_column = nearest_pixel(shown >= 0)
    return np.where(away <= CRACK, shown[near_row, near_column], -1)


def _seen_hint(hint: Hint, camera: Camera, photo: Camera, depth: Tensor) -> Hint:
    ends = torch.tensor([hint.start, hint.end])
    column = ends[:, 0].long().clamp(0, depth.shape[1] - 1)
    row = ends[:, 1].long().clamp(0, depth.shape[0] - 1)
    points = unproject_pixels(photo, ends.to(depth), depth[row, column])
    (x0, y0), (x1, y1) = project_points(camera, points)[0].tolist()
    return Hint(hint.name, (x0, y0), (x1, y1))
