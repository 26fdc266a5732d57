"""The global similarity, against one that is put in."""

import pytest
import torch

from fourfold.errors import ResultError
from fourfold.evaluation import align_camera, fit_alignment, fit_similarity_robustly
from fourfold.geometry import (
    Camera,
    axis_angle_to_quaternion,
    project_points,
    quaternion_to_matrix,
    rigid_matrix,
    similarity_matrix,
    transform_points,
)

ROTATION = quaternion_to_matrix(axis_angle_to_quaternion(torch.tensor([0.2, -0.4, 0.1])))
TRUTH_FROM_SCENE = similarity_matrix(torch.tensor(2.5), ROTATION, torch.tensor([1.0, 2.0, 3.0]))


def true_camera(camera: Camera) -> Camera:
    """The camera in the true world of a camera in the scene's."""
    position = transform_points(TRUTH_FROM_SCENE, camera.position[None])[0]
    rotation = camera.camera_from_world[:3, :3] @ ROTATION.mT
    return camera.moved(rigid_matrix(rotation, -rotation @ position))


def test_robust_fit_finds_the_similarity_among_outliers():
    generator = torch.Generator().manual_seed(0)
    source = torch.randn(200, 3, generator=generator)
    target = transform_points(TRUTH_FROM_SCENE, source)
    target[:60] += 5 * torch.rand(60, 3, generator=generator)
    assert torch.allclose(fit_similarity_robustly(source, target), TRUTH_FROM_SCENE, atol=1e-2)


def test_alignment_is_found_from_depth_on_the_trained_frames(two_plates):
    scene = two_plates
    depths = {
        frame: scene.render(scene.camera_at(frame), frame, {"depth"})["depth"] for frame in (0, 2)
    }
    fitted = fit_alignment(
        scene,
        [0, 2],
        lambda frame: true_camera(scene.camera_at(frame)),
        lambda frame: 2.5 * depths[frame],
    )
    assert torch.allclose(fitted, TRUTH_FROM_SCENE, atol=1e-3)


def test_an_aligned_camera_sees_the_same_pixels():
    camera = true_camera(Camera.from_fov(48, 32, 60.0))
    points = torch.tensor([[0.1, 0.2, 2.0], [-0.5, 0.3, 4.0]])
    pixels, depth = project_points(camera, transform_points(TRUTH_FROM_SCENE, points))
    aligned = align_camera(camera, TRUTH_FROM_SCENE)
    scene_pixels, scene_depth = project_points(aligned, points)
    assert torch.allclose(scene_pixels, pixels, atol=1e-3)
    assert torch.allclose(2.5 * scene_depth, depth, atol=1e-4)
    rotation = aligned.camera_from_world[:3, :3]
    assert torch.allclose(rotation @ rotation.mT, torch.eye(3), atol=1e-5)


def test_nothing_in_common_is_said(two_plates):
    scene = two_plates
    nothing = torch.full((48, 48), torch.nan)
    with pytest.raises(ResultError, match="cannot be aligned"):
        fit_alignment(scene, [0], lambda frame: scene.camera_at(frame), lambda frame: nothing)
