"""Drawn tracks: where the dots and trails are."""

import torch

from fourfold.exporters import draw_tracks, spread_colors

NAN = float("nan")


def test_a_seen_point_is_a_dot_with_its_trail() -> None:
    trails = torch.tensor([[[10.5, 20.5]], [[40.5, 20.5]]])  # pixels, from left to right
    image = draw_tracks(
        torch.full((48, 64, 3), 0.5), trails, torch.tensor([True]), torch.eye(3)[:1]
    )
    red = image[..., 0] > 0.9
    assert red[20, 40]
    assert red[22, 40]  # a dot of radius 2
    assert red[20, 25]  # on the trail
    assert not red[22, 25]
    assert torch.allclose(image[40, 10], torch.full((3,), 0.2))  # the picture, dimmed to 0.4


def test_a_hidden_point_is_not_drawn() -> None:
    trails = torch.tensor([[[10.5, 20.5]], [[40.5, 20.5]]])
    hidden = draw_tracks(torch.zeros(48, 64, 3), trails, torch.tensor([False]), torch.ones(1, 3))
    assert hidden.max() == 0.0


def test_a_trail_leaves_out_what_was_behind_the_camera() -> None:
    trails = torch.tensor([[[NAN, NAN]], [[40.5, 20.5]]])
    image = draw_tracks(torch.zeros(48, 64, 3), trails, torch.tensor([True]), torch.ones(1, 3))
    assert image[20, 40, 0] > 0.9
    assert image[20, 25, 0] == 0.0


def test_colours_run_from_top_to_bottom() -> None:
    colors = spread_colors(torch.tensor([[5.0, 0.0], [50.0, 0.0], [5.0, 40.0]]))
    assert torch.equal(colors[0], colors[1])
    assert not torch.allclose(colors[0], colors[2], atol=0.1)
