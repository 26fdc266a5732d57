"""A short clip of a rig on disk: a ball on its way through a room, and settings to train on it."""

from pathlib import Path

import torch

from fourfold.capture import Capture, FilmedView, open_capture, write_capture
from fourfold.methods.mixvoxels.config import MixVoxelsConfig, VoxelConfig
from tests.methods.mixvoxels import ballroom

NUM_FRAMES = 8


def write_clip(folder: Path) -> Capture:
    """Film the ball flying at an even pace with four cameras, small; none is held out."""
    views = {}
    for view, camera in enumerate(ballroom.cameras()[:4]):
        images = [ballroom.picture(view, 0.5 * frame) for frame in range(NUM_FRAMES)]
        views[f"cam{view:02d}"] = FilmedView(images=images, cameras=[camera] * NUM_FRAMES)
    write_capture(folder, views, fps=10.0)
    return open_capture(folder, test_cameras="none", max_size=32)


def settings(block_frames: int, iterations: int = 60) -> MixVoxelsConfig:
    """Give settings that train in seconds."""
    torch.set_num_threads(1)
    voxels = VoxelConfig(resolution=24, iterations=iterations, rays=256, block_frames=block_frames)
    return MixVoxelsConfig(preset="tiny", voxels=voxels)
