"""Where each control node of an object is in each frame's image: non-rigid registration in 2D.

The joint optimisation of the stage move follows gradients of a few pixels' reach. This module
brings it within reach: from the reference frame outwards, each frame starts from its neighbour,
follows the optical flow, and then alternates nearest neighbours in position and colour with an
as-rigid-as-possible fit (embedded deformation, Sumner et al. 2007, in the image plane).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fourfold.estimators import estimate_object_flow
from fourfold.methods.dreamscene4d.clip import Clip
from fourfold.methods.dreamscene4d.nodes import NodeGraph
from fourfold.training import Progress

SAMPLES = 1200
"""Pixels of an object that are matched."""
COLOR_REACH = 0.25
"""A colour difference of 1 weighs as much as a distance of this share of the object's size over
``COLOR_REACH``; small values let position decide."""
STEPS = 60
"""Steps of Adam per frame."""
REMATCH = 6
"""Steps between two searches for nearest neighbours."""
RIGIDITY = 0.03
"""Weight of the as-rigid-as-possible term, at the end; it starts ten times stiffer."""


@dataclass(frozen=True)
class ImageTracks:
    """Paths of control nodes in the image.

    Shapes: pixels (T,M,2); angles (T,M) radians of turn in the image plane, clockwise as y is down;
    sizes (T,) apparent size relative to the reference frame; known (T,) frames that were matched
    (elsewhere the path holds the values of the nearest matched frame).
    """

    pixels: Float[Tensor, "T M 2"]
    angles: Float[Tensor, "T M"]
    sizes: Float[Tensor, " T"]
    known: Bool[Tensor, " T"]


def register_object(
    clip: Clip,
    index: int,
    reference: int,
    graph: NodeGraph,
    sizes: Float[Tensor, " T"],
    generator: torch.Generator,
    progress: Progress,
) -> ImageTracks:
    """Track an object's nodes from its reference frame through every frame that shows it."""
    usable = clip.visible_frames(index)
    tracks = ImageTracks(
        graph.pixels.expand(clip.num_frames, -1, -1).clone(),
        torch.zeros(clip.num_frames, len(graph.pixels)),
        sizes / sizes[reference],
        torch.zeros(clip.num_frames, dtype=torch.bool),
    )
    tracks.known[reference] = True
    points, colors = _sample_pixels(clip, index, reference, generator)
    body = hang_on_nodes(points, graph)
    position = usable.index(reference)
    for direction in (usable[position + 1 :], usable[:position][::-1]):
        previous = reference
        for frame in direction:
            _register_frame(clip, index, body, colors, graph, tracks, previous, frame, generator)
            previous = frame
            progress.advance()
    return _hold_unknown(tracks)


@dataclass(frozen=True)
class Body:
    """Points in the plane of the reference frame, in pixels, and how they hang on the nodes."""

    points: Float[Tensor, "N 2"]
    nearest: Int[Tensor, "N K"]
    weights: Float[Tensor, "N K"]

    def turn(self, angles: Float[Tensor, " M"]) -> Float[Tensor, " N"]:
        """Blend the nodes' angles at the points."""
        return (angles[self.nearest] * self.weights).sum(1)


def hang_on_nodes(points: Float[Tensor, "N 2"], graph: NodeGraph) -> Body:
    """Decide which nodes move points of the reference frame, and how much."""
    distance = torch.cdist(points, graph.pixels)
    index = graph.neighbors[distance.argmin(1)]
    weights = torch.exp(-0.5 * (distance.gather(1, index) / _spacing(graph)) ** 2) + 1e-6
    return Body(points, index, weights / weights.sum(1, keepdim=True))


def _sample_pixels(clip, index, frame, generator) -> tuple[Tensor, Tensor]:
    mask = clip.masks[frame, index]
    y, x = torch.nonzero(mask, as_tuple=True)
    chosen = torch.randperm(len(x), generator=generator)[:SAMPLES]
    x, y = x[chosen], y[chosen]
    return torch.stack([x, y], 1).float() + 0.5, clip.smooth_image(frame)[y, x]


def _spacing(graph: NodeGraph) -> float:
    """Median distance from a node to its nearest neighbour, in pixels."""
    if len(graph.pixels) < 2:
        return 1.0
    distance = torch.cdist(graph.pixels, graph.pixels)
    distance.fill_diagonal_(torch.inf)
    return max(float(distance.amin(1).median()), 1.0)


def pose_body(body: Body, graph: NodeGraph, nodes: Tensor, angles: Tensor, size: Tensor) -> Tensor:
    """Carry the body's points along with the nodes."""
    offset = body.points[:, None] - graph.pixels[body.nearest]
    carried = nodes[body.nearest] + size * turn(offset, angles[body.nearest])
    return (carried * body.weights[..., None]).sum(1)


def turn(vectors: Tensor, angles: Tensor) -> Tensor:
    cos, sin = torch.cos(angles), torch.sin(angles)
    x, y = vectors.unbind(-1)
    return torch.stack([cos * x - sin * y, sin * x + cos * y], -1)


