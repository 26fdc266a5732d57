"""Learning which voxels move: the ball's, few others, none where nothing changes."""

from dataclasses import replace

import pytest
import torch

from fourfold.capture import store_frames
from fourfold.fields import BoxSpace, Samples, sample_rays
from fourfold.methods.mixvoxels.footage import changing_pixels, read_footage
from fourfold.methods.mixvoxels.variation_field import Sightings, largest_on_rays, train_motion
from tests.methods.mixvoxels.short_clip import NUM_FRAMES, write_clip

SPACE = BoxSpace(torch.tensor([-2.5, -1.5, 1.5]), torch.tensor([2.5, 1.0, 6.5]))
GRID = (40, 20, 40)


@pytest.fixture(scope="module")
def sightings(tmp_path_factory) -> Sightings:
    folder = tmp_path_factory.mktemp("clip")
    capture = write_clip(folder / "rig")
    store = store_frames(capture, folder / "frames")
    footage = read_footage(capture, store, range(NUM_FRAMES))
    deviations = [torch.from_numpy(store.deviation(view)) for view in footage.views]
    surfaces = [torch.full(each.shape, torch.nan) for each in deviations]
    return Sightings(footage, 0.5, changing_pixels(deviations, 0.02), surfaces)


def test_rays_that_see_change_meet_what_moves(sightings):
    moving = train_motion(SPACE, GRID, sightings, seed=0)
    rays, change = sightings.draw(4000, torch.Generator().manual_seed(1))
    met = sample_rays(rays, SPACE, GRID, moving, step=0.5).counts > 0
    assert met[change].float().mean() > 0.95
    # voxels are a fifth of the ball, and those next to its way count too
    assert met[~change].float().mean() < 0.25


def test_it_is_deterministic(sightings, monkeypatch):
    monkeypatch.setattr("fourfold.methods.mixvoxels.variation_field.STEPS", 20)
    masks = [train_motion(SPACE, GRID, sightings, seed) for seed in (3, 3, 4)]
    assert torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[0], masks[2])


def test_nothing_behind_the_still_surface_is_asked(sightings, monkeypatch):
    monkeypatch.setattr("fourfold.methods.mixvoxels.variation_field.STEPS", 40)
    near = replace(sightings, surfaces=[torch.full_like(s, 2.0) for s in sightings.surfaces])
    moving = train_motion(SPACE, GRID, near, seed=0)
    # depth 2.2, from cameras that look askance, is a quarter of the way into the box
    assert moving[:, :, :10].any()
    assert not moving[:, :, 12:].any()


def test_where_nothing_changes_nothing_moves(sightings):
    still = replace(sightings, changing=[torch.zeros_like(m) for m in sightings.changing])
    assert not train_motion(SPACE, GRID, still, seed=0).any()


def test_the_largest_piece_of_each_ray():
    samples = Samples.of([[1.0], [1.0, 2.0, 3.0], [], [1.0, 2.0]])
    values = torch.tensor([-3.0, 1.0, 5.0, 5.0, 2.0, -torch.inf])
    best, rays = largest_on_rays(values, samples)
    assert best.tolist() == [0, 2, 4]
    assert rays.tolist() == [0, 1, 3]
