"""Layers small enough to work out by hand, and larger ones drawn at random."""

from collections.abc import Sequence

import torch

Frame = tuple[torch.Tensor, torch.Tensor]
NAN = float("nan")


def rows(*pixels: Sequence[float], seen: Sequence[int], repeat: int = 20) -> Frame:
    """Lay pixels, each with one depth per body, in a frame of `repeat` equal rows.

    Returns:
        depths (K, repeat, pixels) and labels (repeat, pixels).
    """
    depths = torch.tensor(pixels, dtype=torch.float32).T
    labels = torch.tensor(seen)
    return depths[:, None, :].repeat(1, repeat, 1), labels[None].repeat(repeat, 1)


def two_balls() -> Frame:
    """A wall at 4; a at 2 before it; b at 1 before both; each kind of pixel 20 times.

    Seen a before the wall: right if s_a < 2. Seen b before a and the wall: right if s_b < 2 s_a
    and s_b < 4. Seen a before b and the wall (a at 1.5, b at 3): right if s_a < 2 s_b, s_a < 8/3.
    """
    return rows((4, 2, NAN), (4, 2, 1), (4, 1.5, 3), seen=[1, 2, 1])


def random_frames(bodies: int, frames: int, seed: int = 0, noise: float = 0.1) -> list[Frame]:
    """Draw layers of 24x32 pixels, discs before a wall, seen as they are but for `noise`."""
    generator = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(torch.arange(24.0), torch.arange(32.0), indexing="ij")
    drawn = []
    for _ in range(frames):
        depths = torch.full((bodies, 24, 32), NAN)
        depths[0] = 3.0 + 0.02 * y
        for body in range(1, bodies):
            cx, cy, radius, depth = torch.rand(4, generator=generator).tolist()
            inside = (x - 32 * cx) ** 2 + (y - 24 * cy) ** 2 < (5 + 6 * radius) ** 2
            depths[body] = torch.where(inside, 1.2 + 1.3 * depth + 0.01 * x, torch.tensor(NAN))
        stirred = depths * torch.exp(noise * torch.randn(depths.shape, generator=generator))
        drawn.append((depths, stirred.nan_to_num(float("inf")).argmin(dim=0)))
    return drawn
