"""3D motion from the flow in several views: 3D-MOM's own route, made to converge.

After 3D-MOM (ICLR 2025): the 3D motion whose projection agrees with the flow in every view, in the
L1 norm. Its release takes 200 gradient steps of one length for all, which freezes what is far; here
each point is solved in closed form, robustly, in all views at once. Along the line of sight the
flows say next to nothing, so the motion is held on the surface. Own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.capture import Hint
from fourfold.estimators import sample_image
from fourfold.geometry import Camera, project_points, unproject_pixels
from fourfold.methods.mom.region_motion import Solver
from fourfold.methods.mom.regions import label_regions
from fourfold.methods.mom.surface import fit_surface
from fourfold.methods.mom.velocity import solve_velocity
from fourfold.methods.mom.views import View, make_views, see_from, visible_points

# Rounds of reweighting by 1 / |residual|, and the residual in pixels below which it stays.
ROUNDS = 8
SMALLEST = 1e-3
# Weight of motion across the surface, in pixels, against all views together.
SURFACE_PRIOR = 10.0
# Points solved at once: bounds the memory.
CHUNK = 65_536

FlowOfView = Callable[[View], Float[Tensor, "H W 2"]]


@dataclass(frozen=True, eq=False)
class MultiviewMotion:
    """3D motion of the moving pixels, and what it is in the photo.

    Args:
        motion: (H,W,3) units per frame, 0 where nothing moves.
        velocity: (H,W,2) the chart velocity it makes in the photo, pixels per frame.
        flow_epe: mean distance in pixels between each view's flow and the projected 3D motion.
        views: how many views there were.
    """

    motion: Float[Tensor, "H W 3"]
    velocity: Float[Tensor, "H W 2"]
    flow_epe: float
    views: int


def solve_multiview(
    image: Float[Tensor, "H W 3"],
    masks: Bool[Tensor, "R H W"],
    hints: Sequence[Hint],
    depth: Float[Tensor, "H W"],
    sky: Bool[Tensor, "H W"],
    camera: Camera,
    solver: Solver = "auto",
    flow_of_view: FlowOfView | None = None,
) -> MultiviewMotion:
    """Find the 3D motion that explains the flow in views around the photo.

    Args:
        depth: z, positive and finite.
        camera: the photo's, whose frame is the world.
        solver: how each view's hints become its flow, each view for itself.
        flow_of_view: another estimator of a view's flow, pixels per frame.

    Raises:
        InputError: nothing moves, or a view has no hint in or near a moving region.
    """

    def from_hints(view: View) -> Tensor:
        parts = view.masks, view.hints, view.depth, view.sky, view.camera
        return solve_velocity(*parts, solver=solver).velocity

    estimate = from_hints if flow_of_view is None else flow_of_view
    moving = masks.any(dim=0)
    pixels = camera.pixel_grid()[moving]
    points = unproject_pixels(camera, pixels, depth[moving])
    cameras = make_views(camera, depth, sky)
    flows, visible = [], []
    for place in cameras:
        view = see_from(place, camera, image, masks, depth, sky, hints)
        flow, known = _flow_at(view, estimate(view), points)
        flows.append(flow)
        visible.append(known)
    normals = _normals(moving, depth, sky, camera)[moving]
    seen = torch.stack(visible)
    found = multiview_motion(points, torch.stack(flows), cameras, seen, normals)
    return MultiviewMotion(
        motion=_placed(moving, found),
        velocity=_placed(moving, project_points(camera, points + found)[0] - pixels),
        flow_epe=flow_error(points, found, torch.stack(flows), cameras, seen),
        views=len(cameras),
    )


def multiview_motion(
    points: Float[Tensor, "N 3"],
    flows: Float[Tensor, "V N 2"],
    cameras: Sequence[Camera],
    visible: Bool[Tensor, "V N"],
    normals: Float[Tensor, "N 3"],
) -> Float[Tensor, "N 3"]:
    """Solve for each point's 3D motion from its flow in several views.

    The point must be seen at p + u after its motion F. That is linear in F:
    (r1 - x r3) . (P + F) + t1 - x t3 = 0 for the normalised x of p + u, and the same for y. Scaled
    by focal length / depth the residuals are pixels; sum of their lengths over the views is
    minimised by reweighting, with a price on n . F. Converges alike at every depth.

    Args:
        points: P, world.
        flows: u, pixels per frame in each view.
        cameras: one per view, without distortion.
        visible: whether a view tells anything of a point; a point that no view sees rests.
        normals: unit normals of the surface that the points move on.

    Returns:
        F, world units per frame.
    """
    parts = zip(
        points.split(CHUNK),
        flows.split(CHUNK, dim=1),
        visible.split(CHUNK, dim=1),
        normals.split(CHUNK),
        strict=True,
    )
    solved = [_solve_chunk(p, u, cameras, seen, n) for p, u, seen, n in parts]
    return torch.cat(solved).to(points) if solved else torch.zeros_like(points)


def flow_error(
    points: Float[Tensor, "N 3"],
    motion: Float[Tensor, "N 3"],
    flows: Float[Tensor, "V N 2"],
    cameras: Sequence[Camera],
    visible: Bool[Tensor, "V N"],
) -> float:
    """Give the mean distance in pixels between flows and the projected 3D motion, NaN unseen."""
    errors = []
    for camera, flow, seen in zip(cameras, flows, visible, strict=True):
        moved = project_points(camera, (points + motion)[seen])[0]
        errors.append((moved - project_points(camera, points[seen])[0] - flow[seen]).norm(dim=-1))
    return float(torch.cat(errors).mean())


def _solve_chunk(
    points: Tensor, flows: Tensor, cameras: Sequence[Camera], visible: Tensor, normals: Tensor
) -> Tensor:
    equations = [_equations(points, flow, c) for flow, c in zip(flows, cameras, strict=True)]
    rows = torch.stack([row for row, _, _ in equations])
    right = torch.stack([value for _, value, _ in equations])
    scale = torch.stack([scale for _, _, scale in equations])
    across = (normals[:, :, None] * normals[:, None, :]).double()
    weights = visible.double()
    motion = torch.zeros_like(points, dtype=torch.float64)
    least = 1e-9 * torch.eye(3, dtype=torch.float64)
    for _ in range(ROUNDS):
        prior = SURFACE_PRIOR * (weights * scale**2).sum(dim=0)
        matrix = torch.einsum("vn,vnij,vnik->njk", weights, rows, rows)
        matrix = matrix + prior[:, None, None] * across
        trace = matrix.diagonal(dim1=1, dim2=2).sum(dim=1).clamp(min=1e-30)
        value = torch.einsum("vn,vnij,vni->nj", weights, rows, right)
        motion = torch.linalg.solve(matrix + trace[:, None, None] * least, value)
        residual = (torch.einsum("vnij,nj->vni", rows, motion) - right).norm(dim=-1)
        weights = visible / residual.clamp(min=SMALLEST)
    return motion


def _equations(points: Tensor, flow: Tensor, camera: Camera) -> tuple[Tensor, Tensor, Tensor]:
    """Give rows (N,2,3) and values (N,2) of a view's equations in pixels, and pixels per unit."""
    pixels, z = project_points(camera, points)
    aim = camera.directions(pixels + flow)[:, :2].double()
    pose = camera.camera_from_world.double()
    rows = pose[:2, :3] - aim[..., None] * pose[2, :3]
    local = points.double() @ pose[:3, :3].T + pose[:3, 3]
    scale = camera.focal[0] / z.double()
    value = aim * local[:, 2:] - local[:, :2]
    return rows * scale[:, None, None], value * scale[:, None], scale


def _flow_at(view: View, flow: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Read a view's flow where it sees the points, not mixed with what rests beside a region."""
    pixels, _ = project_points(view.camera, points)
    inside = view.masks.any(dim=0)[..., None].to(flow)
    read = sample_image(torch.cat([flow * inside, inside], dim=-1), pixels)
    share = read[:, 2]
    known = visible_points(view, points) & (share > 0.25)
    return read[:, :2] / share.clamp(min=0.25)[:, None], known


def _normals(moving: Tensor, depth: Tensor, sky: Tensor, camera: Camera) -> Tensor:
    """Give the unit normal of each moving region's plane, (H,W,3)."""
    labels, is_sky = label_regions(moving.cpu().numpy(), sky.cpu().numpy())
    normals = torch.zeros(*moving.shape, 3)
    for number, above in enumerate(is_sky, start=1):
        mask = labels == number
        surface = fit_surface(mask, depth.cpu().numpy(), camera, above)
        normals[torch.from_numpy(mask)] = torch.from_numpy(surface.normal).float()
    return normals


def _placed(moving: Tensor, values: Tensor) -> Tensor:
    result = values.new_zeros(*moving.shape, values.shape[-1])
    result[moving] = values
    return result
