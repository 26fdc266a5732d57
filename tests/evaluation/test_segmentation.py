"""Panoptic quality and mean IoU: numbers by hand."""

import math

import pytest
import torch

from fourfold.evaluation import mean_iou, panoptic_quality

TRUE = torch.tensor([[0, 0, 0, 0, 1, 1, 2, 2]])


def test_equal_maps_are_perfect_whatever_the_names():
    assert panoptic_quality([TRUE], [TRUE]) == 1
    assert panoptic_quality([7 - TRUE], [TRUE]) == 1
    assert mean_iou(TRUE, TRUE) == 1
    assert mean_iou(7 - TRUE, TRUE) == 0


def test_by_hand():
    found = torch.tensor([[0, 0, 0, 1, 1, 1, 1, 2]])
    # 0: 3/4; 1: 2/4 matches; 2: 1/2 matches
    assert panoptic_quality([found], [TRUE]) == pytest.approx((0.75 + 0.5 + 0.5) / 3)
    assert mean_iou(found, TRUE) == pytest.approx((0.75 + 0.5 + 0.5) / 3)


def test_false_positives_and_negatives_count_half():
    found = torch.tensor([[0, 0, 0, 0, 0, 0, 0, 3]])
    # 0: 4/7 is right; 3 is wrong (1/2 of segment 2 is right: IoU 1/2 = a match)
    assert panoptic_quality([found], [TRUE]) == pytest.approx((4 / 7 + 1 / 2) / (2 + 0 + 0.5))
    # nothing above one half: 2 predicted, 3 true, none right
    found = torch.tensor([[5, 5, 6, 6, 6, 6, 6, 5]])
    assert panoptic_quality([found[:, 4:]], [TRUE[:, :4]]) == pytest.approx(0.75 / 1.5)
    assert panoptic_quality([found], [TRUE]) == 0


def test_images_are_counted_together():
    wrong = torch.tensor([[5, 6, 5, 6, 5, 6, 5, 6]])
    # one perfect image of 3 segments, one without a match: 2 predicted, 3 true
    assert panoptic_quality([TRUE, wrong], [TRUE, TRUE]) == pytest.approx(3 / (3 + 5 / 2))


def test_two_halves_of_a_segment_are_one_match():
    found = torch.tensor([[0, 0, 1, 1]])
    target = torch.zeros(1, 4, dtype=torch.int64)
    # IoU 1/2 each: one is the match, the other is wrong
    assert panoptic_quality([found], [target]) == pytest.approx(0.5 / (1 + 0.5))


def test_unknown_pixels():
    target = torch.tensor([[0, 0, 1, -1]])
    assert panoptic_quality([torch.tensor([[0, 0, 1, 9]])], [target]) == 1
    assert mean_iou(torch.tensor([[0, 0, 1, 9]]), target) == 1
    # where nothing is predicted, a true segment is not covered: 0: 1/2; 1: 1
    found = torch.tensor([[0, -1, 1, 9]])
    assert panoptic_quality([found], [target]) == pytest.approx(0.75)
    assert mean_iou(found, target) == pytest.approx(0.75)


def test_nothing_to_measure():
    assert math.isnan(panoptic_quality([], []))
    unknown = torch.full((2, 2), -1)
    assert math.isnan(mean_iou(unknown, unknown))
    assert panoptic_quality([unknown], [torch.zeros(2, 2)]) == 0
    with pytest.raises(ValueError, match="shapes differ"):
        panoptic_quality([TRUE], [TRUE[:, 1:]])
