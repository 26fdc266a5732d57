"""From a velocity field to a loop: how often, when, where."""

from dataclasses import replace

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.estimators import LandscapeDepth
from fourfold.geometry import Camera
from fourfold.methods.mom import loop
from fourfold.methods.mom.canvas import Canvas
from fourfold.methods.mom.config import LoopConfig
from fourfold.methods.mom.loop import MARGIN, count_cycles, loop_motion, phase_shares

WIDTH, HEIGHT = 40, 30
CONFIG = LoopConfig(frames=60, longest_path=10.0)


@pytest.mark.parametrize(
    ("speed", "cycles"), [(0.0, 1), (0.1, 1), (10.0 / 60.0, 1), (0.17, 2), (0.5, 3), (1.01, 7)]
)
def test_a_path_is_no_longer_than_allowed(speed: float, cycles: int):
    assert count_cycles(speed, CONFIG) == cycles
    assert speed * CONFIG.frames / cycles <= CONFIG.longest_path + 1e-6


@pytest.mark.parametrize("phases", [1, 2, 5])
def test_shares_of_phases_sum_to_one(phases: int):
    shares = phase_shares((HEIGHT, WIDTH), phases, 3.0, 7)
    assert shares.shape == (phases, HEIGHT, WIDTH)
    assert float(shares.min()) >= 0.0
    torch.testing.assert_close(shares.sum(0), torch.ones(HEIGHT, WIDTH))
    # each phase has its part, none the most of it
    if phases > 1:
        assert float(shares.mean((1, 2)).min()) > 0.4 / phases


def test_phases_depend_on_the_seed_alone():
    first, again, other = (phase_shares((HEIGHT, WIDTH), 2, 3.0, seed) for seed in (7, 7, 8))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_patch_says_how_large_the_places_of_a_phase_are():
    def borders(patch: float) -> int:
        own = phase_shares((HEIGHT, WIDTH), 2, patch, 0)[0] > 0.5
        return int((own[:, 1:] != own[:, :-1]).sum())

    assert borders(1.0) > 2 * borders(4.0) > 0


def _canvas() -> Canvas:
    """A wall 5 away before a camera."""
    camera = Camera.from_fov(WIDTH, HEIGHT, 50.0)
    nowhere = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    landscape = LandscapeDepth(
        torch.full((HEIGHT, WIDTH), 5.0), nowhere, nowhere, 10.0, "a wall by hand"
    )
    return Canvas(torch.zeros(HEIGHT, WIDTH, 3), landscape, camera, margin=2)


def _velocity(speed: float) -> Float[Tensor, "H W 2"]:
    velocity = torch.zeros(HEIGHT, WIDTH, 2)
    velocity[8:20, 12:26, 0] = speed
    return velocity


def test_the_chart_is_the_canvas_around_the_region():
    region = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    region[8:20, 12:26] = True
    motion = loop_motion(region, _velocity(0.4), _canvas(), CONFIG, 0)
    rows, columns = 12 + 2 * MARGIN, 14 + 2 * MARGIN
    assert tuple(motion.surface.shape) == (rows, columns)
    # the middle of the canvas is where it was, seen from 8 columns and 4 rows further in
    expected = _canvas().camera.intrinsics[:2, 2] - torch.tensor([12.0 - MARGIN, 8.0 - MARGIN])
    torch.testing.assert_close(motion.intrinsics[:2, 2], expected)
    torch.testing.assert_close(motion.surface, torch.full((rows, columns), 5.0))
    assert float(motion.period) == CONFIG.frames
    assert motion.cycles.unique().tolist() == [3.0]  # 24 pixels in 60 frames, 10 at a time
    assert motion.shares.shape[0] == CONFIG.phases


def test_matter_goes_on_at_its_speed_beyond_the_banks():
    region = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    region[8:20, 12:26] = True
    motion = loop_motion(region, _velocity(0.4), _canvas(), CONFIG, 0)
    torch.testing.assert_close(motion.velocity[..., 0], torch.full_like(motion.surface, 0.4))


def test_at_the_banks_nothing_is_present():
    region = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    region[8:20, 12:26] = True
    presence = loop_motion(region, _velocity(0.4), _canvas(), CONFIG, 0).presence
    # 0.5, 1.5, 2.5 pixels from the bank of the 3 over which it fades
    across = presence[10, MARGIN - 1 : MARGIN + 5]
    expected = torch.tensor([0.0, 0.5 / 3, 1.5 / 3, 2.5 / 3, 1.0, 1.0])
    torch.testing.assert_close(across, expected, atol=0.02, rtol=0)
    assert float(presence[:MARGIN].max()) == 0.0


def test_a_river_of_three_pixels_is_there_in_its_middle():
    region = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    region[8:11, 5:35] = True
    presence = loop_motion(region, _velocity(0.4) + 0.1, _canvas(), CONFIG, 0).presence
    across = presence[MARGIN - 1 : MARGIN + 4, presence.shape[1] // 2]
    expected = torch.tensor([0.0, 0.5 / 1.5, 1.0, 0.5 / 1.5, 0.0])
    torch.testing.assert_close(across, expected, atol=0.02, rtol=0)


def test_the_rim_of_the_canvas_is_no_bank():
    region = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    region[20:, 10:30] = True
    presence = loop_motion(region, _velocity(0.4) + 0.1, _canvas(), CONFIG, 0).presence
    assert float(presence[-1, presence.shape[1] // 2]) == 1.0


def test_matter_of_a_bank_or_of_the_rim_counts_less():
    region = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    region[8:, 4:36] = True
    inland = loop.inland(region, 4.0)
    # 1, 2, 3, 4, 5 pixels from the upper bank, and from the canvas's lower border
    expected = torch.tensor([0.25, 0.5, 0.75, 1.0, 1.0])
    torch.testing.assert_close(inland[8:13, 20], expected, atol=0.02, rtol=0)
    torch.testing.assert_close(inland[-5:, 20].flip(0), expected, atol=0.02, rtol=0)
    # a stream of six pixels is all there in its middle
    region[:] = False
    region[10:16] = True
    assert float(loop.inland(region, 40.0)[12:14, 5:35].min()) == 1.0


def test_one_fast_pixel_does_not_cut_the_loop():
    region = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    region[8:20, 12:26] = True
    velocity = _velocity(0.1)
    velocity[10, 14, 0] = 30.0
    assert loop_motion(region, velocity, _canvas(), CONFIG, 0).cycles.unique().tolist() == [1.0]


def test_a_patch_is_a_share_of_the_canvas():
    region = torch.ones(HEIGHT, WIDTH, dtype=torch.bool)
    fine, coarse = (
        loop_motion(region, _velocity(0.4), _canvas(), replace(CONFIG, patch=patch), 3).shares
        for patch in (0.02, 0.2)
    )
    assert float(fine[0].diff(dim=1).abs().mean()) > 2 * float(coarse[0].diff(dim=1).abs().mean())
