"""Parts that the reference frame does not show."""

import pytest
import torch
from torch import Tensor

from fourfold.geometry import project_points
from fourfold.methods.dreamscene4d.body import surface_origin
from fourfold.methods.dreamscene4d.merge import merge_frames
from fourfold.methods.dreamscene4d.nodes import place_nodes
from fourfold.methods.dreamscene4d.register import ImageTracks
from fourfold.scene import Gaussians
from tests.methods.dreamscene4d.clips import HEIGHT, WIDTH, clip_of, disc, tiny_camera

SHIFT, DEPTH = 10.0, 4.0


def merged(reference_mask: Tensor) -> Gaussians | None:
    """Merge what frame 1, which shows a whole disc moved by 10 pixels, adds to frame 0."""
    whole = disc(25 + SHIFT, 24, 12)
    y, x = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    ramp = torch.stack([x / WIDTH, y / HEIGHT, torch.zeros(HEIGHT, WIDTH)], -1)
    clip = clip_of([[reference_mask], [whole]], [ramp, ramp])
    graph = place_nodes(reference_mask, 8, 4)
    pixels = graph.pixels + torch.tensor([[[0.0, 0.0]], [[SHIFT, 0.0]]])
    known = torch.ones(2, dtype=torch.bool)
    tracks = ImageTracks(pixels, torch.zeros(2, 8), torch.ones(2), known)
    center = clip.centroid(0, 0)
    rest = merge_frames(clip, 0, 0, graph, tracks, tiny_camera(), DEPTH, center)
    if rest is None:
        return None
    origin = surface_origin(tiny_camera(), center, DEPTH)
    return Gaussians(**{**rest.tensors(), "means": rest.means + origin})


def test_a_half_that_another_frame_shows_is_added_where_it_belongs():
    left = disc(25, 24, 12)
    left[:, 25:] = False
    rest = merged(left)
    assert rest is not None
    pixels, depth = project_points(tiny_camera(), rest.means)
    x, y = pixels.floor().long().unbind(1)
    assert disc(25, 24, 12)[y, x].all()
    assert not left[y, x].any()
    # three pixels beside what is known count as covered; one Gaussian for 2 by 2 pixels
    assert len(rest) == pytest.approx(int(disc(25, 24, 12)[:, 28:].sum()) / 4, rel=0.25)
    assert (depth < DEPTH).all()
    # its colour is that of frame 1, ten pixels further right
    torch.testing.assert_close(
        rest.colors()[:, 0], (pixels[:, 0] + SHIFT - 0.5) / WIDTH, atol=0.5 / 255 + 1e-4, rtol=0
    )


def test_a_frame_that_shows_nothing_new_adds_nothing():
    assert merged(disc(25, 24, 12)) is None
