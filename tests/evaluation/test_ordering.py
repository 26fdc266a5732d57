"""Depth order by hand."""

import math

import torch

from fourfold.evaluation import count_ordered_pairs, depth_order_accuracy, median_depths


def test_medians_are_those_of_the_pixels_where_the_object_is_in_front():
    depth = torch.tensor([[1.0, 2.0, 9.0, math.nan, 5.0]])
    labels = torch.tensor([[0, 0, 0, 0, 2]])
    assert median_depths(depth, labels, ["a", "b", "c"]) == {"a": 2.0, "c": 5.0}


def test_a_missing_object_is_a_wrong_pair():
    assert count_ordered_pairs({"a": 1.0, "b": 2.0}, ["a", "b", "c"]) == (1, 3)
    assert count_ordered_pairs({"a": 1.0}, ["a"]) == (0, 0)


def test_accuracy_without_pairs_is_not_a_number():
    assert math.isnan(depth_order_accuracy([(0, 0)]))
