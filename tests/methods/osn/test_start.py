"""The first Gaussians: depth between key points, and which pixels become Gaussians."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fourfold.geometry import quaternion_to_matrix
from fourfold.methods.osn import start
from fourfold.methods.osn.footage import Footage
from fourfold.methods.osn.start import (
    COVERAGE,
    FLATNESS,
    cover_points,
    first_gaussians,
    interpolate_depth,
    surface_points,
)
from fourfold.scene import Gaussians
from tests.methods.osn.cards import FOCAL, PAIR

ALL = np.ones((6, 8), bool)
CORNERS = np.array([[0.5, 0.5], [7.5, 0.5], [0.5, 5.5], [7.5, 5.5]], np.float32)


def plane(pixels: np.ndarray) -> np.ndarray:
    """A tilted plane: 1/z is linear in pixels."""
    return 1.0 / (0.5 + 0.003 * pixels[..., 0] - 0.004 * pixels[..., 1])


def test_depth_of_a_plane_is_exact_between_its_corners():
    depth = interpolate_depth(CORNERS, plane(CORNERS).astype(np.float32), ALL)
    y, x = np.mgrid[:6, :8] + 0.5
    np.testing.assert_allclose(depth, plane(np.stack([x, y], -1)), rtol=1e-6)


def test_depth_is_given_only_where_the_body_is_seen():
    seen = ALL.copy()
    seen[2, 3] = False
    depth = interpolate_depth(CORNERS, np.full(4, 2.0, np.float32), seen)
    assert np.isnan(depth[2, 3])
    assert np.isnan(depth).sum() == 1
    assert np.isnan(interpolate_depth(CORNERS, np.ones(4, np.float32), ~ALL)).all()


def test_a_gap_in_depth_is_not_bridged():
    depth = interpolate_depth(CORNERS, np.array([2.0, 3.0, 2.0, 3.0], np.float32), ALL)
    # each pixel takes the nearest key point
    assert depth[:, :4].tolist() == [[2.0] * 4] * 6
    assert depth[:, 4:].tolist() == [[3.0] * 4] * 6


def test_a_steep_surface_below_a_gap_is_bridged():
    steep = np.array([2.0, 2.2, 2.0, 2.2], np.float32)
    depth = interpolate_depth(CORNERS, steep, ALL)
    # half way between pixels 0.5 and 7.5, in 1/z
    assert depth[0, 3] == pytest.approx(1 / (4 / 7 / 2.0 + 3 / 7 / 2.2), rel=1e-6)


def test_points_beyond_all_triangles_take_the_nearest():
    inner = np.array([[3.5, 2.5], [4.5, 2.5], [3.5, 3.5]], np.float32)
    depth = interpolate_depth(inner, np.array([2.0, 2.1, 2.2], np.float32), ALL)
    assert depth[0, 0] == np.float32(2.0)
    assert depth[0, 7] == np.float32(2.1)
    assert depth[5, 0] == np.float32(2.2)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_points_on_a_line_span_no_triangle(count: int):
    line = np.stack([np.arange(count) + 0.5, np.arange(count) + 0.5], 1).astype(np.float32)
    depth = interpolate_depth(line, np.arange(count).astype(np.float32) + 1.0, ALL)
    assert depth[0, 0] == 1.0
    assert depth[5, 7] == float(count)


def test_points_of_one_place_span_no_triangle():
    same = np.full((4, 2), 2.5, np.float32)
    depth = interpolate_depth(same, np.full(4, 3.0, np.float32), ALL)
    assert (depth == 3.0).all()


@pytest.mark.parametrize("index", [0, 1, 2])
def test_the_surface_of_a_card_is_its_plane(footage: Footage, index: int):
    points, colors, widths = surface_points(footage, index, 1)
    # in its own frame a card lies in z = 0, and its points within its edges
    assert float(points[:, 2].abs().max()) < 1e-5
    if index:
        edges = torch.tensor(PAIR.half) / PAIR.units[index]
        assert bool((points[:, :2].abs() <= edges + 1e-5).all())
    # one pixel covers depth / focal
    depth = PAIR.depths[index] / PAIR.units[index]
    torch.testing.assert_close(widths, torch.full_like(widths, depth / FOCAL))
    assert len(points) == len(colors)


def test_each_place_of_a_surface_becomes_a_gaussian_once(footage: Footage):
    first = int((footage.labels[0] == 2).sum())
    visible = int((footage.labels == 2).sum())
    count = len(surface_points(footage, 2, 1)[0])
    # the card is cut at the first frame's right edge, and whole in others
    assert first < count < 2 * first
    assert count < visible / 3


def test_the_colors_are_those_of_the_frame(footage: Footage):
    points, colors, _ = surface_points(footage, 1, 1)
    card = PAIR.pictures(0, 0)[1]
    # the texture's own formula, at the places in true units
    u, v = (points[:, :2] * PAIR.units[1]).unbind(1)
    wave = 0.5 + 0.25 * torch.sin(3 * u + 1) + 0.2 * torch.cos(4 * v + u)
    expected = wave[:, None] * torch.tensor([0.3, 0.4, 1.0])
    assert card.shape[-1] == 3
    torch.testing.assert_close(colors, expected, atol=2 / 255, rtol=0)


@pytest.mark.parametrize("most", [2000, 400, 60])
def test_most_is_respected_by_leaving_out_rows_and_columns(footage: Footage, most: int):
    shape, unit = first_gaussians(footage, 0, most)
    assert 0.1 * most < len(shape) <= most
    # what one pixel covers does not depend on how many are left out
    assert unit == pytest.approx(8 / FOCAL)


def test_only_some_frames_are_looked_at(footage: Footage, monkeypatch: pytest.MonkeyPatch):
    looked_at, read = [], start._depth_of_frame

    def watched(footage: Footage, index: int, frame: int) -> torch.Tensor:
        looked_at.append(frame)
        return read(footage, index, frame)

    monkeypatch.setattr(start, "_depth_of_frame", watched)
    monkeypatch.setattr(start, "START_FRAMES", 3)
    surface_points(footage, 2, 1)
    assert looked_at == [0, 2, 5]


def test_frames_are_spread_evenly():
    assert start._spread([0, 2, 3, 4, 9], 2) == [0, 9]
    assert start._spread([0, 2, 3, 4, 9], 3) == [0, 3, 9]
    assert start._spread([0, 9], 3) == [0, 9]


def test_frames_without_key_points_are_passed_over(footage: Footage):
    points = footage.bodies[2].points
    body = replace(footage.bodies[2], points=points.where(points.frames == 3))
    lonely = replace(footage, bodies=(*footage.bodies[:2], body))
    assert len(surface_points(lonely, 2, 1)[0]) == int((footage.labels[3] == 2).sum())


def grid() -> torch.Tensor:
    """A square grid in the plane z = 5, neighbours 0.1 apart."""
    y, x = torch.meshgrid(torch.arange(7) * 0.1, torch.arange(7) * 0.1, indexing="ij")
    return torch.stack([x, y, torch.full_like(x, 5.0)], -1).reshape(-1, 3)


def covered(widths: float = 0.1) -> Gaussians:
    points = grid()
    return cover_points(points, torch.full((49, 3), 0.4), torch.full((49,), widths))


def test_gaussians_lie_flat_on_the_surface():
    shape = covered()
    middle = shape.select(torch.tensor([24]))
    expected = torch.tensor([FLATNESS, 1.0, 1.0]) * COVERAGE * 0.1
    torch.testing.assert_close(middle.scales[0], expected)
    axes = quaternion_to_matrix(middle.quaternions)[0]
    torch.testing.assert_close(axes[:, 0].abs(), torch.tensor([0.0, 0.0, 1.0]))
    torch.testing.assert_close(shape.colors()[0], torch.full((3,), 0.4))
    torch.testing.assert_close(shape.opacities, torch.full((49,), start.OPACITY))


def test_a_sparse_place_is_covered_only_so_far():
    # neighbours are a hundred pixels apart; a Gaussian is WIDENING pixels wide at most
    width = float(covered(0.001).scales[24, 1])
    assert width == pytest.approx(COVERAGE * start.WIDENING * 0.001)


def test_one_point_is_covered_too():
    shape = cover_points(torch.zeros(1, 3), torch.ones(1, 3), torch.tensor([0.2]))
    assert float(shape.scales[0, 1]) == pytest.approx(COVERAGE * 0.2)
