"""Build a small moving scene, draw it, and export it: no video needed.

    python examples/01_a_scene_by_hand.py [FOLDER]

writes an animation, one .ply per frame and the scene itself.
"""

import sys
from pathlib import Path

import torch

from fourfold.exporters import write_ply_sequence, write_video
from fourfold.geometry import Camera, orbit_camera
from fourfold.scene import Gaussians, RigidMotion, Scene, SceneObject, StaticMotion

out = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/by-hand")
generator = torch.Generator().manual_seed(0)

# A floor of grey Gaussians. The camera's axes are the world's: x right, y down, z forward.
spots = torch.rand(2000, 3, generator=generator) * torch.tensor([6.0, 0.02, 6.0])
floor = Gaussians.from_colors(
    means=spots + torch.tensor([-3.0, 1.0, 2.0]),
    colors=0.4 + 0.2 * torch.rand(2000, 1, generator=generator).expand(-1, 3),
    scales=torch.tensor([[0.12, 0.01, 0.12]]).expand(2000, 3),
    opacities=torch.full((2000,), 0.9),
)

# A ball around its own origin, whose colour says where on it a Gaussian is.
normals = torch.nn.functional.normalize(torch.randn(1500, 3, generator=generator), dim=1)
ball = Gaussians.from_colors(
    means=0.4 * normals,
    colors=0.5 + 0.5 * normals,
    scales=torch.full((1500, 1), 0.03),
    opacities=torch.full((1500,), 0.9),
)

# It hops twice, from left to right, and turns: one pose per key time, a spline between them.
times = torch.arange(0.0, 25.0, 3.0)
phase = times / 24.0
places = torch.stack(
    (3.0 * phase - 1.5, 0.6 - (torch.pi * 2 * phase).sin().abs(), 5.0 + 0 * phase), 1
)
turns = torch.stack((phase.cos(), 0 * phase, 0 * phase, phase.sin()), 1)  # wxyz, about z
hops = RigidMotion(times, turns, places, torch.zeros_like(times))

camera = Camera.from_fov(480, 270, vertical_fov_degrees=45.0)
scene = Scene(
    objects=[SceneObject("background", floor, StaticMotion()), SceneObject("ball", ball, hops)],
    cameras=[camera] * 25,
    fps=25.0,
    background_color=torch.tensor([0.75, 0.85, 0.95]),
)

# Draw it from a camera that swings about the middle of the floor.
pivot = torch.tensor([0.0, 0.5, 5.0])
views = [orbit_camera(camera, pivot, 10.0, 1.5 * t - 18.0, scene.up) for t in range(25)]
frames = [scene.render(view, float(t))["rgb"] for t, view in enumerate(views)]

print(write_video(out / "ball.gif", frames, scene.fps))
print(write_ply_sequence(out / "ply", scene))
scene.save(out / "scene")
print(out / "scene")
