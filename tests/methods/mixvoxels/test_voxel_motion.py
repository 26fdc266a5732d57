"""Which voxels move: where all cameras see change, and nowhere else."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from fourfold.fields import BoxSpace
from fourfold.geometry import Camera
from fourfold.methods.mixvoxels.voxel_motion import (
    look,
    pixels_from,
    project_motion,
    voxel_centers,
)
from tests.methods.mixvoxels.test_footage import camera_at as plain_camera
from tests.scene.rigs import camera_at, on_globe

# eight cameras, four from the origin, at two heights
RING = [camera_at(on_globe(45.0 * turn, 35.0 * (turn % 2))) for turn in range(8)]
SPACE = BoxSpace(torch.full((3,), -1.0), torch.full((3,), 1.0))
GRID = (21, 21, 21)
RADIUS = 0.4
CLEARLY = RADIUS - 0.05
"""Within the ball, and half a voxel from its rim, which a pixel may miss."""
PLACE = torch.tensor([0.2, -0.1, 0.1])


def ball_mask(camera: Camera) -> Tensor:
    """Say which pixels see a ball."""
    origins, directions = camera.rays()
    offsets = origins - PLACE
    along = (offsets * directions).sum(-1)
    return along.square() - offsets.square().sum(-1) + RADIUS**2 > 0


def distances_to_ball() -> Tensor:
    return (voxel_centers(SPACE, GRID) - PLACE).norm(dim=-1)


def moving(masks: list[Tensor], surfaces: list[Tensor | None] | None = None) -> Tensor:
    return project_motion(SPACE, GRID, RING, masks, surfaces or [None] * len(RING))


def test_vertices_reach_from_face_to_face():
    space = BoxSpace(torch.tensor([0.0, 10.0, -1.0]), torch.tensor([2.0, 11.0, 1.0]))
    centers = voxel_centers(space, (3, 2, 5))
    assert centers.shape == (3, 2, 5, 3)
    assert centers[:, 0, 0, 0].tolist() == [0.0, 1.0, 2.0]
    assert centers[0, :, 0, 1].tolist() == [10.0, 11.0]
    assert centers[0, 0, :, 2].tolist() == [-1.0, -0.5, 0.0, 0.5, 1.0]


def test_distances_to_the_nearest_changing_pixel():
    mask = torch.tensor([[True, False, False, False], [False, False, False, True]])
    expected = torch.tensor([[0.0, 1, 1.4, 1], [1, 1.4, 1, 0]])
    # OpenCV's distances in 3x3 steps: 0.955 straight on, 1.369 diagonally
    assert_close(pixels_from(mask), expected, atol=0.1, rtol=0)
    assert bool(torch.isinf(pixels_from(torch.zeros(2, 3, dtype=torch.bool))).all())


def test_what_a_camera_says_by_hand():
    # 8x6 pixels, a focal length of 10: at depth 10, a pixel is a unit
    camera = plain_camera(0)
    mask = torch.zeros(6, 8, dtype=torch.bool)
    mask[3, 4] = True
    points = torch.tensor(
        [
            [0.5, 0.5, 10.0],  # on it
            [1.5, 0.5, 10.0],  # a pixel beside it
            [2.5, 0.5, 10.0],  # two pixels
            [5.0, 0.5, 10.0],  # out of the picture
            [0.5, 0.5, -1.0],  # behind the camera
        ]
    )
    for spacing, changes in ((0.1, [1, 0, 0]), (2.2, [1, 1, 0]), (4.4, [1, 1, 1])):
        seen, change = look(camera, pixels_from(mask), None, points, torch.full((5,), spacing))
        assert seen.tolist() == [True, True, True, False, False]
        assert change[:3].int().tolist() == changes
    surface = torch.full((6, 8), torch.nan)
    surface[3, 4], surface[3, 5] = 8.0, 9.5
    seen, _ = look(camera, pixels_from(mask), surface, points, torch.full((5,), 0.1))
    # hidden by more than a tenth, hidden by less, nothing known
    assert seen[:3].tolist() == [False, True, True]


def test_a_ball_moves_and_nothing_else():
    found = moving([ball_mask(camera) for camera in RING])
    distances = distances_to_ball()
    assert bool(found[distances < CLEARLY].all())
    # a voxel is 0.1 across; eight cameras leave little of the hull beyond the ball
    assert not bool(found[distances > RADIUS + 0.15].any())


def test_one_camera_of_eight_may_see_no_change():
    masks = [ball_mask(camera) for camera in RING]
    inside = distances_to_ball() < CLEARLY
    masks[3] = torch.zeros_like(masks[3])
    assert bool(moving(masks)[inside].all())
    masks[4] = torch.zeros_like(masks[4])
    assert not bool(moving(masks).any())


@pytest.mark.parametrize(("hiding", "expected"), [(0.5, True), (8.0, False)])
def test_cameras_before_which_something_stands_are_not_asked(hiding: float, expected: bool):
    masks: list[Tensor] = [ball_mask(camera) for camera in RING]
    surfaces: list[Tensor | None] = [None] * len(RING)
    for view in (0, 2, 5):
        masks[view] = torch.zeros_like(masks[view])
        surfaces[view] = torch.full(masks[view].shape, hiding)
    found = moving(masks, surfaces)
    assert bool(found[distances_to_ball() < CLEARLY].all()) is expected
    assert bool(found.any()) is expected


def test_where_nothing_changes_nothing_moves():
    empty = [torch.zeros(camera.height, camera.width, dtype=torch.bool) for camera in RING]
    assert not bool(moving(empty).any())


def test_what_only_one_camera_sees_does_not_move():
    # the second camera looks away
    away = camera_at([0.0, 0.0, -4.0], [0.0, 0.0, -8.0])
    cameras = [RING[0], away]
    masks = [torch.ones(camera.height, camera.width, dtype=torch.bool) for camera in cameras]
    assert not bool(project_motion(SPACE, GRID, cameras, masks, [None, None]).any())
    masks, cameras = [masks[0], masks[0]], [RING[0], RING[1]]
    found = project_motion(SPACE, GRID, cameras, masks, [None, None])
    assert bool(found[distances_to_ball() < CLEARLY].all())
