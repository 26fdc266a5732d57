"""Points followed through a scene, from pixels that were asked for; and how far off they are."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fourfold.evaluation.metrics import endpoint_error
from fourfold.geometry import (
    Camera,
    project_points,
    quaternion_conjugate,
    quaternion_multiply,
    quaternion_rotate,
    transform_points,
    unproject_pixels,
)
from fourfold.scene import Gaussians, Scene, SceneObject, VolumeObject, draw

# Gaussians fainter than this are no surface that a point could lie on.
_MIN_OPACITY = 0.1
# Rendered depth is a mean over overlapping Gaussians: it lies behind the foremost of them by
# about their thickness, which this share of the depth allows for.
_DEPTH_TOLERANCE = 0.05
# Bounds the distance table of queries and Gaussians.
_CHUNK = 128


@dataclass(frozen=True)
class PredictedTracks:
    """Where a scene says that points of its surface are, at every frame.

    `points` (T,N,3) in the scene's world, `pixels` (T,N,2) of the frame's camera, `visible` (T,N).
    """

    points: Float[Tensor, "T N 3"]
    pixels: Float[Tensor, "T N 2"]
    visible: Bool[Tensor, "T N"]


def first_visible(visible: Bool[Tensor, "T N"], frames: Sequence[int]) -> Int[Tensor, "N"]:
    """Give for each point the first of `frames` in which it is visible, -1 where there is none.

    >>> first_visible(torch.tensor([[True, False], [True, True], [True, True]]), [1, 2]).tolist()
    [1, 1]
    """
    chosen = torch.as_tensor(frames)
    seen = visible[chosen]
    first = chosen[seen.int().argmax(dim=0)]
    return torch.where(seen.any(dim=0), first, torch.full_like(first, -1))


@torch.no_grad()
def predict_tracks(
    scene: Scene,
    queries: Float[Tensor, "N 2"],
    frames: Int[Tensor, "N"],
    objects: Sequence[str | None] | None = None,
) -> PredictedTracks:
    """Follow the surface points that a scene shows at query pixels through all of its frames.

    Own. The point lies on the pixel's ray at the rendered depth. It moves with the Gaussian whose
    centre is nearest to it, as if fixed to it: with its place, its rotation and its size. Where
    nothing is rendered at a pixel, the point takes the depth of the Gaussian nearest in the
    image, so that every query gets an answer. A point is visible where it lies in the image and
    not behind the rendered depth.

    Args:
        queries: pixels (x, y) of the scene's cameras.
        frames: the frame of each query.
        objects: name of each query's object, None where not known: others are looked through.
    """
    names = objects or [None] * len(queries)
    points = queries.new_zeros(scene.num_frames, len(queries), 3)
    for frame, name in sorted(set(zip(frames.tolist(), names, strict=True)), key=str):
        same_name = torch.tensor([other == name for other in names], device=frames.device)
        chosen = (frames == frame) & same_name
        candidates = list(scene.objects) if name is None else [scene.object(name)]
        points[:, chosen] = _follow(scene, candidates, queries[chosen], float(frame))
    pixels, visible = _look(scene, points)
    return PredictedTracks(points, pixels, visible)


def track_epe_2d(
    pixels: Float[Tensor, "T N 2"],
    true_pixels: Float[Tensor, "T N 2"],
    counted: Bool[Tensor, "T N"],
) -> float:
    """Measure the mean distance in pixels between tracks and their truth, where counted."""
    return float(endpoint_error(pixels, true_pixels, counted))


def track_epe_3d(
    points: Float[Tensor, "T N 3"],
    true_points: Float[Tensor, "T N 3"],
    counted: Bool[Tensor, "T N"],
    truth_from_scene: Float[Tensor, "4 4"] | None = None,
) -> float:
    """Measure the mean distance in the truth's units between tracks and their truth.

    `truth_from_scene` is the one global similarity of the protocol (`fit_alignment`).
    """
    if truth_from_scene is not None:
        points = transform_points(truth_from_scene, points)
    return float((points - true_points).norm(dim=-1)[counted].mean())


def counted_entries(visible: Bool[Tensor, "T N"], frames: Int[Tensor, "N"]) -> Bool[Tensor, "T N"]:
    """Mark what a track error counts: visible points, but not at their own query frame.

    Points without a query (frame -1) are not counted.
    """
    times = torch.arange(len(visible))[:, None]
    return visible & (times != frames) & (frames >= 0)


def _follow(
    scene: Scene,
    candidates: Sequence[SceneObject | VolumeObject],
    queries: Float[Tensor, "N 2"],
    frame: float,
) -> Float[Tensor, "T N 3"]:
    """Follow the points that `candidates`, drawn alone, show at pixels of one frame."""
    camera = scene.camera_at(frame)
    shown = [candidate.at(frame) for candidate in candidates]
    start = _surface_points(shown, camera, queries)
    nearest = _nearest_gaussians(torch.cat([part.means for part in shown]), shown, start)
    points = start.new_zeros(scene.num_frames, len(start), 3)
    first = 0
    for candidate, part in zip(candidates, shown, strict=True):
        own = (nearest >= first) & (nearest < first + len(part))
        if own.any():
            index = nearest[own] - first
            points[:, own] = _ride(candidate, index, part.select(index), start[own], len(points))
        first += len(part)
    return points


def _surface_points(
    shown: Sequence[Gaussians], camera: Camera, queries: Float[Tensor, "N 2"]
) -> Float[Tensor, "N 3"]:
    """Find the world points that a camera sees at pixels."""
    depth_map = draw(shown, camera, {"depth"}).outputs["depth"]
    x, y = _pixel_indices(queries, camera)
    depth = depth_map[y, x]
    missed = depth.isnan()
    if missed.any():
        centers, center_depth = project_points(camera, torch.cat([part.means for part in shown]))
        centers = centers.masked_fill((center_depth <= 0)[:, None], torch.inf)
        depth[missed] = center_depth[_argmin_distance(queries[missed], centers)]
    return unproject_pixels(camera, queries, depth)


def _nearest_gaussians(
    means: Float[Tensor, "M 3"], shown: Sequence[Gaussians], points: Float[Tensor, "N 3"]
) -> Int[Tensor, "N"]:
    faint = torch.cat([part.opacities for part in shown]) < _MIN_OPACITY
    if not faint.all():
        means = means.masked_fill(faint[:, None], torch.inf)
    return _argmin_distance(points, means)


def _argmin_distance(a: Float[Tensor, "N D"], b: Float[Tensor, "M D"]) -> Int[Tensor, "N"]:
    # Differences, not the quicker matrix product: it loses the small distances to rounding.
    chunks = [((part[:, None] - b) ** 2).sum(-1).argmin(dim=1) for part in a.split(_CHUNK)]
    return torch.cat(chunks)


def _ride(
    candidate: SceneObject | VolumeObject,
    index: Int[Tensor, "N"],
    carriers: Gaussians,
    start: Float[Tensor, "N 3"],
    num_frames: int,
) -> Float[Tensor, "T N 3"]:
    """Carry points along with Gaussians of an object, in whose frames they keep their place."""
    canonical = candidate.geometry.select(index)
    skinning = candidate.motion.bind(canonical.means)
    unturn = quaternion_conjugate(_unit(carriers.quaternions))
    offset = start - carriers.means
    points = []
    for frame in range(num_frames):
        moved = candidate.motion.apply(canonical, float(frame), skinning)
        turn = quaternion_multiply(_unit(moved.quaternions), unturn)
        growth = (moved.log_scales - carriers.log_scales).mean(dim=-1, keepdim=True).exp()
        points.append(moved.means + growth * quaternion_rotate(turn, offset))
    return torch.stack(points)


def _look(
    scene: Scene, points: Float[Tensor, "T N 3"]
) -> tuple[Float[Tensor, "T N 2"], Bool[Tensor, "T N"]]:
    """Project points into their frames' cameras, and tell which of them are seen there."""
    views = []
    for frame, world in enumerate(points):
        camera = scene.camera_at(float(frame))
        pixels, depth = project_points(camera, world)
        nearest = scene.render(camera, float(frame), {"depth"})["depth"]
        x, y = _pixel_indices(pixels, camera)
        size = pixels.new_tensor([camera.width, camera.height])
        inside = ((pixels >= 0) & (pixels < size)).all(dim=-1) & (depth > 0)
        views.append((pixels, inside & (depth <= nearest[y, x] * (1 + _DEPTH_TOLERANCE))))
    return torch.stack([pixels for pixels, _ in views]), torch.stack([seen for _, seen in views])


def _pixel_indices(
    pixels: Float[Tensor, "N 2"], camera: Camera
) -> tuple[Int[Tensor, "N"], Int[Tensor, "N"]]:
    x, y = pixels.floor().long().unbind(-1)
    return x.clamp(0, camera.width - 1), y.clamp(0, camera.height - 1)


def _unit(quaternions: Float[Tensor, "N 4"]) -> Float[Tensor, "N 4"]:
    return torch.nn.functional.normalize(quaternions, dim=-1)
