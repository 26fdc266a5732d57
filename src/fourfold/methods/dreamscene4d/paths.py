"""The large motion of an object: where it is in space in each frame, from its mask alone."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.geometry import (
    Camera,
    axis_angle_to_quaternion,
    matrix_to_quaternion,
    unproject_pixels,
)
from fourfold.methods.dreamscene4d.clip import Clip
from fourfold.methods.dreamscene4d.nodes import NodeGraph
from fourfold.methods.dreamscene4d.register import ImageTracks
from fourfold.scene import ControlNodeMotion

SIZE_SMOOTHNESS = 30.0
"""Weight of the second difference of log size over time, against one per measured frame."""
CENTRAL = 0.3
"""How much a frame at either end of the clip loses against one in the middle, as reference."""
UNRELIABLE = 0.05
"""Weight of a size measured on a mask that is cut off or touches another object's."""


def reference_frame(clip: Clip, index: int) -> int:
    """Choose the frame an object is lifted from: large, whole, and near the middle of its path."""
    frames = clip.visible_frames(index)
    middle = (frames[0] + frames[-1]) / 2
    span = max(frames[-1] - frames[0], 1)

    def merit(frame: int) -> float:
        whole = 1.0 - 0.3 * clip.cut_off(frame, index) - 0.3 * clip.touched(frame, index)
        central = 1.0 - CENTRAL * 2 * abs(frame - middle) / span
        return float(clip.areas[frame, index]) * whole * central

    return max(frames, key=merit)


def apparent_sizes(clip: Clip, index: int) -> Float[Tensor, " T"]:
    """Return the square root of the mask's area, smooth over time, in pixels.

    A deforming object changes its area without coming nearer, and a covered one without going
    away, so only the slow part counts: a penalised least-squares fit to the log size, in which
    frames whose mask is cut off or touched count little.
    """
    weight = torch.zeros(clip.num_frames)
    for frame in clip.visible_frames(index):
        partial = clip.cut_off(frame, index) or clip.touched(frame, index)
        weight[frame] = UNRELIABLE if partial else 1.0
    return smooth_positive(clip.areas[:, index].clamp_min(1).sqrt(), weight)


def smooth_positive(
    values: Float[Tensor, " T"], weights: Float[Tensor, " T"]
) -> Float[Tensor, " T"]:
    """Fit a smooth path to the logarithm of positive values by penalised least squares.

    A weight of 0 leaves a frame out; beyond the first and last weighted frames the path goes on
    nearly level.
    """
    count = len(values)
    second = torch.zeros(max(count - 2, 0), count, dtype=torch.float64)
    for row in range(len(second)):
        second[row, row : row + 3] = torch.tensor([1.0, -2.0, 1.0])
    first = torch.eye(count, dtype=torch.float64).diff(dim=0)
    weights = weights.double()
    normal = weights.diag() + SIZE_SMOOTHNESS * second.T @ second + 1e-3 * first.T @ first
    fitted = torch.linalg.solve(normal, weights * values.double().log())
    return torch.exp(fitted).float()


def start_motion(
    graph: NodeGraph,
    tracks: ImageTracks,
    cameras: list[Camera],
    depths: Float[Tensor, " T"],
    reference: int,
    center: Float[Tensor, " 2"],
    keys: list[int],
    turn_with_camera: bool,
) -> ControlNodeMotion:
    """Lift image tracks of control nodes to a motion in space, factorised.

    The pose of a key frame carries the object as a whole: its centre goes where the tracks' mean is
    seen, at ``depths`` (along the camera's axis). The nodes carry the rest. ``turn_with_camera``:
    a camera that only turns sees the same side of what it follows, so the object turns with it;
    otherwise the object keeps its orientation in the world.
    """
    nodes = _rest_nodes(graph, cameras[reference], center, float(depths[reference]))
    poses = [cameras[t if turn_with_camera else reference].world_from_camera for t in keys]
    rotations = torch.stack([pose[:3, :3] for pose in poses])
    translations, moves, turns = [], [], []
    for key, rotation in zip(keys, rotations, strict=True):
        camera, depth = cameras[key], depths[key]
        seen = tracks.pixels[key]
        pivot = center + seen.mean(0) - graph.pixels.mean(0)
        where = unproject_pixels(
            camera, torch.cat([pivot[None], seen]), depth.expand(len(seen) + 1)
        )
        translations.append(where[0])
        moves.append((where[1:] - where[0]) @ rotation - nodes)
        axis = rotation.T @ camera.world_from_camera[:3, 2]
        turns.append(axis_angle_to_quaternion(tracks.angles[key][:, None] * axis))
    return ControlNodeMotion(
        nodes=nodes,
        neighbors=graph.neighbors,
        radii=_radii(nodes),
        times=torch.tensor(keys, dtype=torch.float32),
        node_quaternions=torch.stack(turns),
        node_translations=torch.stack(moves),
        quaternions=matrix_to_quaternion(rotations),
        translations=torch.stack(translations),
        log_scales=torch.zeros(len(keys)),
    )


def _rest_nodes(graph: NodeGraph, camera: Camera, center: Tensor, depth: float) -> Tensor:
    """Place the nodes in the object's own frame, on the plane through its middle."""
    return (camera.directions(graph.pixels) - camera.directions(center[None])) * depth


def _radii(nodes: Float[Tensor, "M 3"]) -> Float[Tensor, " M"]:
    """Let a node's influence reach as far as its nearest node."""
    if len(nodes) == 1:
        return torch.ones(1)
    distance = torch.cdist(nodes, nodes)
    distance.fill_diagonal_(math.inf)
    return distance.amin(1).median().expand(len(nodes)).clone()
