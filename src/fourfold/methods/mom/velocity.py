"""From hints to one velocity field over the chart.

Each connected part of the moving masks, split where sky meets earth, is a region: a plane, its
hints, a solver. A region without a hint takes the world velocity of a near region on the same kind
of surface, or stands still, and says so.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy import ndimage
from torch import Tensor

from fourfold.errors import InputError
from fourfold.geometry import Camera
from fourfold.methods.mom.borrowing import Lenders
from fourfold.methods.mom.hint_lines import assign_hints
from fourfold.methods.mom.region_motion import RegionFlow, Solver, chart_velocity, solve_region
from fourfold.methods.mom.regions import label_regions
from fourfold.methods.mom.surface import FLAT_ERROR, PlaneSurface, fit_surface

if TYPE_CHECKING:
    from fourfold.capture import Hint

# Hints met worse than this contradict each other, or the banks: the region's note says so.
CONTRADICTION_ANGLE = 20.0
CONTRADICTION_SPEED = 0.3
# A region of fewer pixels is too small to tell its surface by: it borrows as ground.
SPECK = 64
DRAW_HINT = "Draw a hint, a line from where matter is to where it goes, in a moving region"


@dataclass(frozen=True)
class RegionMotion:
    """What was found for one region.

    Args:
        mask: index of the mask that most of it belongs to.
        pixels: its size.
        surface: "sky", "ground" or "upright".
        hints: the numbers of its hints.
        solver: "harmonic", "stream", "borrowed" or "none".
        median_speed: chart pixels per frame.
        largest_speed: the same.
        hint_angle: mean angle in degrees between field and hints, NaN without hints.
        hint_speed: mean relative error of the speed at the hints, NaN without hints.
        note: what a user should know, or "".
    """

    mask: int
    pixels: int
    surface: str
    hints: tuple[int, ...]
    solver: str
    median_speed: float
    largest_speed: float
    hint_angle: float
    hint_speed: float
    note: str


@dataclass(frozen=True, eq=False)
class VelocityField:
    """A velocity over the chart.

    Args:
        velocity: (H,W,2) float32, chart pixels per frame at 30 fps, 0 outside the regions.
        regions: one entry per region, the largest first.
        unused_hints: the numbers of hints that lie out of reach of every region.
    """

    velocity: Float[Tensor, "H W 2"]
    regions: tuple[RegionMotion, ...]
    unused_hints: tuple[int, ...] = ()


def solve_velocity(
    masks: Bool[Tensor, "R H W"],
    hints: Sequence["Hint"],
    depth: Float[Tensor, "H W"],
    sky: Bool[Tensor, "H W"],
    camera: Camera,
    solver: Solver = "auto",
) -> VelocityField:
    """Make hints a dense velocity field.

    Harmonic or divergence-free interpolation in the metric of each region's plane (own; see
    `harmonic` and `stream`). `auto` takes the divergence-free one on level ground where it follows
    the hints, and the harmonic one elsewhere.

    Args:
        masks: the moving regions; they may overlap.
        hints: in chart pixels.
        depth: z, positive and finite inside the masks.
        sky: pixels without parallax.
        camera: of the chart; its pose does not matter.

    Raises:
        InputError: no pixel moves, or no hint lies in or near a moving region.
    """
    shapes = masks.cpu().numpy()
    labels, is_sky = label_regions(shapes.max(axis=0), sky.cpu().numpy())
    assigned = assign_hints(labels, hints)
    _check(labels, hints, assigned)
    surface_depth = depth.cpu().numpy()
    lenders = Lenders(*labels.shape)
    velocity = np.zeros((*labels.shape, 2), dtype=np.float32)
    motions = []
    numbers = range(1, len(is_sky) + 1)
    everything, windows = (slice(None), slice(None)), ndimage.find_objects(labels)
    for number in sorted(numbers, key=lambda number: number not in assigned):
        own = assigned.get(number, ())
        window = everything if own else windows[number - 1]
        mask, part = labels[window] == number, _part_of(camera, window)
        surface = fit_surface(mask, surface_depth[window], part, is_sky[number - 1])
        flow = _region_flow(mask, window, surface, [hints[one] for one in own], solver, lenders)
        chart = chart_velocity(flow.world, surface, _pixels(mask))
        velocity[window][mask] = chart
        motions.append(_report(mask, shapes[:, *window], surface, own, flow, chart))
    used = {one for own in assigned.values() for one in own}
    return VelocityField(
        torch.from_numpy(velocity),
        tuple(sorted(motions, key=lambda motion: -motion.pixels)),
        tuple(number for number in range(len(hints)) if number not in used),
    )


def _region_flow(
    mask: np.ndarray,
    window: tuple[slice, slice],
    surface: PlaneSurface,
    hints: Sequence["Hint"],
    solver: Solver,
    lenders: Lenders,
) -> RegionFlow:
    """Solve a region with hints, or borrow for one without (all with hints come first)."""
    if hints:
        flow = solve_region(mask, hints, surface, solver)
        lenders.lend(surface.kind, window, mask, flow.world)
        return flow
    speck = mask.sum() < SPECK and not surface.sky
    borrowed = lenders.borrow("ground" if speck else surface.kind, window, mask)
    world = np.zeros(3) if borrowed is None else borrowed
    name = "none" if borrowed is None else "borrowed"
    return RegionFlow(np.tile(world, (int(mask.sum()), 1)), name, math.nan, math.nan)


def _check(
    labels: np.ndarray, hints: Sequence["Hint"], assigned: Mapping[int, tuple[int, ...]]
) -> None:
    if not labels.any():
        raise InputError("the masks are empty", mend="Draw a region that moves")
    if not hints:
        raise InputError("there is no hint", mend=DRAW_HINT)
    if not assigned:
        raise InputError(
            f"none of the {len(hints)} hints lies in or near a moving region", mend=DRAW_HINT
        )


def _report(
    mask: np.ndarray,
    shapes: np.ndarray,
    surface: PlaneSurface,
    hints: tuple[int, ...],
    flow: RegionFlow,
    velocity: np.ndarray,
) -> RegionMotion:
    speeds = np.linalg.norm(velocity, axis=1)
    return RegionMotion(
        mask=int((shapes & mask).sum(axis=(1, 2)).argmax()),
        pixels=int(mask.sum()),
        surface=surface.kind,
        hints=hints,
        solver=flow.solver,
        median_speed=float(np.median(speeds)),
        largest_speed=float(speeds.max()),
        hint_angle=flow.angle,
        hint_speed=flow.speed,
        note="; ".join(_notes(surface, flow)),
    )


def _notes(surface: PlaneSurface, flow: RegionFlow) -> Iterator[str]:
    if flow.solver == "none":
        yield "no hint here or near: it stands still"
    elif flow.solver == "borrowed":
        yield "no hint here: it moves like the nearest region on the same kind of surface"
    if flow.angle > CONTRADICTION_ANGLE or flow.speed > CONTRADICTION_SPEED:
        yield (
            f"its hints contradict each other or the banks: {flow.angle:.0f} degrees and "
            f"{100 * flow.speed:.0f} % between them and the field"
        )
    if surface.error > FLAT_ERROR:
        yield f"not flat: its plane is {100 * surface.error:.0f} % off the depth"


def _part_of(camera: Camera, window: tuple[slice, slice]) -> Camera:
    """Give the camera of a window of the chart: what is small is worked on in its own window."""
    y, x = window[0].start or 0, window[1].start or 0
    return camera.cropped(x, y, camera.width - x, camera.height - y)


def _pixels(mask: np.ndarray) -> Float[np.ndarray, "N 2"]:
    return np.argwhere(mask)[:, ::-1] + 0.5
