"""Measure how much of a motion the multi-view solve recovers at each depth.

    python benchmarks/multiview.py [--json FILE]

Matter at the depths 1, 2, 4 and 8 moves by 1.2 pixels a frame across the photo, on a plane that
faces the camera and on one that is slanted by 60 degrees. Nine views see its exact flow, then a
flow whose length and direction are off by 15 % (normal; 0.15 radians) in each view, over 200 draws.
Printed: the pixels recovered in the photo (mean over points and draws), and beside them those of
3D-MOM's release (its settings simulated, exact flow: 200 gradient steps).
"""

import argparse
import json
import math
import time
from pathlib import Path

import torch
from torch import Tensor

from fourfold.geometry import Camera, project_points, unproject_pixels
from fourfold.methods.mom.multiview import multiview_motion
from fourfold.methods.mom.views import make_views

DEPTHS = (1.0, 2.0, 4.0, 8.0)
SPEED = 1.2
NOISE = 0.15
DRAWS = 200
RELEASE = (1.20, 1.20, 0.69, 0.18)


def main() -> None:
    parser = argparse.ArgumentParser(description="Motion recovered from several views.")
    parser.add_argument("--json", type=Path, help="write all figures here")
    arguments = parser.parse_args()
    start = time.perf_counter()
    rows = {"3D-MOM's release, exact": list(RELEASE)}
    for surface, slant in (("facing", 0.0), ("slanted", 60.0)):
        for quality, draws in (("exact", 1), ("off by 15 %", DRAWS)):
            rows[f"{surface}, {quality}"] = [recovered(z, slant, draws) for z in DEPTHS]
    print(f"{'pixels of ' + str(SPEED) + ' recovered':26}", *(f"z = {z:<5g}" for z in DEPTHS))
    for name, values in rows.items():
        print(f"{name:26}", *(f"{value:<9.3f}" for value in values))
    print(f"{time.perf_counter() - start:.1f} s")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")


def recovered(depth: float, slant: float, draws: int, seed: int = 0) -> float:
    """Give the mean pixels recovered at a depth; one draw is exact, more are noisy."""
    photo = Camera.from_fov(512, 512, 47.4)
    cameras = make_views(photo, torch.tensor([[1.0, 2.0], [4.0, 8.0]]), torch.zeros(2, 2).bool())
    tilt = math.radians(slant)
    along = torch.tensor([math.cos(tilt), 0.0, math.sin(tilt)])
    normal = torch.tensor([-math.sin(tilt), 0.0, math.cos(tilt)])
    places = torch.cartesian_prod(*[torch.linspace(206.0, 306.0, 3)] * 2)
    points = unproject_pixels(photo, places, torch.full((9,), depth))
    unit = project_points(photo, points + 1e-3 * along)[0] - places
    motion = 1e-3 * SPEED / unit.norm(dim=1, keepdim=True) * along
    exact = torch.stack(
        [project_points(c, points + motion)[0] - project_points(c, points)[0] for c in cameras]
    )
    generator = torch.Generator().manual_seed(seed)
    noise = NOISE * torch.randn(2, len(cameras), draws, generator=generator) * (draws > 1)
    flows = torch.cat([_off(exact, *noise[:, :, draw]) for draw in range(draws)], dim=1)
    everything = points.repeat(draws, 1)
    seen = torch.ones(flows.shape[:2], dtype=torch.bool)
    found = multiview_motion(everything, flows, cameras, seen, normal.expand_as(everything))
    shown = project_points(photo, everything + found)[0] - places.repeat(draws, 1)
    return float(shown.norm(dim=1).mean())


def _off(flows: Tensor, gain: Tensor, turn: Tensor) -> Tensor:
    """Scale and turn each view's flow."""
    cosine, sine = turn.cos()[:, None], turn.sin()[:, None]
    x = flows[..., 0] * cosine - flows[..., 1] * sine
    y = flows[..., 0] * sine + flows[..., 1] * cosine
    return torch.stack([x, y], dim=-1) * (1.0 + gain)[:, None, None]


if __name__ == "__main__":
    main()
