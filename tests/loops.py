"""A scene that loops, small enough to work out by hand, and a run that holds it.

A picture of 48x32 with a focal length of 40 pixels. In its middle rows, 8 to 24, a stream flows to
the right by one pixel a frame, on a plane that comes nearer to the right; it stands before banks
that go on under it. It loops in 12 frames, in two sub-loops of 6.
"""

from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.geometry import Camera, unproject_pixels
from fourfold.scene import Gaussians, LoopMotion, Scene, SceneObject, StaticMotion
from fourfold.training import Run
from tests.tiny import TinyConfig

WIDTH, HEIGHT, FOCAL, PERIOD = 48, 32, 40.0, 12
STREAM = slice(8, 24)


def loop_camera() -> Camera:
    """Give the camera, in the origin, looking along +z."""
    matrix = [[FOCAL, 0.0, WIDTH / 2], [0.0, FOCAL, HEIGHT / 2], [0.0, 0.0, 1.0]]
    return Camera(torch.eye(4), torch.tensor(matrix), WIDTH, HEIGHT)


def stream_mask() -> Bool[Tensor, "H W"]:
    """Mark the stream."""
    mask = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    mask[STREAM] = True
    return mask


def stream_depth() -> Float[Tensor, "H W"]:
    """Give the depth of the plane: 5 at the left, 4.06 at the right."""
    return (5.0 - 0.02 * torch.arange(WIDTH)).expand(HEIGHT, WIDTH).contiguous()


def stream_motion() -> LoopMotion:
    """Give the stream's motion."""
    velocity = torch.zeros(HEIGHT, WIDTH, 2)
    velocity[..., 0] = 1.0
    camera = loop_camera()
    return LoopMotion(
        velocity,
        stream_depth(),
        stream_mask().float(),
        torch.full((HEIGHT, WIDTH), 2.0),
        torch.ones(1, HEIGHT, WIDTH),
        torch.tensor(float(PERIOD)),
        camera.intrinsics,
        camera.camera_from_world,
    )


def loop_scene() -> Scene:
    """Build the scene."""
    everywhere = torch.ones(HEIGHT, WIDTH, dtype=torch.bool)
    banks = _sheet(everywhere, farther=1.02, seed=0)
    stream = _sheet(stream_mask(), farther=1.0, seed=1)
    objects = [
        SceneObject("background", banks, StaticMotion()),
        SceneObject("stream", stream, stream_motion()),
    ]
    return Scene(objects, [loop_camera()] * PERIOD, fps=6.0, period=float(PERIOD), eps2d=0.1)


def loop_run(folder: Path) -> Run:
    """Make a run with the scene in it, of a photo that isn't there."""
    run = Run.open(
        folder,
        method="mom",
        config=TinyConfig(),
        capture_path=folder.parent / "photo.png",
        capture_fingerprint="none",
    )
    run.close()
    loop_scene().save(run.scene_folder)
    return run


def _sheet(present: Bool[Tensor, "H W"], farther: float, seed: int) -> Gaussians:
    """Cover pixels with a Gaussian each, of smooth random colours."""
    random = torch.rand(
        1, 3, HEIGHT // 4, WIDTH // 4, generator=torch.Generator().manual_seed(seed)
    )
    colors = torch.nn.functional.interpolate(random, (HEIGHT, WIDTH), mode="bilinear")
    depth = farther * stream_depth()[present]
    points = unproject_pixels(loop_camera(), loop_camera().pixel_grid()[present], depth)
    scales = (0.5 * depth / FOCAL).unsqueeze(-1)
    return Gaussians.from_colors(
        points, colors[0].permute(1, 2, 0)[present], scales, torch.full((len(points),), 0.99)
    )
