"""Exposures of cameras: what is a camera's and what is the scene's."""

import torch
from torch.testing import assert_close

from fourfold.methods.mixvoxels.exposures import Exposures


def test_in_the_mean_cameras_take_colours_as_they_are():
    values = torch.rand(3, 2, 3, generator=torch.Generator().manual_seed(0))
    exposures, color = Exposures(values), torch.tensor([0.2, 0.4, 0.6])
    seen = torch.stack([exposures.apply(color, view) for view in range(3)])
    assert_close(seen.mean(0), color)
    gain, offset = values[1] - values.mean(0)
    assert_close(seen[1], color * (1 + gain) + offset)
    # rays of many cameras at once, and whole pictures of one
    assert_close(exposures.apply(color.expand(2, 3), torch.tensor([2, 0])), seen[[2, 0]])
    assert_close(exposures.apply(color.expand(4, 5, 3), 2), seen[2].expand(4, 5, 3))


def test_gain_and_offset_of_cameras_are_found():
    random = torch.Generator().manual_seed(0)
    colors, views = torch.rand(2000, 3, generator=random), torch.arange(2000) % 2
    bright = torch.tensor([0.7, 1.3])[views, None]
    taken = colors * bright + torch.tensor([0.02, -0.02])[views, None]
    exposures = Exposures.none(2)
    exposures.set_rate(0.02)
    for _ in range(300):
        (exposures.apply(colors, views) - taken).square().mean().backward()
        exposures.step()
    assert_close(exposures.apply(colors, views), taken, atol=5e-3, rtol=0)


def test_a_checkpoint_goes_on_bit_by_bit():
    exposures = Exposures.none(2)
    exposures.set_rate(0.01)

    def step(some: Exposures) -> None:
        # another gradient in each step, so that Adam's moments matter
        some.apply(torch.full((2, 3), 0.5), torch.tensor([0, 1]))[0].sub(
            0.55
        ).square().sum().backward()
        some.step()

    for _ in range(4):
        step(exposures)
    restored = Exposures.restore(exposures.tensors())
    for each in (exposures, restored):
        step(each)
    assert bool((exposures.values != 0).any())
    assert torch.equal(exposures.values, restored.values)
