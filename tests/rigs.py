"""The scene of `tests.tiny` as several cameras see it: its ball is the part that moves, and fast.

The ball goes 0.8 a frame, 9.6 pixels, so that it covers each pixel in one frame at the most. The
first camera and the last one stand still, the one between goes to the right by 0.2 a frame.
"""

from dataclasses import replace
from pathlib import Path

import torch

from fourfold.fields import BoxSpace, VoxelField
from fourfold.geometry import DC_BASIS, Camera
from fourfold.scene import RigidMotion, Scene, StaticMotion, Volume, VolumeObject
from fourfold.training import Run
from tests.tiny import BALL_DEPTH, NUM_FRAMES, tiny_run, tiny_scene

STEP = 0.8


def rig_scene() -> Scene:
    """Build the scene, of objects background and moving."""
    tiny = tiny_scene()
    wall, ball = tiny.objects
    times = torch.arange(float(NUM_FRAMES))
    still = RigidMotion.at_rest(times)
    places = torch.zeros(NUM_FRAMES, 3)
    places[:, 0], places[:, 2] = (times - 1.5) * STEP, BALL_DEPTH
    motion = RigidMotion(times, still.quaternions, places, still.log_scales)
    camera = tiny.cameras[0]
    rig = {
        "cam00": [camera],
        "cam.1": [aside(camera, 0.2 * index) for index in range(NUM_FRAMES)],
        "cam02": [aside(camera, -0.5)],
    }
    return replace(tiny, objects=[wall, replace(ball, name="moving", motion=motion)], rig=rig)


def aside(camera: Camera, shift: float) -> Camera:
    """Move a camera to the right."""
    pose = camera.camera_from_world.clone()
    pose[0, 3] -= shift
    return camera.moved(pose)


def rig_run(folder: Path, scene: Scene | None = None) -> Run:
    """Make a run with the scene, or another one, in it, of a capture that isn't there."""
    run = tiny_run(folder)
    (rig_scene() if scene is None else scene).save(run.scene_folder)
    return run


def voxel_scene() -> Scene:
    """Build a scene of voxels like `rig_scene`: a green wall, and a red cube that jumps.

    In a box from (-2, -2, 3) to (2, 2, 7), a voxel is 0.25 across. The cube, half a unit across, is
    at z = 4, to the left at times 0 and 1, to the right at 2 and 3; the wall is at z = 6.5.
    """
    scene = rig_scene()
    space = BoxSpace(torch.tensor([-2.0, -2.0, 3.0]), torch.tensor([2.0, 2.0, 7.0]))
    wall, cube = (torch.zeros(17, 17, 17, dtype=torch.bool) for _ in range(2))
    wall[:, :, 14:] = True
    cube[3:6, 7:10, 3:6] = cube[11:14, 7:10, 3:6] = True
    still = _opaque(VoxelField.at_voxels(wall), [0.1, 0.8, 0.1])
    moving = _opaque(VoxelField.at_voxels(cube, [1.0, 2.0]), [0.9, 0.1, 0.1])
    right = moving.places // (17 * 17) > 8
    moving.densities[right, 0] = moving.densities[~right, 1] = -20.0
    objects = [
        VolumeObject(name, Volume(field, space, field.occupancy(1e-3)), StaticMotion())
        for name, field in (("background", still), ("moving", moving))
    ]
    return replace(scene, objects=objects)


def _opaque(field: VoxelField, color: list[float]) -> VoxelField:
    field.densities.fill_(10.0)
    field.harmonics.copy_(torch.tensor(color).logit() / DC_BASIS)
    return field
