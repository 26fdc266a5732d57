"""One similarity between a scene and its truth: what a video leaves open is not an error."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.errors import ResultError
from fourfold.geometry import (
    Camera,
    decompose_similarity,
    fit_similarity,
    rigid_matrix,
    transform_points,
    unproject_pixels,
)
from fourfold.scene import Scene

# Every eighth pixel each way is plenty for seven numbers.
_STRIDE = 8
# Rounds of refitting with weights that fall with the residual (Geman-McClure).
_ROUNDS = 20


@torch.no_grad()
def fit_alignment(
    scene: Scene,
    frames: Sequence[int],
    true_camera: Callable[[int], Camera],
    true_depth: Callable[[int], Float[Tensor, "H W"]],
    counted: Callable[[int], Bool[Tensor, "H W"]] | None = None,
) -> Float[Tensor, "4 4"]:
    """Fit the similarity `truth_from_scene` on the surfaces that both show at the same pixels.

    Own, over Umeyama 1991: rendered and true depth are lifted to points on every eighth pixel of
    the trained frames, and matched robustly, since silhouettes do not agree to the pixel.

    Args:
        frames: the trained frames.
        true_camera: the true camera of a frame, of the same size as the scene's.
        true_depth: the true z-depth of a frame, NaN where unknown.
        counted: pixels to use, such as those of the objects; all by default.

    Raises:
        ResultError: scene and truth have no pixel with a depth in common.
    """
    pairs = [
        _matched_points(
            scene, frame, true_camera(frame), true_depth(frame), counted and counted(frame)
        )
        for frame in frames
    ]
    source = torch.cat([scene_points for scene_points, _ in pairs])
    target = torch.cat([true_points for _, true_points in pairs])
    if len(source) < 3:
        raise ResultError("the scene shows nothing where the truth does: they cannot be aligned")
    return fit_similarity_robustly(source, target)


def fit_similarity_robustly(
    source: Float[Tensor, "N 3"], target: Float[Tensor, "N 3"]
) -> Float[Tensor, "4 4"]:
    """Fit a similarity in which pairs count less the worse they fit (own; Geman-McClure weights).

    The scale of the residuals is their median, so up to half of the pairs may be wrong.
    """
    similarity = fit_similarity(source, target)
    for _ in range(_ROUNDS):
        residual = (transform_points(similarity, source) - target).norm(dim=-1)
        spread = residual.median().clamp_min(1e-6 * target.abs().max())
        weights = (1 + (residual / spread).square()).reciprocal().square()
        similarity = fit_similarity(source, target, weights)
    return similarity


def align_camera(camera: Camera, truth_from_scene: Float[Tensor, "4 4"]) -> Camera:
    """Give the camera in the scene's world that sees what `camera` sees in the truth's.

    Its depths are the true ones divided by the similarity's scale.
    """
    scale, _, _ = decompose_similarity(truth_from_scene)
    combined = camera.camera_from_world @ truth_from_scene
    return camera.moved(rigid_matrix(combined[:3, :3] / scale, combined[:3, 3] / scale))


def _matched_points(
    scene: Scene,
    frame: int,
    true_camera: Camera,
    true_depth: Float[Tensor, "H W"],
    counted: Bool[Tensor, "H W"] | None,
) -> tuple[Float[Tensor, "N 3"], Float[Tensor, "N 3"]]:
    camera = scene.camera_at(float(frame))
    depth = scene.render(camera, float(frame), {"depth"})["depth"]
    both = ~depth.isnan() & ~true_depth.isnan()
    if counted is not None:
        both &= counted
    grid = torch.zeros_like(both)
    grid[_STRIDE // 2 :: _STRIDE, _STRIDE // 2 :: _STRIDE] = True
    both &= grid
    pixels = camera.pixel_grid()[both]
    return (
        unproject_pixels(camera, pixels, depth[both]),
        unproject_pixels(true_camera, pixels, true_depth[both]),
    )
