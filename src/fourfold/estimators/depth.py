"""Depth of a background seen by moving cameras that are known: triangulated, fused, filled.

Own. In a few reference frames each pixel's inverse depth is solved from its flow to several other
frames (linear in inverse depth, robustly reweighted); the results are fused in the view asked for
and filled by an edge-aware membrane in inverse depth, in which planes are linear.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.estimators.flow import FlowEstimator, dense_inverse_search, estimate_flow
from fourfold.estimators.frame_sequence import FrameSequence
from fourfold.estimators.membrane import fill_membrane
from fourfold.estimators.sampling import sample_image
from fourfold.geometry import Camera, project_points, unproject_pixels

REFERENCES = 5  # frames whose pixels are triangulated
PARTNERS = 6  # frames each of them is matched with
FLOW_REACH = 6  # pixels from an object within which it drags the background's flow along
REWEIGHTINGS = 4
NOISE_PIXELS = 0.3  # of a confirmed DIS match on textured background
WORST_MISS = 1.5  # pixels, root mean square over the partners
WORST_RELATIVE_ERROR = 0.15  # standard deviation of depth over depth
LEAST_PARALLAX = 2.0  # pixels, of the median triangulated pixel: less is drowned in flow errors
LEAST_COVERAGE = 0.05  # of the view, that must be triangulated
DISAGREEMENT = 0.1  # relative, between fused inverse depths, beyond which one is dropped


@dataclass(frozen=True)
class BackgroundDepth:
    """A dense z-depth map with its evidence.

    depth: (H, W) z along the camera in scene units, positive and finite everywhere.
    confidence: (H, W) in [0, 1]: 1 where triangulated precisely, 0 where only filled.
    camera: whose view it is.
    """

    depth: Float[Tensor, "H W"]
    confidence: Float[Tensor, "H W"]
    camera: Camera


@dataclass(frozen=True)
class Triangulation:
    """Background points in the world, scene units.

    points: (N, 3).
    relative_deviations: (N,) standard deviation of a point's depth over its depth.
    parallax: pixels by which the median point moves against infinity.
    """

    points: Float[Tensor, "N 3"]
    relative_deviations: Float[Tensor, " N"]
    parallax: float


@dataclass(frozen=True)
class _Triangulated:
    """One reference frame's answer: inverse depth, its deviation, parallax, where it holds."""

    inverse_depth: Float[Tensor, "H W"]
    deviation: Float[Tensor, "H W"]
    parallax: Float[Tensor, "H W"]
    valid: Bool[Tensor, "H W"]


def triangulate_frames(
    images: FrameSequence,
    free: FrameSequence,
    cameras: Sequence[Camera],
    *,
    estimator: FlowEstimator = dense_inverse_search,
) -> Triangulation | None:
    """Triangulate what several frames of moving cameras see of the background.

    Args:
        images: T times (H, W, 3) in [0, 1].
        free: T times (H, W) bool: background pixels, objects and their rims left out.
        cameras: T cameras, exact; all of one size.
        estimator: the flow matcher.

    Returns:
        None when nothing can be matched, or the median pixel shows less than 2 px of parallax:
        the depth is then not determined by the clip.
    """
    points, deviations, parallaxes = [], [], []
    for reference in _spread(len(images), REFERENCES):
        found = _triangulate_frame(images, free, cameras, reference, estimator)
        if found is None:
            continue
        camera = cameras[reference]
        depth = 1 / found.inverse_depth[found.valid]
        points.append(unproject_pixels(camera, camera.pixel_grid()[found.valid], depth))
        deviations.append(found.deviation[found.valid] * depth)
        parallaxes.append(found.parallax[found.valid])
    if sum(len(each) for each in points) == 0:
        return None
    parallax = float(torch.cat(parallaxes).median())
    if parallax < LEAST_PARALLAX:
        return None
    return Triangulation(torch.cat(points), torch.cat(deviations), parallax)


def depth_in_view(
    triangulation: Triangulation, view: Camera, guide: Float[Tensor, "H W 3"] | None = None
) -> BackgroundDepth | None:
    """Fuse triangulated points into the dense depth map of a view.

    Args:
        view: the camera whose depth map is wanted.
        guide: the view's colours; the fill may then break at their edges.

    Returns:
        None when points cover less than 5 % of the view.
    """
    seen, z = project_points(view, triangulation.points)
    size = seen.new_tensor([view.width, view.height])
    inside = (z > 0) & (seen >= 0).all(dim=-1) & (seen < size).all(dim=-1)
    inverse, weight = _fuse(
        seen[inside].long(), 1 / z[inside], triangulation.relative_deviations[inside], view
    )
    if float((weight > 0).double().mean()) < LEAST_COVERAGE:
        return None
    filled = fill_membrane(inverse, weight, guide)
    least = inverse[weight > 0].min() * 0.5
    return BackgroundDepth(1 / filled.clamp(min=float(least)), weight, view)


def triangulate_background(
    images: FrameSequence,
    free: FrameSequence,
    cameras: Sequence[Camera],
    view: Camera,
    *,
    guide: Float[Tensor, "H W 3"] | None = None,
) -> BackgroundDepth | None:
    """Give the dense depth of the background in a view, or None when the clip does not tell it.

    `triangulate_frames`, then `depth_in_view`; see there.
    """
    triangulation = triangulate_frames(images, free, cameras)
    return None if triangulation is None else depth_in_view(triangulation, view, guide)


