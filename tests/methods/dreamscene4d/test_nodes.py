"""Control nodes: distances along the body, and edges that tracks tear."""

import math

import pytest
import torch
from torch import Tensor

from fourfold.methods.dreamscene4d.nodes import (
    NodeGraph,
    cut_stretched_edges,
    nearest_along_body,
    place_nodes,
)
from tests.methods.dreamscene4d.clips import box


def legs() -> Tensor:
    """Two legs, 4 pixels apart, under a hip."""
    shape = (64, 48)
    return box(10, 2, 34, 10, *shape) | box(10, 10, 20, 60, *shape) | box(24, 10, 34, 60, *shape)


def line_of(count: int, neighbors: int) -> NodeGraph:
    """Nodes 10 pixels apart on a row."""
    x = torch.arange(count) * 10.0
    geodesics = (x[:, None] - x).abs()
    pixels = torch.stack([x, torch.zeros(count)], 1)
    return NodeGraph(pixels, geodesics, nearest_along_body(geodesics, neighbors))


def test_feet_of_two_legs_are_no_neighbours():
    graph = place_nodes(legs(), 60, 6)
    left = graph.pixels[:, 0] < 22
    low = torch.nonzero(graph.pixels[:, 1] > 40)[:, 0]
    assert left[low].any()
    assert (~left[low]).any()
    for node in low.tolist():
        assert (left[graph.neighbors[node]] == left[node]).all()


def test_the_way_from_foot_to_foot_leads_over_the_hip():
    graph = place_nodes(legs(), 60, 6)
    lowest = {}
    for side, of_side in (
        ("left", graph.pixels[:, 0] < 22),
        ("right", graph.pixels[:, 0] >= 22),
    ):
        rows = torch.where(of_side, graph.pixels[:, 1], -1.0)
        lowest[side] = int(rows.argmax())
    a, b = lowest["left"], lowest["right"]
    climb = (graph.pixels[[a, b], 1] - 10).sum()
    assert float(graph.geodesics[a, b]) >= float(climb)


def test_distances_on_a_full_rectangle_are_those_of_a_chess_king():
    graph = place_nodes(box(0, 0, 30, 20, 20, 30), 12, 4)
    step = (graph.pixels[:, None] - graph.pixels).abs()
    king = step.amax(-1) + (math.sqrt(2) - 1) * step.amin(-1)
    torch.testing.assert_close(graph.geodesics, king, atol=1e-3, rtol=0)


def test_nodes_lie_in_the_mask_and_spread_evenly():
    mask = legs()
    graph = place_nodes(mask, 40, 4)
    x, y = graph.pixels.long().unbind(1)
    assert mask[y, x].all()
    assert len(graph.pixels.unique(dim=0)) == 40
    rows, columns = torch.nonzero(mask, as_tuple=True)
    inside = torch.stack([columns, rows], 1) + 0.5
    # 1232 pixels for 40 nodes are 5.5 by 5.5 pixels for each
    assert float(torch.cdist(inside, graph.pixels).amin(1).max()) < 2 * 5.5


def test_each_node_is_its_own_first_neighbour():
    graph = place_nodes(legs(), 30, 5)
    assert (graph.neighbors[:, 0] == torch.arange(30)).all()
    chosen = graph.geodesics.gather(1, graph.neighbors)
    assert (chosen.diff(dim=1) >= 0).all()


def test_no_more_nodes_than_pixels():
    graph = place_nodes(box(4, 4, 7, 5, 10, 10), 20, 8)
    assert graph.pixels.shape == (3, 2)
    assert graph.neighbors.shape == (3, 3)


def test_separate_parts_get_nodes_that_do_not_reach_each_other():
    parts = box(2, 2, 12, 12, 20, 60) | box(45, 5, 48, 8, 20, 60)
    graph = place_nodes(parts, 10, 8)
    right = graph.pixels[:, 0] > 30
    assert right.any()
    assert (~right).any()
    assert torch.isinf(graph.geodesics[right][:, ~right]).all()
    for node in range(10):
        assert (right[graph.neighbors[node]] == right[node]).all()


def test_a_large_mask_is_thinned_but_measured_in_pixels():
    mask = torch.ones(200, 300, dtype=torch.bool)
    graph = place_nodes(mask, 6, 3)
    step = (graph.pixels[:, None] - graph.pixels).abs()
    king = step.amax(-1) + (math.sqrt(2) - 1) * step.amin(-1)
    torch.testing.assert_close(graph.geodesics, king, atol=1e-2, rtol=1e-4)


def test_edges_that_stretch_are_cut_and_nothing_reaches_across():
    graph = line_of(4, 3)
    tracks = graph.pixels.repeat(2, 1, 1)
    tracks[1, 2:, 0] += 100.0  # the right half walks off
    cut = cut_stretched_edges(graph, tracks)
    assert torch.isinf(cut.geodesics[:2, 2:]).all()
    assert cut.neighbors.tolist() == [[0, 1, 0], [1, 0, 1], [2, 3, 2], [3, 2, 3]]


def test_a_rigid_motion_cuts_nothing():
    graph = line_of(5, 3)
    turned = torch.stack([-graph.pixels[:, 1], graph.pixels[:, 0]], 1) + 50.0
    kept = cut_stretched_edges(graph, torch.stack([graph.pixels, turned]))
    assert torch.equal(kept.neighbors, graph.neighbors)
    torch.testing.assert_close(kept.geodesics, graph.geodesics)


def test_a_node_keeps_its_least_stretched_edge():
    graph = line_of(3, 3)
    tracks = graph.pixels.repeat(2, 1, 1)
    tracks[1, 2, 0] += 100.0  # alone: 100 / 11 and 110 / 21 times
    kept = cut_stretched_edges(graph, tracks)
    assert torch.isfinite(kept.geodesics).all()
    # its edge over 20 pixels is less stretched than that over 10
    assert float(kept.geodesics[2, 0]) == pytest.approx(20.0)
    assert float(kept.geodesics[2, 1]) == pytest.approx(30.0)


def test_a_node_of_a_small_part_keeps_its_only_edge():
    geodesics = torch.tensor([[0.0, 10.0, torch.inf], [10.0, 0.0, torch.inf], [torch.inf] * 3])
    geodesics[2, 2] = 0.0
    pixels = torch.tensor([[0.0, 0.0], [10.0, 0.0], [99.0, 0.0]])
    graph = NodeGraph(pixels, geodesics, nearest_along_body(geodesics, 3))
    assert graph.neighbors.tolist() == [[0, 1, 0], [1, 0, 1], [2, 2, 2]]
    tracks = pixels.repeat(2, 1, 1)
    tracks[1, 1, 0] += 100.0
    kept = cut_stretched_edges(graph, tracks)
    assert kept.neighbors[0].tolist() == [0, 1, 0]


def test_a_single_node_has_nothing_to_cut():
    graph = place_nodes(box(4, 4, 5, 5, 10, 10), 8, 8)
    assert cut_stretched_edges(graph, graph.pixels[None]).neighbors.tolist() == [[0]]
