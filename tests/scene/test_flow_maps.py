"""Paths along a steady flow, tabulated and followed."""

import math

import torch

from fourfold.scene.flow_maps import advect, flow_maps, sample_map


def _vortex(size: int) -> torch.Tensor:
    """Turns about the middle by 0.1 rad per frame, x to y."""
    y, x = torch.meshgrid(*[torch.arange(size) + 0.5 - size / 2] * 2, indexing="ij")
    return 0.1 * torch.stack((-y, x), dim=-1)


def test_a_map_is_read_between_pixel_centres_and_beyond_its_rim():
    values = torch.tensor([[[1.0], [3.0]]])
    places = torch.tensor([[0.5, 0.5], [1.0, 0.5], [9.0, 0.5]])
    torch.testing.assert_close(sample_map(values, places), torch.tensor([[1.0], [2.0], [3.0]]))


def test_a_place_in_a_vortex_goes_round():
    start = torch.tensor([[26.0, 16.0]])  # 10 pixels right of the middle
    quarter = advect(_vortex(32), start, math.pi / 2 / 0.1)
    torch.testing.assert_close(quarter, torch.tensor([[16.0, 26.0]]), atol=0.02, rtol=0)
    torch.testing.assert_close(
        advect(_vortex(32), quarter, -math.pi / 2 / 0.1), start, atol=0.02, rtol=0
    )


def test_places_are_followed_for_their_own_times():
    velocity = torch.tensor([2.0, -1.0]).expand(8, 8, 2).contiguous()
    start = torch.zeros(3, 2)
    moved = advect(velocity, start, torch.tensor([0.0, 1.5, -2.0]))
    torch.testing.assert_close(moved, torch.tensor([[0.0, 0.0], [3.0, -1.5], [-4.0, 2.0]]))


def test_the_table_leads_back_and_forward_in_each_pixels_own_frames():
    velocity = torch.tensor([1.0, 0.0]).expand(4, 6, 2).contiguous()
    frames = torch.full((4, 6), 8.0)
    frames[:, 3:] = 4.0
    table = flow_maps(velocity, frames, keys=2, stride=2)
    assert table.shape == (5, 2, 3, 2)
    torch.testing.assert_close(table[:, 0, 0, 0], torch.tensor([-8.0, -4.0, 0.0, 4.0, 8.0]))
    torch.testing.assert_close(table[:, 1, 2, 0], torch.tensor([-4.0, -2.0, 0.0, 2.0, 4.0]))
    assert not table[..., 1].any()


def test_a_field_of_one_row_has_a_table():
    table = flow_maps(torch.ones(1, 6, 2), torch.full((1, 6), 4.0), keys=2, stride=2)
    assert table.shape == (5, 1, 3, 2)
    torch.testing.assert_close(table[:, 0, 1, 0], torch.tensor([-4.0, -2.0, 0.0, 2.0, 4.0]))
