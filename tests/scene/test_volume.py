"""Volumes in the scene: drawn, moved, put before and behind Gaussians, saved and exported."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fourfold.errors import UsageError
from fourfold.fields import BoxSpace
from fourfold.geometry import DC_BASIS, Camera
from fourfold.scene import (
    Gaussians,
    RigidMotion,
    Scene,
    SceneObject,
    StaticMotion,
    Volume,
    VolumeObject,
)
from tests.scene.cloud import Cloud, Flicker

# An odd number of pixels, so that one looks straight ahead.
CAMERA = Camera.from_fov(21, 21, 30.0)
MIDDLE = (10, 10)
FULL = torch.ones(4, 4, 4, dtype=torch.bool)


def cloud(depth: float, field: Cloud, name: str = "cloud", half: float = 1.0) -> VolumeObject:
    """Put a cube of fog, two across, with its middle straight ahead."""
    middle = torch.tensor([0.0, 0.0, depth])
    return VolumeObject(name, Volume(field, BoxSpace(middle - half, middle + half), FULL), still())


def still() -> StaticMotion:
    return StaticMotion()


def wall(depth: float, color: float) -> SceneObject:
    """Put a grey, opaque wall of Gaussians before the camera."""
    x, y = torch.meshgrid(torch.linspace(-3, 3, 31), torch.linspace(-3, 3, 31), indexing="ij")
    means = torch.stack((x, y, torch.full_like(x, depth)), -1).reshape(-1, 3)
    count = len(means)
    return SceneObject(
        "wall",
        Gaussians(
            means,
            torch.tensor([1.0, 0, 0, 0]).repeat(count, 1),
            torch.tensor([0.2, 0.2, 1e-3]).log().repeat(count, 1),
            torch.full((count,), 8.0),
            torch.full((count, 1, 3), (color - 0.5) / DC_BASIS),
        ),
        still(),
    )


def scene_of(*items: SceneObject | VolumeObject) -> Scene:
    return Scene(objects=items, cameras=[CAMERA] * 3)


def test_fog_takes_light_away_as_beer_and_lambert_say() -> None:
    # density log 2 over the whole side of the cube: half of the light
    scene = scene_of(cloud(5.0, Cloud(math.log(2.0), (1.0, 0.5, 0.0))))
    drawn = scene.render(CAMERA, 0.0, ("rgb", "alpha", "depth", "objects"))
    assert float(drawn["alpha"][MIDDLE]) == pytest.approx(0.5, abs=1e-4)
    torch.testing.assert_close(
        drawn["rgb"][MIDDLE], torch.tensor([0.5, 0.25, 0.0]), atol=1e-4, rtol=0
    )
    assert drawn["objects"].shape == (21, 21, 1)
    # mean of x in [0, 2] under exp(-x log(2) / 2), which is 2/log 2 - 2, and 4 before it
    expected = 4.0 + 2.0 / math.log(2.0) - 2.0
    nearly = scene_of(cloud(5.0, Cloud(math.log(2.0) + 1e-3, (1.0, 0.5, 0.0))))
    depth = nearly.render(CAMERA, 0.0, ("depth",))["depth"][MIDDLE]
    assert float(depth) == pytest.approx(expected, abs=5e-3)


def test_nothing_is_drawn_nearer_than_is_known() -> None:
    item = cloud(5.0, Cloud(2.0 * math.log(2.0), (1.0, 1.0, 1.0)))
    # the fog goes from 4 to 6: from 5 on there is half of it
    scene = replace(scene_of(item), near=5.0)
    alpha = scene.render(CAMERA, 0.0, ("alpha",))["alpha"][MIDDLE]
    assert float(alpha) == pytest.approx(0.5, abs=1e-3)
    behind = replace(scene_of(wall(2.0, 0.2)), near=2.5)
    assert not behind.render(CAMERA, 0.0, ("alpha",))["alpha"].any()


def test_two_clouds_in_one_place_add_their_densities_up() -> None:
    one, other = Cloud(math.log(2.0), (1.0, 0, 0)), Cloud(math.log(2.0), (0, 1.0, 0))
    drawn = scene_of(cloud(5.0, one), cloud(5.0, other, "other")).render(
        CAMERA, 0.0, ("alpha", "objects")
    )
    assert float(drawn["alpha"][MIDDLE]) == pytest.approx(0.75, abs=1e-4)
    assert drawn["objects"][MIDDLE].sum() == pytest.approx(0.75, abs=1e-4)
    # pieces of equal places: the first comes first, by half a piece
    assert float(drawn["objects"][MIDDLE][0]) == pytest.approx(0.375, abs=0.02)


def test_a_volume_follows_its_motion() -> None:
    motion = RigidMotion(
        torch.tensor([0.0, 1.0]),
        torch.tensor([[1.0, 0, 0, 0]] * 2),
        torch.tensor([[0.0, 0, 0], [100.0, 0, 0]]),
        torch.tensor([math.log(0.5), 0.0]),
    )
    volume = cloud(5.0, Cloud(50.0, (1.0, 1.0, 1.0))).volume
    scene = scene_of(VolumeObject("cloud", volume, motion))
    # scaled by a half about the origin, its front is at 2, not at 4
    depth = scene.render(CAMERA, 0.0, ("depth",))["depth"][MIDDLE]
    assert float(depth) == pytest.approx(2.02, abs=0.02)
    assert not scene.render(CAMERA, 1.0, ("alpha",))["alpha"].any()


def test_a_wall_of_gaussians_hides_a_cloud_or_shines_through_it() -> None:
    fog = Cloud(math.log(2.0), (1.0, 1.0, 1.0))
    behind = scene_of(wall(2.0, 0.2), cloud(5.0, fog)).render(CAMERA, 0.0)["rgb"][MIDDLE]
    assert float(behind[0]) == pytest.approx(0.2, abs=0.01)
    before = scene_of(wall(8.0, 0.2), cloud(5.0, fog))
    drawn = before.render(CAMERA, 0.0, ("rgb", "objects", "alpha"))
    # half of the fog's white, and half of the wall's grey
    assert float(drawn["rgb"][MIDDLE][0]) == pytest.approx(0.6, abs=0.01)
    torch.testing.assert_close(
        drawn["objects"][MIDDLE], torch.tensor([0.5, 0.5]), atol=0.01, rtol=0
    )


def test_flow_of_a_rigid_volume_and_of_one_that_changes() -> None:
    motion = RigidMotion(
        torch.tensor([0.0, 1.0]),
        torch.tensor([[1.0, 0, 0, 0]] * 2),
        torch.tensor([[0.0, 0, 0], [0.1, 0, 0]]),
        torch.zeros(2),
    )
    volume = cloud(5.0, Cloud(500.0, (1.0, 1.0, 1.0))).volume
    flow = scene_of(VolumeObject("cloud", volume, motion)).render(CAMERA, 0.0, ("flow",))["flow"]
    # 0.1 to the right at depth 4.05, the middle of the first piece
    assert float(flow[MIDDLE][0]) == pytest.approx(0.1 * CAMERA.focal[0] / 4.05, rel=0.005)
    with pytest.raises(UsageError, match="what is there at each time"):
        scene_of(cloud(5.0, Flicker(9.0, (1.0, 1.0, 1.0)))).render(CAMERA, 0.0, ("flow",))


def test_volumes_are_saved_and_come_back(tmp_path: Path) -> None:
    scene = scene_of(cloud(5.0, Cloud(0.7, (1.0, 0.5, 0.0))), wall(8.0, 0.2))
    scene.save(tmp_path / "scene")
    again = Scene.load(tmp_path / "scene")
    assert isinstance(again.objects[0], VolumeObject)
    assert (again.num_voxels, again.num_gaussians) == (64, 31 * 31)
    for time in (0.0, 1.0):
        assert torch.equal(scene.render(CAMERA, time)["rgb"], again.render(CAMERA, time)["rgb"])


def test_a_volume_gives_gaussians_of_its_voxels_at_a_time() -> None:
    item = cloud(5.0, Flicker(30.0, (1.0, 0.5, 0.0)))
    # every vertex of the grid of 10 voxels a side; at odd times nothing is there
    gaussians = item.at(0.0)
    assert len(gaussians) == 1000
    assert len(item.at(1.0)) == 0
    torch.testing.assert_close(gaussians.colors()[0], torch.tensor([1.0, 0.5, 0.0]))
    assert gaussians.means.amin(0).tolist() == pytest.approx([-1.0, -1.0, 4.0])
    # alpha over one voxel of ten
    assert float(gaussians.opacities[0]) == pytest.approx(1.0 - math.exp(-3.0), abs=1e-4)


def test_a_volume_is_not_bent() -> None:
    from fourfold.scene import ControlNodeMotion

    nodes = torch.zeros(1, 3)
    bend = ControlNodeMotion.at_rest(
        nodes, torch.tensor([[0, -1]]), torch.ones(1), torch.arange(2.0)
    )
    with pytest.raises(ValueError, match="not moved by"):
        VolumeObject("cloud", cloud(5.0, Cloud(1.0, (1.0, 1.0, 1.0))).volume, bend)
