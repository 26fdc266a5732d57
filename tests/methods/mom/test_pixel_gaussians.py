"""A Gaussian per pixel: where it is, how large, which way it lies, and what all of them show."""

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.geometry import Camera, quaternion_to_matrix, rigid_matrix, transform_points
from fourfold.methods.mom.pixel_gaussians import (
    FOOTPRINT,
    OPACITY,
    STEEPEST,
    THICKNESS,
    pixel_gaussians,
)
from fourfold.scene import draw

WIDTH, HEIGHT, FOCAL = 16, 12, 40.0
INTRINSICS = torch.tensor([[FOCAL, 0.0, 8.0], [0.0, FOCAL, 6.0], [0.0, 0.0, 1.0]])
CAMERA = Camera(torch.eye(4), INTRINSICS, WIDTH, HEIGHT)
EVERYWHERE = torch.ones(HEIGHT, WIDTH, dtype=torch.bool)


def _colors() -> Float[Tensor, "H W 3"]:
    return torch.rand(HEIGHT, WIDTH, 3, generator=torch.Generator().manual_seed(0))


def _ground(camera: Camera, horizon: float) -> Float[Tensor, "H W"]:
    """Give z of level ground one unit below the camera."""
    rows = torch.arange(camera.height)[:, None] + 0.5
    return (camera.focal[1] / (rows - horizon)).expand(camera.height, camera.width).contiguous()


def test_a_plane_that_faces_the_camera():
    depth = torch.full((HEIGHT, WIDTH), 2.0)
    found = pixel_gaussians(_colors(), depth, CAMERA, EVERYWHERE)
    assert len(found) == WIDTH * HEIGHT
    # pixel (0, 0) has its centre 7.5 pixels left of the middle and 5.5 above it
    # (to a ten-thousandth, by which depths are told apart)
    expected = torch.tensor([-7.5 / 20, -5.5 / 20, 2.0])
    torch.testing.assert_close(found.means[0], expected, atol=2e-4, rtol=0)
    # a pixel covers 2 / 40 there
    sides, _ = found.scales.sort(dim=1)
    pixel = 2.0 / FOCAL
    expected = torch.tensor([THICKNESS * FOOTPRINT * pixel, FOOTPRINT * pixel, FOOTPRINT * pixel])
    torch.testing.assert_close(sides, expected.expand_as(sides))
    normals = quaternion_to_matrix(found.quaternions)[:, :, 2]
    torch.testing.assert_close(normals[:, 2].abs(), torch.ones(len(normals)))
    torch.testing.assert_close(found.opacities, torch.full((len(found),), OPACITY))
    torch.testing.assert_close(found.colors(), _colors().reshape(-1, 3))


def test_only_what_is_present_row_by_row():
    present = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    present[2, 5] = present[2, 9] = present[7, 1] = True
    colors = _colors()
    found = pixel_gaussians(colors, torch.full((HEIGHT, WIDTH), 3.0), CAMERA, present)
    expected = torch.stack([colors[2, 5], colors[2, 9], colors[7, 1]])
    torch.testing.assert_close(found.colors(), expected)
    none = pixel_gaussians(colors, torch.full((HEIGHT, WIDTH), 3.0), CAMERA, ~EVERYWHERE)
    assert len(none) == 0


def test_on_level_ground_discs_lie_flat_and_reach_the_next_row():
    horizon = -10.0
    depth = _ground(CAMERA, horizon)
    camera = Camera(torch.eye(4), INTRINSICS.clone(), WIDTH, HEIGHT)
    camera.intrinsics[1, 2] = horizon
    found = pixel_gaussians(_colors(), depth, camera, EVERYWHERE)
    normals = quaternion_to_matrix(found.quaternions)[:, :, 2].view(HEIGHT, WIDTH, 3)
    # the last row knows only the step from the row before it; depth is curved over a pixel
    torch.testing.assert_close(normals[..., 1].abs(), torch.ones(HEIGHT, WIDTH), atol=2e-3, rtol=0)
    row, column = 6, 8
    z = float(depth[row, column])
    longest = float(found.scales.view(HEIGHT, WIDTH, 3)[row, column].max())
    # a pixel covers z / f across and z^2 / f along the ground
    assert longest == pytest.approx(FOOTPRINT * z * z / FOCAL, rel=0.1)


