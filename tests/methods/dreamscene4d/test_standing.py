"""Objects on the ground: worked by hand for a level camera, one unit above it."""

import pytest
import torch

from fourfold.estimators import Triangulation
from fourfold.methods.dreamscene4d.standing import (
    Ground,
    find_contacts,
    find_ground,
    path_on_ground,
    stay_above,
)
from tests.methods.dreamscene4d.clips import HEIGHT, box, clip_of, tiny_camera

UP = torch.tensor([0.0, -1.0, 0.0])
MEASURED, ASSUMED = Ground(UP, -1.0, True), Ground(UP, -1.0, False)


def test_points_on_a_plane_give_a_measured_ground():
    x, z = torch.meshgrid(torch.linspace(-2, 2, 9), torch.linspace(3, 9, 9), indexing="ij")
    points = torch.stack([x, torch.full_like(x, 1.5), z], -1).reshape(-1, 3)
    found = find_ground(Triangulation(points, torch.full((81,), 0.01), 5.0), [tiny_camera()], 0.5)
    assert found.metric
    assert found.height(tiny_camera()) == pytest.approx(1.5, abs=1e-4)


def test_a_wall_is_no_ground():
    x, y = torch.meshgrid(torch.linspace(-2, 2, 9), torch.linspace(-2, 2, 9), indexing="ij")
    points = torch.stack([x, y, torch.full_like(x, 8.0)], -1).reshape(-1, 3)
    found = find_ground(Triangulation(points, torch.full((81,), 0.01), 5.0), [tiny_camera()], 0.5)
    assert not found.metric


def test_a_horizon_in_the_middle_is_a_level_ground():
    found = find_ground(None, [tiny_camera()], 0.5)
    torch.testing.assert_close(found.normal, UP)
    assert found.height(tiny_camera()) == pytest.approx(1.0)


def test_contacts_follow_the_lowest_row():
    clip = clip_of([[box(28, 20, 36, bottom)] for bottom in (40, 32)])
    cameras = [tiny_camera()] * 2
    found = find_contacts(clip, 0, cameras, ASSUMED)
    focal = tiny_camera().focal[1]
    # depth is focal length times height over the rows below the horizon, and up to half a foot more
    for frame, bottom in enumerate((40, 32)):
        near = focal / (bottom - HEIGHT / 2)
        assert near * 1.001 < found[frame] <= near * (1 + 4.5 / focal)


def test_on_a_measured_ground_the_contacts_give_the_path():
    contacts = {t: 4.0 + t for t in range(6)}
    sizes = torch.full((6,), 50.0)  # the size alone would say that it stays
    path = path_on_ground(contacts, MEASURED, sizes)
    torch.testing.assert_close(path[:2], torch.tensor([4.0, 4.4]), atol=0.4, rtol=0)
    level = path_on_ground(contacts, ASSUMED, sizes)
    assert float(level.max() / level.min()) == pytest.approx(1.0)


def test_an_object_that_sinks_comes_nearer_on_a_measured_ground():
    depths, contacts = torch.full((1, 10), 6.0), [dict.fromkeys(range(10), 5.0)]
    raised, ground = stay_above(depths, MEASURED, contacts, tiny_camera())
    torch.testing.assert_close(raised, torch.full((1, 10), 5.0))
    assert ground is MEASURED


def test_an_assumed_ground_gives_way():
    depths, contacts = torch.full((1, 10), 6.0), [dict.fromkeys(range(10), 5.0)]
    kept, ground = stay_above(depths, ASSUMED, contacts, tiny_camera())
    assert kept is depths
    assert ground.height(tiny_camera()) == pytest.approx(1.2)


@pytest.mark.parametrize("frames", [3, 5, 11])
def test_a_single_wrong_contact_moves_nothing(frames: int):
    depths = torch.full((1, frames), 5.0)
    contacts = [{**dict.fromkeys(range(frames), 5.0), 1: 2.0}]
    raised, _ = stay_above(depths, MEASURED, contacts, tiny_camera())
    torch.testing.assert_close(raised, depths)
