"""Plane sweep: what a sliding camera sees of a room, whose depth is known."""

import math

import numpy as np
import pytest
import torch

from fourfold.estimators import SweptView, smooth_planes, sweep_costs, sweep_pixels
from fourfold.estimators.plane_sweep import NO_EVIDENCE
from fourfold.geometry import Camera
from tests.estimators.scenes import room

INVERSE = np.linspace(1 / 8, 1 / 1.5, 40)


def camera(x: float) -> Camera:
    pose = torch.eye(4)
    pose[0, 3] = -x
    return Camera.from_fov(64, 48, 60.0, pose)


def view(x: float, seen: np.ndarray | None = None) -> tuple[SweptView, np.ndarray]:
    image, depth = room(camera(x))
    all_seen = np.ones((48, 64), bool)
    return SweptView(image.numpy(), all_seen if seen is None else seen, camera(x)), depth.numpy()


def test_the_depth_of_a_room_is_found():
    reference, depth = view(0.0)
    sides = [[view(0.3)[0], view(0.8)[0]], [view(-0.8)[0]]]
    planes = smooth_planes(sweep_costs(reference, sides, INVERSE), reference.image, reference.seen)
    found = 1 / np.interp(planes, np.arange(len(INVERSE)), INVERSE)
    error = np.abs(np.log(found / depth))
    assert np.median(error) < 0.06
    assert (error < 0.08).mean() > 0.9


def test_a_side_on_which_something_else_is_seen_does_not_count():
    reference = view(0.0)[0]
    good, other = view(0.2)[0], view(-0.2)[0]
    blind = SweptView(other.image, np.zeros((48, 64), bool), other.camera)
    alone = sweep_costs(reference, [[good]], INVERSE)
    np.testing.assert_array_equal(sweep_costs(reference, [[blind], [good], []], INVERSE), alone)
    # one that shows something else makes nothing worse
    wrong = SweptView(other.image[::-1].copy(), other.seen, other.camera)
    assert (sweep_costs(reference, [[wrong], [good]], INVERSE) <= alone + 1e-6).mean() > 0.9


def test_what_no_partner_sees_has_no_evidence():
    seen = np.ones((48, 64), bool)
    seen[:, :32] = False
    costs = sweep_costs(view(0.0)[0], [[view(0.0, seen)[0]]], INVERSE)
    assert (costs[:, :32] == NO_EVIDENCE).all()
    # the same picture from the same place agrees at every depth
    assert costs[:, 36:].max() < 0.2


def test_pixels_move_by_focal_length_times_baseline_times_inverse_depth():
    here, there = camera(0.0), camera(0.5)
    way = sweep_pixels(here, there, (20.0, 30.0), (0.25, 0.5))
    assert way == pytest.approx(here.focal[0] * 0.5 * 0.25, rel=1e-5)


def test_a_pixel_behind_the_other_camera_moves_without_end():
    pose = torch.eye(4)
    pose[2, 3] = -3.0
    assert sweep_pixels(camera(0.0), camera(0.0).moved(pose), (32.0, 24.0), (0.1, 0.5)) == math.inf