def _register_frame(clip, index, body, colors, graph, tracks, previous, frame, generator) -> None:
    """Fit the nodes of one frame, starting from its neighbour's, and write them into ``tracks``."""
    size = tracks.sizes[frame]
    start, flowed, flow_weight = _predict(clip, index, body, graph, tracks, previous, frame)
    nodes = start.clone().requires_grad_()
    angles = tracks.angles[previous].clone().requires_grad_()
    target, target_colors = _sample_pixels(clip, index, frame, generator)
    reach = COLOR_REACH * float((target.amax(0) - target.amin(0)).norm())
    hidden = _hidden_test(clip, index, frame)
    unit = _spacing(graph)
    optimizer = torch.optim.Adam(
        [{"params": [nodes], "lr": 0.25 * unit}, {"params": [angles], "lr": 0.05}]
    )
    forward = backward = None
    for step in range(STEPS):
        progress = step / STEPS
        for group, rate in zip(optimizer.param_groups, (0.25 * unit, 0.05), strict=True):
            group["lr"] = rate * 0.1**progress
        points = pose_body(body, graph, nodes, angles, size)
        if step % REMATCH == 0:
            forward, backward = _match(points.detach(), colors, target, target_colors, reach)
            shown = (~hidden(points.detach())).float()
        rigidity = RIGIDITY * 10 ** (1 - progress)
        loss = (
            (_robust(points - target[forward], unit) * shown).mean()
            + _robust(points[backward] - target, unit).mean()
            + 2.0 * (1 - progress) * (_robust(points - flowed, unit) * flow_weight).mean()
            + rigidity * _rigidity(graph, nodes, angles, size) / unit**2
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    tracks.pixels[frame] = nodes.detach()
    tracks.angles[frame] = angles.detach()
    tracks.known[frame] = True


def _predict(clip, index, body, graph, tracks, previous, frame):
    """Move the previous frame's nodes with the object's mask; carry points along the flow."""
    before, after = clip.centroid(previous, index), clip.centroid(frame, index)
    growth = tracks.sizes[frame] / tracks.sizes[previous]
    start = after + growth * (tracks.pixels[previous] - before)
    points = pose_body(
        body, graph, tracks.pixels[previous], tracks.angles[previous], tracks.sizes[previous]
    )
    flow = estimate_object_flow(
        clip.image(previous),
        clip.image(frame),
        clip.masks[previous, index],
        clip.masks[frame, index],
    )
    x = points[:, 0].long().clamp(0, clip.width - 1)
    y = points[:, 1].long().clamp(0, clip.height - 1)
    landed = points + flow.flow[y, x]
    weight = (flow.valid[y, x] & clip.masks[previous, index][y, x]).float()
    return start, landed, weight


def _match(points, colors, target, target_colors, reach) -> tuple[Tensor, Tensor]:
    """Nearest neighbours both ways in position and colour."""
    source = torch.cat([points, colors * reach], 1)
    goal = torch.cat([target, target_colors * reach], 1)
    distance = torch.cdist(source, goal)
    return distance.argmin(1), distance.argmin(0)


def _robust(residual: Float[Tensor, "N 2"], unit: float) -> Float[Tensor, " N"]:
    """Pseudo-Huber distance in units of the node spacing."""
    return torch.sqrt(1 + (residual / unit).square().sum(-1)) - 1


def _rigidity(graph, nodes, angles, size) -> Tensor:
    """As-rigid-as-possible in the image: neighbours keep the offset that the node's turn gives."""
    neighbors = graph.neighbors[:, 1:]
    if not neighbors.numel():
        return nodes.new_zeros(())  # a single node has no edge
    rest = graph.pixels[neighbors] - graph.pixels[:, None]
    now = nodes[neighbors] - nodes[:, None]
    turned = size * turn(rest, angles[:, None].expand(neighbors.shape))
    return (now - turned).square().sum(-1).mean()


def _hidden_test(clip: Clip, index: int, frame: int):
    """Tell which points lie behind another object's mask or outside the picture."""
    other = clip.masks[frame].any(0) & ~clip.masks[frame, index]

    def hidden(points: Float[Tensor, "N 2"]) -> Bool[Tensor, " N"]:
        x, y = points.floor().long().unbind(-1)
        outside = (x < 0) | (y < 0) | (x >= clip.width) | (y >= clip.height)
        return outside | other[y.clamp(0, clip.height - 1), x.clamp(0, clip.width - 1)]

    return hidden


def _hold_unknown(tracks: ImageTracks) -> ImageTracks:
    """Give frames without a match the values of the nearest matched frame."""
    frames = torch.arange(len(tracks.known))
    known = frames[tracks.known]
    nearest = known[(frames[:, None] - known).abs().argmin(1)]
    return ImageTracks(tracks.pixels[nearest], tracks.angles[nearest], tracks.sizes, tracks.known)
