"""The focal length: a wrong one is found far from the frame where key points were measured."""

from dataclasses import replace

import pytest
import torch

from fourfold.capture import Capture, RigidBody
from fourfold.errors import InputError
from fourfold.geometry import Camera, rigid_matrix
from fourfold.methods.osn.footage import Footage, read_footage
from fourfold.methods.osn.lens import FACTORS, better_focal, check_lens
from tests.methods.osn.cards import PAIR, with_bodies


def with_lens(footage: Footage, factor: float) -> Footage:
    """Believe in another focal length."""
    zoom = torch.tensor([[factor, 1.0, 1.0], [1.0, factor, 1.0], [1.0, 1.0, 1.0]])
    cameras = tuple(
        Camera(each.camera_from_world, each.intrinsics * zoom, each.width, each.height)
        for each in footage.cameras
    )
    return replace(footage, cameras=cameras)


def test_the_right_lens_is_best(footage: Footage):
    assert better_focal(footage) == (1.0, 1.0)


@pytest.mark.parametrize("factor", [0.7, 1.3])
def test_a_wrong_lens_is_refused(footage: Footage, capture: Capture, factor: float):
    wrong = with_lens(footage, factor)
    found, ratio = better_focal(wrong)
    # within the distance of two factors that are tried
    assert found * factor == pytest.approx(1.0, rel=0.13)
    assert ratio > 1.5
    message = rf"focal length of {48 * factor:.0f} pixels .*about {found * factor * 48:.0f} pixels"
    with pytest.raises(InputError, match=message):
        check_lens(wrong, capture)


def shaken(body: RigidBody, pixels: float, seed: int) -> RigidBody:
    """Move every pose sideways at random, by so many pixels at the body's depth."""
    random = torch.Generator().manual_seed(seed)
    depth = float(body.points.depths[0])
    poses = {}
    for frame, pose in body.object_from_camera.items():
        shift = torch.zeros(3)
        shift[:2] = torch.randn(2, generator=random) * pixels / 48 * depth
        poses[frame] = pose @ rigid_matrix(torch.eye(3), shift)
    return replace(body, object_from_camera=poses)


def test_noisy_poses_are_no_wrong_lens(footage: Footage, capture: Capture):
    bodies = tuple(shaken(body, 0.5, seed) for seed, body in enumerate(footage.bodies))
    noisy = replace(footage, bodies=bodies)
    check_lens(noisy, capture)
    assert better_focal(with_lens(noisy, 1.3))[1] > better_focal(noisy)[1]


def test_pictures_without_texture_say_nothing(footage: Footage):
    plain = torch.full_like(footage.images, 90)
    assert better_focal(with_lens(replace(footage, images=plain), 1.4))[1] == pytest.approx(1.0)


def test_single_frames_say_nothing(capture: Capture):
    lonely = read_footage(with_bodies(capture, *[PAIR.body(k, (2,)) for k in range(3)]))
    assert better_focal(with_lens(lonely, 2.0)) == (1.0, 1.0)


def test_factors_reach_to_half_and_twice():
    assert FACTORS[[0, 6, 12]].tolist() == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("factor", [1.0, 0.7, 1.3])
def test_on_a_rendered_room(real_capture, factor: float):
    from fourfold.capture import open_capture

    footage = read_footage(open_capture(real_capture("toy_osn")))
    found, ratio = better_focal(with_lens(footage, factor))
    assert found * factor == pytest.approx(1.0, rel=0.06)
    assert (ratio > 1.5) == (factor != 1.0)
