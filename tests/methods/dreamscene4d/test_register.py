"""Tracks of control nodes in the image: a blob that moves and turns, whole or half hidden."""

import math

import pytest
import torch
from torch import Tensor

from fourfold.methods.dreamscene4d.nodes import place_nodes
from fourfold.methods.dreamscene4d.register import register_object
from fourfold.training import Progress, generator
from tests.estimators.scenes import look, texture
from tests.methods.dreamscene4d.clips import box, clip_of

SIZE = 96
TURN, SHIFT = math.radians(15.0), (9.0, -5.0)


def motion() -> Tensor:
    """Turn by 15 degrees about the middle, then move by (9, -5) pixels."""
    cos, sin, middle = math.cos(TURN), math.sin(TURN), SIZE / 2
    x = middle - cos * middle + sin * middle + SHIFT[0]
    y = middle - sin * middle - cos * middle + SHIFT[1]
    return torch.tensor([[cos, -sin, x], [sin, cos, y], [0.0, 0.0, 1.0]])


def blob() -> Tensor:
    """An ellipse of 26 by 17 pixels' half axes in the middle, whose bump tells how it is turned."""
    y, x = torch.meshgrid(torch.arange(SIZE) + 0.5, torch.arange(SIZE) + 0.5, indexing="ij")
    ellipse = ((x - 48) / 26) ** 2 + ((y - 48) / 17) ** 2 <= 1
    return ellipse | ((x - 60) ** 2 + (y - 32) ** 2 <= 36)


@pytest.fixture(scope="module")
def filmed() -> tuple[list[Tensor], list[Tensor]]:
    """Two pictures of the blob and its masks, before and after the motion."""
    coat, wall = texture(SIZE, SIZE, 3, finest=6), 0.3 * texture(SIZE, SIZE, 4)
    masks = [blob(), look(blob()[..., None].float(), motion(), SIZE, SIZE)[..., 0] > 0.5]
    coats = [coat, look(coat, motion(), SIZE, SIZE)]
    images = [torch.where(m[..., None], c, wall) for m, c in zip(masks, coats, strict=True)]
    return images, masks


def track(masks: list[list[Tensor]], images: list[Tensor], seed: int = 0):
    clip = clip_of(masks, images)
    graph = place_nodes(clip.masks[0, 0], 16, 5)
    sizes = torch.full((clip.num_frames,), 38.0)
    quiet = Progress(clip.num_frames, "test", enabled=False)
    return graph, register_object(clip, 0, 0, graph, sizes, generator(seed, "test"), quiet)


def errors(graph, pixels: Tensor) -> Tensor:
    """Distances in pixels between where nodes were found and where they went."""
    moved = torch.nn.functional.pad(graph.pixels, (0, 1), value=1.0) @ motion().T
    return (pixels - moved[:, :2]).norm(dim=-1)


def test_a_blob_that_moves_and_turns_is_found(filmed):
    images, masks = filmed
    graph, tracks = track([[mask] for mask in masks], images)
    error = errors(graph, tracks.pixels[1])
    assert float(error.mean()) < 1.0
    assert float(error.max()) < 2.5
    assert float(tracks.angles[1].median()) == pytest.approx(TURN, abs=math.radians(4))
    assert torch.equal(tracks.pixels[0], graph.pixels)


def test_the_same_seed_gives_the_same_tracks(filmed):
    images, masks = filmed
    first, again = (track([[mask] for mask in masks], images)[1] for _ in range(2))
    assert torch.equal(first.pixels, again.pixels)
    assert torch.equal(first.angles, again.angles)


def test_hidden_parts_are_not_pulled_to_the_visible_ones(filmed):
    images, masks = filmed
    cover = box(62, 0, 90, SIZE, SIZE, SIZE)
    hidden = masks[1] & cover
    assert 0.15 < float(hidden.sum() / masks[1].sum()) < 0.5
    shown = [images[0], torch.where(cover[..., None], torch.tensor(0.9), images[1])]
    nothing = torch.zeros_like(cover)
    known = [[masks[0], nothing], [masks[1] & ~cover, cover]]
    unknown = [[masks[0]], [masks[1] & ~cover]]
    graph, tracks = track(known, shown)
    error = errors(graph, tracks.pixels[1])
    moved = torch.nn.functional.pad(graph.pixels, (0, 1), value=1.0) @ motion().T
    covered = cover[moved[:, 1].long(), moved[:, 0].long()]
    assert covered.sum() >= 3
    assert float(error[~covered].mean()) < 2.0
    pulled = errors(*_pixels_of(track(unknown, shown)))
    assert float(error[covered].mean()) < 0.7 * float(pulled[covered].mean())


def _pixels_of(tracked):
    graph, tracks = tracked
    return graph, tracks.pixels[1]


def test_frames_that_do_not_show_the_object_hold_the_nearest_ones(filmed):
    images, masks = filmed
    nothing = torch.zeros_like(masks[0])
    frames = [[masks[0]], [nothing], [nothing], [masks[1]], [nothing]]
    pictures = [images[0], images[0], images[1], images[1], images[1]]
    _, tracks = track(frames, pictures)
    assert tracks.known.tolist() == [True, False, False, True, False]
    for frame, held in ((1, 0), (2, 3), (4, 3)):
        assert torch.equal(tracks.pixels[frame], tracks.pixels[held])
