"""The factor about the camera: nearer or farther, and the same picture."""

from dataclasses import replace

import pytest
import torch

from fourfold.geometry import (
    axis_angle_to_quaternion,
    project_points,
    quaternion_to_matrix,
    rigid_matrix,
)
from fourfold.methods.dreamscene4d.compose import compose, rescale
from fourfold.methods.dreamscene4d.draft import Draft, control_nodes
from fourfold.splat import rasterize
from tests.methods.dreamscene4d.clips import clip_of, disc
from tests.methods.dreamscene4d.drafts import slide_draft

FRAMES = 3


@pytest.fixture
def draft() -> Draft:
    """Two discs seen by a camera that turns and walks."""
    clip = clip_of([[disc(20 + 2 * t, 24, 8), disc(46 - t, 20, 7)] for t in range(FRAMES)])
    still = slide_draft(clip, [2.0, 3.0])
    poses = []
    for t in range(FRAMES):
        turn = quaternion_to_matrix(axis_angle_to_quaternion(torch.tensor([0.0, 0.02, 0.01]) * t))
        poses.append(rigid_matrix(turn, torch.tensor([0.02, -0.01, 0.03]) * t))
    cameras = [camera.moved(pose) for camera, pose in zip(still.cameras, poses, strict=True)]
    return replace(still, cameras=cameras)


@pytest.mark.parametrize("factor", [0.4, 1.0, 2.5])
def test_the_projection_stays_and_the_depth_is_scaled(draft: Draft, factor: float):
    front = draft.fronts[0]
    moved = rescale(front, draft.cameras, factor)
    for frame, camera in enumerate(draft.cameras):
        pixels, depth = project_points(camera, front.means_at(float(frame)))
        again, deeper = project_points(camera, moved.means_at(float(frame)))
        torch.testing.assert_close(again, pixels, atol=1e-3, rtol=0)
        torch.testing.assert_close(deeper, factor * depth, rtol=1e-4, atol=0)


def test_the_picture_stays(draft: Draft):
    front, camera = draft.fronts[1], draft.cameras[2]

    def picture(item):
        shown = item.at(2.0)
        drawn = rasterize(
            shown.means,
            shown.quaternions,
            shown.scales,
            shown.opacities,
            shown.colors() + 0.5,
            camera.camera_from_world,
            camera.intrinsics,
            camera.width,
            camera.height,
        )
        return drawn.image

    before = picture(front)
    assert float(before.max()) > 0.3
    torch.testing.assert_close(
        picture(rescale(front, draft.cameras, 3.0)), before, atol=2e-3, rtol=0
    )


def test_compose_takes_back_what_drifted_along_the_rays(draft: Draft):
    drifted = rescale(draft.fronts[0], draft.cameras, 1.3)
    found = compose(replace(draft, fronts=[drifted, draft.fronts[1]]))
    factors = found.notes["depth"]["factors"]
    assert factors["a"] / compose(draft).notes["depth"]["factors"]["a"] == pytest.approx(1 / 1.3)
    for front, wanted in zip(found.fronts, (2.0, 3.0), strict=True):
        middle = front.motion.move_points(control_nodes(front).nodes, 1.0)
        _, depth = project_points(draft.cameras[1], middle)
        assert float(depth.median()) == pytest.approx(wanted, rel=0.02)


def test_compose_keeps_the_notes_and_the_draft(draft: Draft):
    found = compose(draft)
    assert found.notes["camera"] == draft.notes["camera"]
    assert "factors" not in draft.notes["depth"]
