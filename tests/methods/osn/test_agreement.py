"""Depths that other frames confirm stay; those they see through, or do not know, go."""

import torch

from fourfold.methods.osn.agreement import keep_agreed
from fourfold.methods.osn.footage import Footage

WALL = 8.0


def wall(footage: Footage) -> dict[int, torch.Tensor]:
    """The true depth of the wall in all frames."""
    depth = torch.full(footage.labels.shape, WALL).masked_fill(footage.labels != 0, torch.nan)
    return dict(enumerate(depth))


def test_the_true_depth_stays_where_another_frame_sees_it(footage: Footage):
    depths = wall(footage)
    kept = keep_agreed(footage, 0, depths)
    for frame, depth in depths.items():
        # nothing is made up; only edges of the picture and of cards are seen once
        assert bool(kept[frame].isnan()[depth.isnan()].all())
        assert float(kept[frame].isfinite().sum() / depth.isfinite().sum()) > 0.85


def test_what_floats_before_the_wall_goes(footage: Footage):
    depths = wall(footage)
    before = depths[2][:6, 20:28].clone()
    assert bool(before.isfinite().all())
    depths[2] = depths[2].clone()
    depths[2][:6, 20:28] = 0.8 * WALL
    kept = keep_agreed(footage, 0, depths)
    assert bool(kept[2][:6, 20:28].isnan().all())
    # the others, more in number, are not worn away by it
    assert bool(kept[3][:6, 20:28].isfinite().all())


def test_a_single_frame_confirms_nothing(footage: Footage):
    assert bool(keep_agreed(footage, 0, {1: wall(footage)[1]})[1].isnan().all())