def _triangulate_frame(
    images: FrameSequence,
    free: FrameSequence,
    cameras: Sequence[Camera],
    reference: int,
    estimator: FlowEstimator,
) -> _Triangulated | None:
    partners = _partners(cameras, reference)
    if not partners:
        return None
    camera = cameras[reference]
    pixels = camera.pixel_grid()
    rays = camera.directions(pixels)
    undisturbed = _away_from_objects(free[reference])
    gains, rests, weights = [], [], []
    for partner in partners:
        other = cameras[partner]
        relative = other.camera_from_world @ camera.world_from_camera
        far = rays @ (other.intrinsics @ relative[:3, :3]).T
        step = other.intrinsics @ relative[:3, 3]
        prior = far[..., :2] / far[..., 2:] - pixels
        flow = estimate_flow(images[reference], images[partner], prior=prior, estimator=estimator)
        target = pixels + flow.flow
        lands = sample_image(free[partner][..., None].to(prior), target)[..., 0] > 0.99
        # x (far_z + q step_z) = far_x + q step_x: linear in the inverse depth q
        gains.append((step[:2] - target * step[2]) / far[..., 2:])
        rests.append(target - far[..., :2] / far[..., 2:])
        weights.append(flow.valid & undisturbed & lands & (far[..., 2] > 0))
    return _solve(torch.stack(gains), torch.stack(rests), torch.stack(weights))


def _away_from_objects(free: Bool[Tensor, "H W"]) -> Bool[Tensor, "H W"]:
    taken = (~free)[None, None].float()
    return F.max_pool2d(taken, 2 * FLOW_REACH + 1, 1, FLOW_REACH)[0, 0] == 0


def _solve(
    gains: Float[Tensor, "P H W 2"], rests: Float[Tensor, "P H W 2"], valid: Bool[Tensor, "P H W"]
) -> _Triangulated:
    """Solve rests = gains * q for the inverse depth q of each pixel, Geman-McClure weighted."""
    strength, product = gains.square().sum(dim=-1), (gains * rests).sum(dim=-1)
    weight = valid.to(gains)
    inverse = torch.zeros_like(strength[0])
    for _ in range(REWEIGHTINGS):
        inverse = (weight * product).sum(dim=0) / (weight * strength).sum(dim=0).clamp(min=1e-12)
        miss = (rests - gains * inverse[..., None]).norm(dim=-1)
        weight = valid / (1 + miss.square()).square()
    total = weight.sum(dim=0)
    miss_rms = ((weight * miss.square()).sum(dim=0) / total.clamp(min=1e-6)).sqrt()
    information = (weight * strength).sum(dim=0)
    deviation = NOISE_PIXELS / information.clamp(min=1e-12).sqrt()
    parallax = (weight.ceil() * strength).amax(dim=0).sqrt() * inverse
    good = (total > 0.5) & (miss_rms < WORST_MISS)
    good &= (inverse > 0) & (deviation < WORST_RELATIVE_ERROR * inverse)
    return _Triangulated(inverse, deviation, parallax, good)


def _partners(cameras: Sequence[Camera], reference: int) -> list[int]:
    """Choose frames on both sides, spread over the distance in which the views still overlap."""
    here = cameras[reference]
    near = []
    for t, camera in enumerate(cameras):
        turn = float((camera.forward * here.forward).sum().clamp(-1, 1).acos())
        moved = float((camera.position - here.position).norm())
        half_view = 0.5 * min(here.width / here.focal[0], here.height / here.focal[1])
        if t != reference and moved > 0 and turn < half_view:
            near.append(t)
    return [near[k] for k in _spread(len(near), PARTNERS)]


def _spread(count: int, most: int) -> list[int]:
    if count <= most:
        return list(range(count))
    return sorted({int((k + 0.5) * count / most) for k in range(most)})


def _fuse(
    cells: Tensor, inverse: Tensor, deviations: Tensor, view: Camera
) -> tuple[Float[Tensor, "H W"], Float[Tensor, "H W"]]:
    """Average the inverse depths that fall into a pixel, without those far off the first mean."""
    places = cells[:, 1] * view.width + cells[:, 0]
    inverse = inverse.double()
    precision = deviations.double().clamp(min=1e-4) ** -2

    def average(weights: Tensor) -> tuple[Tensor, Tensor]:
        total = torch.zeros(view.height * view.width, dtype=torch.float64)
        summed = total.index_add(0, places, weights * inverse)
        total = total.index_add(0, places, weights)
        return summed / total.clamp(min=1e-12), total

    mean, _ = average(precision)
    agrees = (inverse - mean[places]).abs() <= DISAGREEMENT * mean[places]
    mean, total = average(precision * agrees)
    error = total.clamp(min=1e-12).rsqrt()
    confidence = torch.where(total > 0, (1 - error / WORST_RELATIVE_ERROR).clamp(0.01, 1), 0.0)
    shape = (view.height, view.width)
    return mean.reshape(shape).float(), confidence.reshape(shape).float()
