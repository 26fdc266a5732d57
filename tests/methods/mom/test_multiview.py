import math

import pytest
import torch

from fourfold.capture import Hint
from fourfold.geometry import Camera, project_points, unproject_pixels
from fourfold.methods.mom.multiview import flow_error, multiview_motion, solve_multiview
from fourfold.methods.mom.velocity import solve_velocity
from fourfold.methods.mom.views import View, make_views
from tests.methods.mom.channels import see_channel, straight

DEPTHS = [1.0, 2.0, 4.0, 8.0]
PHOTO = Camera.from_fov(512, 512, 47.4)


def _cameras() -> list[Camera]:
    return make_views(PHOTO, torch.tensor([DEPTHS]), torch.zeros(1, 4, dtype=torch.bool))


def _moving(slant: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Give a point per depth right of the middle, a motion of 1.2 px, and the surface's normal."""
    tilt = math.radians(slant)
    along = torch.tensor([math.cos(tilt), 0.0, math.sin(tilt)])
    normal = torch.tensor([-math.sin(tilt), 0.0, math.cos(tilt)]).expand(4, 3)
    pixels = torch.tensor([[300.0, 220.0]]).expand(4, 2)
    points = unproject_pixels(PHOTO, pixels, torch.tensor(DEPTHS))
    pixel = project_points(PHOTO, points + 1e-3 * along)[0] - pixels
    return points, 1.2e-3 / pixel.norm(dim=1, keepdim=True) * along, normal


@pytest.mark.parametrize("slant", [0.0, 60.0])
def test_motion_is_recovered_at_every_depth(slant: float) -> None:
    points, motion, normals = _moving(slant)
    cameras = _cameras()
    flows = torch.stack(
        [project_points(c, points + motion)[0] - project_points(c, points)[0] for c in cameras]
    )
    seen = torch.ones(len(cameras), 4, dtype=torch.bool)
    found = multiview_motion(points, flows, cameras, seen, normals)
    assert torch.allclose(found, motion, rtol=0.01, atol=1e-6)
    assert flow_error(points, found, flows, cameras, seen) < 1e-3


@pytest.mark.parametrize("slant", [0.0, 60.0])
def test_motion_is_recovered_from_views_that_disagree_by_15_percent(slant: float) -> None:
    points, motion, normals = _moving(slant)
    cameras = _cameras()
    shown = torch.zeros(4)
    generator = torch.Generator().manual_seed(0)
    for _ in range(60):
        gain, turn = 0.15 * torch.randn(2, len(cameras), generator=generator)
        flows = []
        for camera, scale, angle in zip(cameras, 1 + gain, turn, strict=True):
            flow = project_points(camera, points + motion)[0] - project_points(camera, points)[0]
            cosine, sine = float(angle.cos()), float(angle.sin())
            flows.append(scale * flow @ torch.tensor([[cosine, sine], [-sine, cosine]]))
        seen = torch.ones(len(cameras), 4, dtype=torch.bool)
        found = multiview_motion(points, torch.stack(flows), cameras, seen, normals)
        moved = project_points(PHOTO, points + found)[0] - project_points(PHOTO, points)[0]
        shown += moved.norm(dim=1) / 60
    assert bool((shown >= 1.15).all())
    assert bool((shown <= 1.25).all())


def test_one_wrong_view_of_nine_does_not_matter_and_unseen_points_rest() -> None:
    points, motion, normals = _moving(0.0)
    cameras = _cameras()
    flows = torch.stack(
        [project_points(c, points + motion)[0] - project_points(c, points)[0] for c in cameras]
    )
    flows[3] = torch.tensor([-5.0, 7.0])
    seen = torch.ones(len(cameras), 4, dtype=torch.bool)
    seen[:, 3] = False
    found = multiview_motion(points, flows, cameras, seen, normals)
    assert torch.allclose(found[:3], motion[:3], rtol=0.02, atol=1e-5)
    assert found[3].tolist() == [0.0, 0.0, 0.0]


def test_all_views_together_agree_with_the_one_field() -> None:
    channel = see_channel(straight)
    hints = [channel.hint(x, y) for x, y in ((128, 72), (138, 122), (144, 153))]
    sky = torch.zeros_like(channel.mask)
    scene = (channel.mask[None], hints, channel.depth, sky, channel.camera)
    image = torch.zeros(*channel.mask.shape, 3)
    views = solve_multiview(image, *scene, solver="harmonic")
    field = solve_velocity(*scene, solver="harmonic").velocity
    difference = (views.velocity - field)[channel.mask].norm(dim=-1)
    assert views.views == 9
    assert views.flow_epe < 0.02
    assert float(difference.mean()) < 0.02 * float(field[channel.mask].norm(dim=-1).mean())
    assert float(views.motion[~channel.mask].abs().max()) == 0.0
    # The ground is level: nothing rises.
    assert float(views.motion[..., 1].abs().max()) < 0.02 * float(views.motion.abs().max())


def test_another_estimator_of_a_views_flow_can_be_given() -> None:
    camera = Camera.from_fov(64, 48, 50.0)
    asked = []

    def flow(view: View) -> torch.Tensor:
        asked.append(view)
        return torch.full((48, 64, 2), 0.5)

    found = solve_multiview(
        torch.zeros(48, 64, 3),
        torch.ones(1, 48, 64, dtype=torch.bool),
        [Hint("unused", (10.0, 10.0), (20.0, 10.0))],
        torch.full((48, 64), 3.0),
        torch.zeros(48, 64, dtype=torch.bool),
        camera,
        flow_of_view=flow,
    )
    assert len(asked) == 9
    assert found.velocity[24, 32].tolist() == pytest.approx([0.5, 0.5], abs=0.01)
