"""A scene small enough to work out by hand, and a run that holds it.

A red ball of Gaussians, 0.2 across, starts in the middle at depth 4 and moves right by 0.1 a
frame, before a blue wall at depth 8. The camera of 64x48 pixels has a focal length of 48 pixels,
so that 0.1 at depth 4 is 1.2 pixels. The capture's world is the scene's, twice as large, and
moved by (1, 2, 3).
"""

from dataclasses import dataclass
from pathlib import Path

import torch

from fourfold.geometry import Camera
from fourfold.scene import Gaussians, RigidMotion, Scene, SceneObject, StaticMotion
from fourfold.training import Run

NUM_FRAMES = 4
STEP = 0.1
FOCAL, WIDTH, HEIGHT = 48.0, 64, 48
BALL_DEPTH, WALL_DEPTH = 4.0, 8.0


@dataclass(frozen=True)
class TinyConfig:
    """Settings of a method that isn't there."""

    steps: int = 3
    """How many."""


def tiny_camera() -> Camera:
    """Give the camera, in the origin, looking along +z."""
    matrix = [[FOCAL, 0.0, WIDTH / 2], [0.0, FOCAL, HEIGHT / 2], [0.0, 0.0, 1.0]]
    return Camera(torch.eye(4), torch.tensor(matrix), WIDTH, HEIGHT)


def tiny_scene() -> Scene:
    """Build the scene."""
    times = torch.arange(float(NUM_FRAMES))
    still = RigidMotion.at_rest(times)
    places = torch.stack((times * STEP, torch.zeros(4), torch.full((4,), BALL_DEPTH)), dim=1)
    motion = RigidMotion(times, still.quaternions, places, still.log_scales)
    normalization = torch.diag(torch.tensor([0.5, 0.5, 0.5, 1.0]))
    normalization[:3, 3] = torch.tensor([-0.5, -1.0, -1.5])
    return Scene(
        objects=[
            SceneObject("background", _wall(), StaticMotion()),
            SceneObject("ball", _ball(), motion),
        ],
        cameras=[tiny_camera()] * NUM_FRAMES,
        fps=10.0,
        normalization=normalization,
    )


def tiny_run(folder: Path) -> Run:
    """Make a run with the scene in it, of a capture that isn't there."""
    run = Run.open(
        folder,
        method="dreamscene4d",
        config=TinyConfig(),
        capture_path=folder.parent / "clip",
        capture_fingerprint="none",
    )
    run.close()
    tiny_scene().save(run.scene_folder)
    return run


def _ball() -> Gaussians:
    line = torch.linspace(-0.2, 0.2, 5)
    x, y, z = (grid.flatten() for grid in torch.meshgrid(line, line, line, indexing="ij"))
    inside = x**2 + y**2 + z**2 <= 0.2**2 + 1e-6
    means = torch.stack((x, y, z), dim=1)[inside]
    return _colored(means, [0.9, 0.1, 0.1], 0.07)


def _wall() -> Gaussians:
    x, y = torch.meshgrid(torch.linspace(-6, 6, 25), torch.linspace(-5, 5, 21), indexing="ij")
    means = torch.stack((x.flatten(), y.flatten(), torch.full((x.numel(),), WALL_DEPTH)), dim=1)
    return _colored(means, [0.1, 0.1, 0.8], 0.4)


def _colored(means: torch.Tensor, color: list[float], scale: float) -> Gaussians:
    return Gaussians.from_colors(
        means,
        torch.tensor(color).expand(len(means), 3),
        torch.full((len(means), 1), scale),
        torch.full((len(means),), 0.95),
    )
