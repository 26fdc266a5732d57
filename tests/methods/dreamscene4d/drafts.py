"""Drafts whose every number is known: objects that slide before a wall, seen by one camera."""

from collections.abc import Sequence

import torch

from fourfold.geometry import Camera
from fourfold.methods.dreamscene4d.backdrop import background_gaussians
from fourfold.methods.dreamscene4d.body import lift_silhouette
from fourfold.methods.dreamscene4d.clip import Clip
from fourfold.methods.dreamscene4d.draft import Draft
from fourfold.methods.dreamscene4d.nodes import place_nodes
from fourfold.methods.dreamscene4d.paths import start_motion
from fourfold.methods.dreamscene4d.register import ImageTracks
from fourfold.methods.dreamscene4d.trainable import cosine_appearance
from fourfold.scene import SceneObject
from tests.methods.dreamscene4d.clips import tiny_camera

WALL = 8.0


def slide_draft(clip: Clip, depths: Sequence[float], count: int = 150) -> Draft:
    """Lift each object from its first visible frame; its nodes follow its mask's centroid."""
    cameras = [tiny_camera(clip.width, clip.height)] * clip.num_frames
    wall = torch.full((clip.height, clip.width, 3), 0.5)
    wall_depth = torch.full((clip.height, clip.width), WALL)
    fronts = [_front(clip, k, cameras, depth, count) for k, depth in enumerate(depths)]
    notes = {
        "objects": list(clip.object_names),
        "background_color": [0.5, 0.5, 0.5],
        "trained_frames": list(range(len(cameras))),
        "camera": {"mode": "static", "reason": "by hand"},
        "depth": {"paths": [[depth] * clip.num_frames for depth in depths], "objects": {}},
    }
    return Draft(background_gaussians(wall, wall_depth, cameras[0], 100), cameras, fronts, notes)


def _front(clip: Clip, index: int, cameras: list[Camera], depth: float, count: int) -> SceneObject:
    keys = clip.visible_frames(index)
    first, mask = keys[0], clip.masks[keys[0], index]
    center = clip.centroid(first, index)
    front = lift_silhouette(clip.image(first), mask, cameras[first], depth, center, count, 1.0)
    graph = place_nodes(mask, 8, 4)
    shifts = torch.zeros(clip.num_frames, 2)
    for frame in keys:
        shifts[frame] = clip.centroid(frame, index) - center
    pixels = graph.pixels + shifts[:, None]
    tracks = ImageTracks(
        pixels,
        torch.zeros(pixels.shape[:2]),
        torch.ones(clip.num_frames),
        torch.ones(clip.num_frames, dtype=torch.bool),
    )
    path = torch.full((clip.num_frames,), depth)
    motion = start_motion(graph, tracks, cameras, path, first, center, keys, False)
    appearance = cosine_appearance(list(clip.trained), keys, len(front), 2)
    return SceneObject(clip.object_names[index], front, motion, appearance)
