"""Depth where key points are far: a wall of which they know one side only."""

from dataclasses import replace

import pytest
import torch

from fourfold.capture import KeyPoints
from fourfold.methods.osn.footage import Footage
from fourfold.methods.osn.sweep import mend_depths, share_far, sweep_depth

WALL, NEAR = 8.0, 4.0


def one_sided(footage: Footage) -> Footage:
    """The clip with key points of the wall in its left quarter, and a few that are near."""
    points = footage.bodies[0].points
    points = points.where(points.pixels[:, 0] < 12)
    wrong = torch.arange(len(points)) % 17 == 0
    spread = replace(points, depths=points.depths.where(~wrong, torch.tensor(NEAR)))
    return with_points(footage, spread)


def with_points(footage: Footage, points: KeyPoints) -> Footage:
    wall = replace(footage.bodies[0], points=points)
    return replace(footage, bodies=(wall, *footage.bodies[1:]))


def guessed(footage: Footage) -> dict[int, torch.Tensor]:
    """The wall as if it was near wherever no key point is."""
    depth = torch.full(footage.labels.shape, WALL).masked_fill(footage.labels != 0, torch.nan)
    depth[:, :, 12:] *= NEAR / WALL
    return dict(enumerate(depth))


def test_far_is_measured_from_the_key_points_of_the_frame(footage: Footage):
    assert share_far(footage, 0, 0) == 0.0
    far = share_far(one_sided(footage), 0, 0)
    seen = footage.labels[0] == 0
    # the last key points are in column 11, and three pixels are not far
    assert far == pytest.approx(float(seen[:, 15:].sum() / seen.sum()), abs=0.02)


def test_where_key_points_are_dense_nothing_changes(footage: Footage):
    depths = guessed(footage)
    mended = mend_depths(footage, 0, depths)
    assert all(mended[frame] is depths[frame] for frame in depths)


def test_a_wall_is_put_back(footage: Footage):
    clip = one_sided(footage)
    depths = guessed(clip)
    swept = sweep_depth(clip, 0, 2, depths[2])
    right = swept[:, 14:][depths[2][:, 14:].isfinite()]
    assert float((right / WALL).log().abs().median()) < 0.06
    mended = torch.stack(list(mend_depths(clip, 0, depths).values()))
    known = mended[mended.isfinite()]
    assert float(((known / WALL).log().abs() < 0.1).float().mean()) > 0.9


def test_a_body_in_one_frame_keeps_its_depth(footage: Footage):
    clip = one_sided(footage)
    body = replace(clip.bodies[0], object_from_camera={2: clip.bodies[0].object_from_camera[2]})
    lonely = replace(clip, bodies=(body, *clip.bodies[1:]))
    depth = guessed(clip)[2]
    assert mend_depths(lonely, 0, {2: depth})[2] is depth
