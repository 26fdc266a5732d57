"""Which rays a step of the fields draws, and what is known about them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fourfold.fields import BoxSpace, Rays
from fourfold.geometry import project_points
from fourfold.methods.osn.footage import UNKNOWN, Footage
from fourfold.methods.osn.step import choose_frame
from fourfold.methods.osn.tensorf_body import view_rays

FRAMES = 4
"""Frames whose rays are mixed in a step."""


class Batch(NamedTuple):
    """Rays in the camera's frame, and of each: its frame, colour, label, known distance, trust.

    Distances are along the ray, at scale 1 and in units of the body that is seen; NaN where not
    known. `weights` are the trust in them.
    """

    rays: Rays
    frames: Int[Tensor, " R"]
    colors: Float[Tensor, "R 3"]
    labels: Int[Tensor, " R"]
    distances: Float[Tensor, " R"]
    weights: Float[Tensor, " R"]


def choose_frames(footage: Footage, step: int, seed: int, stage: str) -> list[int]:
    """Choose the frames of a step: every frame once before any comes again."""
    places = range(step * FRAMES, (step + 1) * FRAMES)
    return list(dict.fromkeys(choose_frame(footage, place, seed, stage) for place in places))


def choose_pixels(
    masks: Bool[Tensor, "F H W"], count: int, random: torch.Generator
) -> Int[Tensor, "R 3"]:
    """Draw marked pixels, as (place of the frame, row, column); none where none is marked."""
    marked = torch.nonzero(masks)
    if not len(marked):
        return marked
    return marked[torch.randint(len(marked), (count,), generator=random)]


def make_batch(
    footage: Footage,
    frames: Sequence[int],
    pixels: Int[Tensor, "R 3"],
    depths: tuple[Float[Tensor, "F H W"], Float[Tensor, "F H W"]],
) -> Batch:
    """Look up what is known at pixels of frames; `depths`: z, NaN where not known, and weights."""
    place, row, column = pixels.unbind(1)
    frame = torch.tensor(frames)[place]
    centers = torch.stack([column, row], 1) + 0.5
    directions = torch.empty(len(pixels), 3)
    for number, each in enumerate(frames):
        mine = place == number
        directions[mine] = footage.cameras[each].directions(centers[mine])
    rays, cosines = view_rays(directions)
    return Batch(
        rays,
        frame,
        footage.images[frame, row, column].float() / 255,
        footage.labels[frame, row, column],
        depths[0][place, row, column] / cosines,
        depths[1][place, row, column],
    )


def key_depths(
    footage: Footage, frames: Sequence[int]
) -> tuple[Float[Tensor, "F H W"], Float[Tensor, "F H W"]]:
    """Give z at the key points of the bodies that are seen there, NaN elsewhere, and weights."""
    shape = (len(frames), *footage.labels.shape[1:])
    depths, weights = torch.full(shape, torch.nan), torch.zeros(shape)
    for index, body in enumerate(footage.bodies):
        for number, frame in enumerate(frames):
            points = body.points.where(body.points.frames == frame)
            column, row = points.pixels.long().unbind(1)
            column, row = column.clamp(0, shape[2] - 1), row.clamp(0, shape[1] - 1)
            seen = footage.labels[frame, row, column] == index
            depths[number, row[seen], column[seen]] = points.depths[seen].float()
            weights[number, row[seen], column[seen]] = points.weights[seen].float()
    return depths, weights


def start_depths(
    depths: Mapping[int, Float[Tensor, "H W"]], frames: Sequence[int], shape: torch.Size
) -> tuple[Float[Tensor, "F H W"], Float[Tensor, "F H W"]]:
    """Stack the depths that a body starts from, NaN where there are none, with weights of one."""
    unknown = torch.full(shape, torch.nan)
    stacked = torch.stack([depths.get(frame, unknown) for frame in frames])
    return stacked, torch.ones_like(stacked)


def seen_masks(footage: Footage, index: int, frames: Sequence[int]) -> Bool[Tensor, "F H W"]:
    """Mark where a body is seen in frames in which it is registered."""
    known = footage.known[list(frames), index]
    return (footage.labels[list(frames)] == index) & known[:, None, None]


def free_masks(
    footage: Footage, index: int, frames: Sequence[int], space: BoxSpace
) -> Bool[Tensor, "F H W"]:
    """Mark where the background is seen though an object's box is there; none for itself."""
    free = (footage.labels[list(frames)] == 0) & (index > 0)
    corners = space.to_world(torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 3))
    for number, frame in enumerate(frames):
        camera = footage.cameras[frame].moved(footage.poses[index, frame])
        pixels, depths = project_points(camera, corners)
        if not footage.known[frame, index]:
            free[number] = False
        elif bool((depths > 0).all()):  # else the box reaches behind the camera: any pixel may do
            low, high = pixels.amin(0).floor(), pixels.amax(0).ceil()
            grid = camera.pixel_grid()
            free[number] &= ((grid > low) & (grid < high)).all(-1)
    return free


def known_masks(footage: Footage, frames: Sequence[int]) -> Bool[Tensor, "F H W"]:
    """Mark the pixels of which it is known who is seen."""
    return footage.labels[list(frames)] != UNKNOWN
