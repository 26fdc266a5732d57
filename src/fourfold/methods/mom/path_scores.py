"""What the camera paths show: holes, filled pixels, and whether the motion is one in all views."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.estimators import estimate_flow
from fourfold.geometry import Camera, project_points, unproject_pixels
from fourfold.methods.mom.finish import FILLED
from fourfold.methods.mom.rest_scores import Record, at_rest
from fourfold.scene import LANDSCAPE_PATHS, LoopMotion, Scene, draw, landscape_path

PLACES = 6
"""Cameras on each path, its ends included. At five the circle would never leave the middle row."""
FLOW_MOMENT = 0.31
"""Share of the loop at which flow is looked at: no copy is alone there."""
OWN = 0.9
"""Share of a pixel from which on all of it counts as an object's."""
SEEN = 0.5
"""A pixel with less alpha is a hole; one object's larger share makes it the object's."""


def path_cameras(scene: Scene, name: str) -> list[Camera]:
    """Give cameras spread over a path."""
    return landscape_path(scene, name, [0.0] * PLACES, closed=False)


@torch.no_grad()
def score_paths(scene: Scene, step: Callable[[], None] = lambda: None) -> Record:
    """Measure the worst path: share of pixels that are holes, and that the photo never showed.

    `step` is called after each of four times `PLACES` pictures.
    """
    still = at_rest(scene)
    holes, invented = [], []
    parts = still.at(0.0)
    shares = torch.cat(
        [
            _filled(scene, item.name, part.means)
            for item, part in zip(still.objects, parts, strict=True)
        ]
    )
    for name in LANDSCAPE_PATHS:
        worst_hole = worst_share = 0.0
        for camera in path_cameras(scene, name):
            drawn = draw(parts, camera, ("alpha",), eps2d=scene.eps2d, shares=shares).outputs
            worst_hole = max(worst_hole, float((drawn["alpha"] < SEEN).float().mean()))
            worst_share = max(worst_share, float(drawn["shares"].mean()))
            step()
        holes.append(worst_hole)
        invented.append(worst_share)
    return {"holes": max(holes), "invented": max(invented)}


def _filled(scene: Scene, name: str, means: Float[Tensor, "N 3"]) -> Float[Tensor, " N"]:
    """Tell what was filled in: the object of that name, and matter from outside the photo."""
    if name == FILLED:
        return torch.ones(len(means))
    camera = scene.cameras[0]
    pixels, _ = project_points(camera, means)
    size = pixels.new_tensor([camera.width, camera.height])
    return (~((pixels >= 0) & (pixels <= size)).all(-1)).float()


@torch.no_grad()
def score_consistency(scene: Scene) -> Record:
    """Compare the optical flow of rendered frames with the one motion in space, in other views.

    `flow_epe`: flow is estimated between two neighbouring pictures, as from a video, at both ends
    of the four paths; what is seen in a moving pixel is followed in 3D for that frame, and
    projected. The mean distance in pixels, where the estimate is sure of itself.
    """
    assert scene.period is not None
    errors = []
    for name in LANDSCAPE_PATHS:
        for camera in path_cameras(scene, name)[:: PLACES - 1]:
            errors += _flow_errors(scene, camera, FLOW_MOMENT * scene.period)
    found = torch.cat(errors) if errors else torch.zeros(0)
    return {"flow_epe": float(found.mean())} if len(found) else {}


def _flow_errors(scene: Scene, camera: Camera, time: float) -> list[Float[Tensor, " M"]]:
    now = scene.render(camera, time, ("rgb", "depth", "objects"))
    later = scene.render(camera, time + 1.0)["rgb"]
    seen = estimate_flow(now["rgb"].clamp(0, 1), later.clamp(0, 1))
    errors = []
    for index, item in enumerate(scene.objects):
        if isinstance(item.motion, LoopMotion):
            own = (now["objects"][..., index] > OWN) & seen.valid & now["depth"].isfinite()
            rows, columns = torch.nonzero(own, as_tuple=True)
            pixels = torch.stack((columns, rows), -1) + 0.5
            points = unproject_pixels(camera, pixels, now["depth"][own])
            moved, _ = project_points(camera, item.motion.move_points(points, 1.0))
            errors.append(torch.linalg.vector_norm(moved - pixels - seen.flow[own], dim=-1))
    return errors
