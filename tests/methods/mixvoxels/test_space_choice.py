"""Where the voxels are: of cameras that face forward, stand around something, or see everything."""

import math
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from fourfold.errors import InputError
from fourfold.fields import BoxSpace, ContractedSpace, NdcSpace, Space
from fourfold.geometry import Camera
from fourfold.methods.mixvoxels.footage import Footage
from fourfold.methods.mixvoxels.space_choice import (
    choose_space,
    clear_distance,
    guessed_distance,
    looked_at,
    nearest_distance,
)
from tests.methods.mixvoxels.yard import footage_of
from tests.scene.rigs import camera_at, on_globe

# eight cameras on a ring, four from what they look at
RING = [camera_at(on_globe(45.0 * turn, 10.0)) for turn in range(8)]
# three cameras side by side that look the same way
ROW = [camera_at([x, 0.0, -4.0], [x, 0.0, 0.0]) for x in (-0.5, 0.0, 0.5)]


def rig(cameras: list[Camera], near: float = math.nan, far: float = math.nan) -> Footage:
    return footage_of([[camera] for camera in cameras], [(near, far)] * len(cameras))


@pytest.mark.parametrize(
    ("cameras", "bounds", "kind"),
    [
        (ROW, (2.0, 8.0), "ndc"),
        (ROW, (2.0, 1000.0), "ndc"),
        # side by side, but as far apart as what they look at is away
        (ROW, (0.5, 3.0), "box"),
        (RING, (2.0, 8.0), "box"),
        (RING, (2.0, 80.0), "contracted"),
        (RING, (math.nan, math.nan), "contracted"),
        # a sector of the ring: turned by up to 45 degrees
        (RING[:3], (3.9, 8.0), "box"),
    ],
)
def test_the_space_fits_the_cameras(cameras: list[Camera], bounds: tuple[float, float], kind: str):
    assert choose_space(rig(cameras, *bounds), "auto").kind == kind


@pytest.mark.parametrize("kind", ["box", "ndc", "contracted"])
def test_the_space_that_is_asked_for(kind: str):
    assert choose_space(rig(ROW, 2.0, 8.0), kind).kind == kind


def seen_points(camera: Camera, depths: list[float]) -> torch.Tensor:
    """Give what a camera sees in its corners and its middle at some depths."""
    w, h = float(camera.width), float(camera.height)
    pixels = torch.tensor([[0, 0], [w, 0], [0, h], [w, h], [w / 2, h / 2]])
    pose, local = camera.world_from_camera, camera.directions(pixels)
    return torch.cat([depth * local @ pose[:3, :3].T + pose[:3, 3] for depth in depths])


def require_inside(space: Space, points: torch.Tensor) -> None:
    cube = space.to_cube(points)
    assert float(cube.min()) >= 0.0
    assert float(cube.max()) <= 1.0


@pytest.mark.parametrize(
    ("cameras", "far", "kind"),
    [(RING, 8.0, "box"), (RING, 800.0, "contracted"), (ROW, 800.0, "ndc")],
)
def test_it_holds_all_that_the_cameras_see(cameras: list[Camera], far: float, kind: str):
    space = choose_space(rig(cameras, 2.0, far), kind)
    for camera in cameras:
        require_inside(space, seen_points(camera, [2.0, 0.5 * (2.0 + far), far]))


def test_a_frustum_by_hand():
    # a single camera of 64x48 pixels and f = 48: it sees 2/3 to the side and 1/2 up, per depth
    space = choose_space(rig([ROW[1]], 2.0, 8.0), "ndc")
    assert isinstance(space, NdcSpace)
    assert_close(space.slopes, 1.05 * torch.tensor([2 / 3, 0.5]))
    # a little before the nearest that is known
    assert float(space.near) == pytest.approx(0.9 * 2.0)
    assert_close(space.camera_from_world, ROW[1].camera_from_world)


def test_a_box_by_hand():
    # from 1.8 to 8.4 before a camera at z = -4
    space = choose_space(rig([ROW[1]], 2.0, 8.0), "box")
    assert isinstance(space, BoxSpace)
    assert_close(space.low, torch.tensor([-8.4 * 2 / 3, -8.4 / 2, -2.2]))
    assert_close(space.high, torch.tensor([8.4 * 2 / 3, 8.4 / 2, 4.4]))


def test_all_of_space_about_what_the_cameras_look_at():
    space = choose_space(rig(RING), "contracted")
    assert isinstance(space, ContractedSpace)
    assert_close(space.center, torch.zeros(3), atol=1e-5, rtol=0)
    # halfway to the cameras
    assert_close(space.half_size, torch.full((3,), 2.0))


def test_where_rays_begin():
    assert nearest_distance(rig(RING, 2.0, 8.0)) == pytest.approx(1.8)
    # unknown: a tenth of the way to what they look at
    assert nearest_distance(rig(RING)) == pytest.approx(0.4, abs=1e-3)
    mixed = footage_of([[camera] for camera in RING[:2]], [(math.nan, math.nan), (3.0, 5.0)])
    assert nearest_distance(mixed) == pytest.approx(2.7)


# Parallel cameras of which no depths are known: f is 3/4 of the longer side, 0.5 to the next one,
# so that what is shifted by 64 of 1008 pixels is 0.75 * 0.5 * 1008 / 64 away
AHEAD = 0.75 * 0.5 * 1008 / 64


def test_parallel_cameras_look_as_far_as_their_neighbours_tell():
    assert_close(looked_at(rig(ROW)), torch.tensor([0.0, 0.0, -4.0 + AHEAD]), atol=1e-4, rtol=0)
    assert nearest_distance(rig(ROW)) == pytest.approx(0.1 * AHEAD)
    assert clear_distance(rig(ROW)) == pytest.approx(0.1 * AHEAD, rel=0.02)


def test_a_space_of_parallel_cameras_without_bounds_is_before_them():
    # the row is wider than the nearest thing is away
    space = choose_space(rig(ROW), "contracted")
    assert isinstance(space, ContractedSpace)
    assert_close(space.center, torch.tensor([0.0, 0.0, -4.0 + AHEAD]), atol=1e-4, rtol=0)
    assert_close(space.half_size, torch.full((3,), 0.5 * AHEAD), atol=0.1, rtol=0)
    pair = choose_space(rig(ROW[:2]), "auto")
    assert isinstance(pair, NdcSpace)
    assert float(pair.near) == pytest.approx(0.1 * AHEAD, rel=1e-3)


def test_cameras_that_look_to_all_sides_have_their_middle():
    outward = [
        camera_at([0.2 * x, 0.0, 0.2 * z], [x, 0.0, z])
        for x, z in ((1, 0), (0, 1), (-1, 0), (0, -1))
    ]
    assert_close(looked_at(rig(outward)), torch.zeros(3), atol=1e-4, rtol=0)
    # 0.28 from one to the next
    expected = 0.75 * 0.2 * math.sqrt(2.0) * 1008 / 64
    assert nearest_distance(rig(outward)) == pytest.approx(0.1 * expected)


def test_cameras_in_one_place_are_refused(footage: Footage):
    still = [[ROW[0]], [ROW[0]]]
    alike = replace(footage, cameras=still, bounds=torch.full((2, 2), torch.nan))
    with pytest.raises(InputError, match="the cameras stand in one place"):
        choose_space(alike, "auto")


def test_only_a_guess_is_called_one():
    assert guessed_distance(rig(ROW)) == pytest.approx(AHEAD)
    assert guessed_distance(rig(ROW, 2.0, 8.0)) is None
    assert guessed_distance(rig(RING)) is None
