"""The scene of `tests.tiny` as several cameras see it: its ball is the part that moves, and fast.

The ball goes 0.8 a frame, 9.6 pixels, so that it covers each pixel in one frame at the most. The
first camera and the last one stand still, the one between goes to the right by 0.2 a frame.
"""

from dataclasses import replace
from pathlib import Path

import torch

from fourfold.geometry import Camera
from fourfold.scene import RigidMotion, Scene
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


def rig_run(folder: Path) -> Run:
    """Make a run with the scene in it, of a capture that isn't there."""
    run = tiny_run(folder)
    rig_scene().save(run.scene_folder)
    return run
