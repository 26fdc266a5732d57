"""Still surfaces that may hide movers: those that two cameras know."""

import torch
from torch import Tensor
from torch.testing import assert_close

from fourfold.fields import BoxSpace, VoxelField, grid_vertices
from fourfold.geometry import Camera
from fourfold.methods.mixvoxels.exposures import Exposures
from fourfold.methods.mixvoxels.finish import still_surfaces
from fourfold.methods.mixvoxels.fit import Fit, Layer

SPACE = BoxSpace(torch.tensor([-3.0, -3.0, 1.0]), torch.tensor([3.0, 3.0, 6.0]))
GRID = (41, 41, 41)
WALL, PLATE = 5.0, 2.0


def walled(with_plate: bool) -> Fit:
    """Give a wall, and a plate that one of the cameras alone has in view."""
    places = SPACE.to_world(grid_vertices(GRID).view(-1, 3)).view(*GRID, 3)
    x, depth = places[..., 0], places[..., 2]
    filled = depth >= WALL
    if with_plate:
        filled |= (x < -1.0) & ((depth - PLATE).abs() < 0.1)
    return Fit(SPACE, Exposures.none(2), Layer(VoxelField.at_voxels(filled, [0.0], alpha=0.999)))


def pair(width: int = 24) -> list[Camera]:
    """Give two cameras side by side that look straight at the wall."""
    poses = torch.eye(4).repeat(2, 1, 1)
    poses[:, 0, 3] = torch.tensor([1.0, -1.0])  # at x = -1 and x = 1
    return [Camera.from_fov(width, 16, 45.0, pose) for pose in poses]


def halves(depth: Tensor) -> tuple[Tensor, Tensor]:
    middle = depth.shape[1] // 2
    return depth[:, : middle - 1], depth[:, middle + 1 :]


def test_what_one_camera_alone_knows_is_no_surface():
    left, right = halves(still_surfaces(walled(with_plate=True), pair())[0])
    assert bool(left.isnan().all())
    assert_close(right, torch.full_like(right, WALL), atol=0.15, rtol=0)


def test_what_both_know_is_one_up_to_the_border_of_what_both_see():
    left, right = halves(still_surfaces(walled(with_plate=False), pair())[1])
    assert_close(left, torch.full_like(left, WALL), atol=0.15, rtol=0)
    assert bool(right[:, 4:].isnan().all())


def test_large_pictures_have_coarse_surfaces_of_their_size():
    surfaces = still_surfaces(walled(with_plate=False), pair(width=500))
    assert all(surface.shape == (16, 500) for surface in surfaces)