def test_slanted_ground_is_drawn_whole_and_at_its_depth():
    camera = Camera.from_fov(64, 48, 45.0)
    camera.intrinsics[1, 2] = -6.0
    depth = _ground(camera, -6.0)
    colors = torch.full((48, 64, 3), 0.5)
    everywhere = torch.ones(48, 64, dtype=torch.bool)
    found = pixel_gaussians(colors, depth, camera, everywhere)
    drawn = draw([found], camera, ("depth", "alpha", "rgb"), eps2d=0.1).outputs
    inner = slice(1, -1), slice(1, -1)
    assert float(drawn["alpha"][inner].min()) > 0.97
    error = (drawn["depth"] - depth)[inner].abs()
    rows = -depth.diff(dim=0)[1:, 1:-1]
    # what is seen is the ground at the pixel's middle, to a third of a row
    assert float((error / rows).max()) < 0.35
    assert float((error / depth[inner]).mean()) < 0.02


def test_far_ground_has_no_gaps_when_the_camera_rises():
    intrinsics = torch.tensor([[600.0, 0.0, 16.0], [0.0, 600.0, -8.0], [0.0, 0.0, 1.0]])
    camera = Camera(torch.eye(4), intrinsics, 32, 24)
    depth = _ground(camera, -8.0)  # from 71 camera heights away to 19
    everywhere = torch.ones(24, 32, dtype=torch.bool)
    found = pixel_gaussians(torch.full((24, 32, 3), 0.5), depth, camera, everywhere)
    pose = torch.eye(4)
    pose[1, 3] = 0.05
    alpha = draw([found], camera.moved(pose), ("alpha",), eps2d=0.1).outputs["alpha"]
    assert float(alpha[3:-3, 2:-2].min()) > 0.93


def test_no_disc_bridges_a_step_of_depth():
    depth = torch.full((HEIGHT, WIDTH), 2.0)
    depth[:, 8:] = 4.0
    scales = pixel_gaussians(_colors(), depth, CAMERA, EVERYWHERE).scales.view(HEIGHT, WIDTH, 3)
    longest = scales.amax(-1)
    torch.testing.assert_close(longest, FOOTPRINT * depth / FOCAL)


def test_at_a_bend_the_flatter_side_counts():
    depth = torch.full((HEIGHT, WIDTH), 2.0)
    depth[:, 8:] += 0.1 * (torch.arange(8) + 1.0)  # 5 % a pixel: still one surface
    scales = pixel_gaussians(_colors(), depth, CAMERA, EVERYWHERE).scales.view(HEIGHT, WIDTH, 3)
    assert float(scales[5, 7].max()) == pytest.approx(FOOTPRINT * 2.0 / FOCAL)
    # beyond the bend: 0.1 deeper per pixel, and 2.3 / 40 wide
    assert float(scales[5, 10].max()) > FOOTPRINT * 0.1


def test_a_disc_is_stretched_so_far_and_no_further():
    depth = 2000.0 * (1.0 + 0.09 * torch.arange(HEIGHT))[:, None].expand(HEIGHT, WIDTH)
    camera = CAMERA.resized(WIDTH, HEIGHT)
    camera.intrinsics[0, 0] = camera.intrinsics[1, 1] = 4000.0
    scales = pixel_gaussians(_colors(), depth.contiguous(), camera, EVERYWHERE).scales
    longest, across = scales[:, :2].amax(1), scales[:, :2].amin(1)
    assert float((longest / across).max()) == pytest.approx(STEEPEST, rel=1e-4)


def test_they_stand_in_the_cameras_world():
    angle = torch.tensor(0.7)
    turn = torch.tensor(
        [[angle.cos(), 0, angle.sin()], [0, 1.0, 0], [-angle.sin(), 0, angle.cos()]]
    )
    camera = CAMERA.moved(rigid_matrix(turn, torch.tensor([0.3, -0.2, 1.0])))
    # no two depths are equal, so that rounding does not change who hides whom
    depth = 3.0 + 0.2 * torch.rand(HEIGHT, WIDTH, generator=torch.Generator().manual_seed(1))
    here = pixel_gaussians(_colors(), depth, CAMERA, EVERYWHERE)
    there = pixel_gaussians(_colors(), depth, camera, EVERYWHERE)
    expected = transform_points(camera.world_from_camera, here.means)
    torch.testing.assert_close(there.means, expected, atol=1e-4, rtol=0)
    pictures = [
        draw([part], seen, ("rgb",)).outputs["rgb"]
        for part, seen in ((here, CAMERA), (there, camera))
    ]
    torch.testing.assert_close(pictures[0], pictures[1], atol=2e-3, rtol=0)
