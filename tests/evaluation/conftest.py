"""Scenes of which everything is known."""

import pytest
import torch

from fourfold.geometry import Camera, axis_angle_to_quaternion
from fourfold.scene import Gaussians, RigidMotion, Scene, SceneObject, StaticMotion

FRAMES = 4
SIZE = 48


def plate(center: tuple[float, float, float], half: float, color: tuple[float, float, float]):
    """A dense square of small opaque Gaussians that faces the camera."""
    steps = torch.linspace(-half, half, 25)
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    means = torch.stack([x, y, torch.zeros_like(x)], dim=-1).reshape(-1, 3) + torch.tensor(center)
    spacing = 2 * half / 24
    return Gaussians.from_colors(
        means,
        torch.tensor(color).expand(len(means), 3),
        torch.tensor([spacing, spacing, spacing / 10]).expand(len(means), 3),
        torch.full((len(means),), 0.95),
    )


def turning_motion() -> RigidMotion:
    """Ten degrees about z and 0.1 to the right per frame."""
    angles = torch.deg2rad(10.0 * torch.arange(FRAMES))
    vectors = torch.stack([torch.zeros(FRAMES), torch.zeros(FRAMES), angles], dim=-1)
    translations = torch.zeros(FRAMES, 3)
    translations[:, 0] = 0.1 * torch.arange(FRAMES)
    return RigidMotion(
        torch.arange(FRAMES, dtype=torch.float32),
        axis_angle_to_quaternion(vectors),
        translations,
        torch.zeros(FRAMES),
    )


@pytest.fixture(scope="module")
def two_plates() -> Scene:
    """A wall at z = 4, and before it at z = 2 a small plate that turns and moves."""
    wall = SceneObject("background", plate((0.0, 0.0, 4.0), 3.0, (0.2, 0.2, 0.8)), StaticMotion())
    front = SceneObject("plate", plate((0.0, 0.0, 2.0), 0.4, (0.9, 0.1, 0.1)), turning_motion())
    return Scene([wall, front], [Camera.from_fov(SIZE, SIZE, 60.0)] * FRAMES)
