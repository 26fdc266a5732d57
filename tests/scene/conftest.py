"""Small Gaussians, nodes and scenes."""

from collections.abc import Callable

import pytest
import torch

from fourfold.geometry import Camera
from fourfold.scene import (
    Appearance,
    ControlNodeMotion,
    Gaussians,
    RigidMotion,
    Scene,
    SceneObject,
    StaticMotion,
)

MakeGaussians = Callable[..., Gaussians]


@pytest.fixture
def make_gaussians() -> MakeGaussians:
    """Return a function that makes random Gaussians of some degree."""

    def make(
        count: int = 6, degree: int = 0, seed: int = 0, dtype: torch.dtype = torch.float32
    ) -> Gaussians:
        generator = torch.Generator().manual_seed(seed)

        def draw(*shape: int) -> torch.Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

        return Gaussians(
            means=draw(count, 3),
            quaternions=draw(count, 4),
            log_scales=0.3 * draw(count, 3) - 2.0,
            logit_opacities=draw(count),
            harmonics=0.5 * draw(count, (degree + 1) ** 2, 3),
        )

    return make


@pytest.fixture
def chain() -> ControlNodeMotion:
    """Return five nodes in a row along x, each moved by itself and its neighbours; six keys."""
    nodes = torch.tensor([[float(x), 0.0, 0.0] for x in range(5)])
    neighbors = torch.tensor([[0, 1, -1], [1, 0, 2], [2, 1, 3], [3, 2, 4], [4, 3, -1]])
    return ControlNodeMotion.at_rest(nodes, neighbors, torch.full((5,), 0.7), torch.arange(6.0))


@pytest.fixture
def full_scene(make_gaussians: MakeGaussians, chain: ControlNodeMotion) -> Scene:
    """Return a scene with one object of every kind of motion, one with a changing appearance."""
    generator = torch.Generator().manual_seed(5)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    times = torch.tensor([0.0, 1.0, 2.5])
    appearance = Appearance(times, draw(3, 2), draw(6, 2, 4))
    rigid = RigidMotion(times, draw(3, 4), draw(3, 3), 0.1 * draw(3))
    pose = Camera.from_fov(32, 24).camera_from_world
    cameras = []
    for step in range(3):
        pose = pose.clone()
        pose[0, 3] = 0.1 * step
        cameras.append(Camera.from_fov(32, 24, camera_from_world=pose))
    return Scene(
        objects=[
            SceneObject("background", make_gaussians(seed=1), StaticMotion()),
            SceneObject("ball", make_gaussians(seed=2), rigid, appearance, (0.5, 2.0)),
            SceneObject("worm", make_gaussians(seed=3, degree=2), chain),
        ],
        cameras=cameras,
        fps=23.976,
        period=3.0,
        up=torch.tensor([0.1, -0.9, 0.2]),
        background_color=torch.tensor([0.2, 0.4, 0.6]),
        provenance={"method": "by hand", "config": {"steps": 3}},
        normalization=torch.diag(torch.tensor([0.5, 0.5, 0.5, 1.0])),
        rig={"left": cameras[:1], "moving": cameras},
    )
