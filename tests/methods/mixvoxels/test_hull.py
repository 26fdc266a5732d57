"""The hull of a flying ball, frame by frame."""

from dataclasses import replace

import torch
from torch.testing import assert_close

from fourfold.methods.mixvoxels.hull import Silhouettes, carve, paint
from tests.methods.mixvoxels.ballroom import RADIUS, RED, ball, cameras, shots, still

LOW, HIGH = torch.tensor([-3.0, -2.0, 1.0]), torch.tensor([3.0, 1.0, 6.0])


def silhouettes(frame: int, every: int = 1) -> Silhouettes:
    depths = [still(view)[1][::every, ::every] for view in range(len(cameras()))]
    return Silhouettes(shots(), frame, depths)


def test_the_hull_is_where_the_ball_is():
    for frame in (1, 3):
        cells, size = carve(silhouettes(frame), LOW, HIGH)
        assert_close(cells.mean(0)[:2], ball(frame)[:2], atol=0.1, rtol=0)
        # a hull of cameras on one side is longer than the ball along their axes, not across
        assert abs(float(cells.mean(0)[2] - ball(frame)[2])) < RADIUS
        across = (cells - ball(frame))[:, :2].norm(dim=1)
        assert float(across.max()) < RADIUS + 3 * size
        volume = len(cells) * size**3 / (4 / 3 * torch.pi * RADIUS**3)
        assert 0.9 < float(volume) < 3.0


def test_what_is_in_front_has_the_colour_of_the_ball():
    views = silhouettes(2)
    cells, size = carve(views, LOW, HIGH)
    colors, shown = paint(views, cells, torch.full((len(cells),), size))
    assert_close(colors[shown].mean(0), RED, atol=0.05, rtol=0)
    # the far side of the hull is seen by nobody
    depth = cells[:, 2]
    assert float(depth[shown].mean()) < float(depth[~shown].mean()) - 0.2


def test_still_depth_of_another_size_hides_the_same():
    fine, _ = carve(silhouettes(1), LOW, HIGH)
    coarse, _ = carve(silhouettes(1, every=4), LOW, HIGH)
    assert abs(len(fine) - len(coarse)) < 0.1 * len(fine)


def test_where_nothing_moves_there_is_no_hull():
    film = shots()
    frozen = replace(film, image=lambda view, frame: film.still[view])
    views = Silhouettes(frozen, 0, [None] * film.num_views)
    cells, size = carve(views, LOW, HIGH)
    assert cells.shape == (0, 3)
    colors, shown = paint(views, cells, torch.full((len(cells),), size))
    assert (colors.shape, shown.shape) == ((0, 3), (0,))
