"""The motion of one region: its solver, its quality, its velocity on the chart. Own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Bool, Float

from fourfold.methods.mom.harmonic import solve_harmonic
from fourfold.methods.mom.hint_lines import hint_data
from fourfold.methods.mom.least_squares import VelocityProblem, pose_problem
from fourfold.methods.mom.region_grid import grid_of
from fourfold.methods.mom.stream import solve_stream, vorticity
from fourfold.methods.mom.surface import PlaneSurface

if TYPE_CHECKING:
    from fourfold.capture import Hint

Solver = Literal["auto", "harmonic", "stream"]

# `auto` takes the divergence-free flow where it follows the hints this well: half of what is asked
# of the method as a whole (10 degrees, 15 %).
AUTO_ANGLE = 5.0
AUTO_SPEED = 0.075
# And where it needs hardly an eddy for that: the integral of its squared vorticity over the hints'
# squared speed. Flows that fit their banks have below 0.05, hints that need sources or that don't
# fit the perspective 0.6 to 5 (three synthetic channels, three photos).
AUTO_EDDIES = 0.3
# Extrapolated towards the viewer, a far hint's world velocity grows without bound in pixels. Speeds
# are bent to stay below this multiple of the region's fastest hint.
FASTEST = 2.0


@dataclass(frozen=True, eq=False)
class RegionFlow:
    """A region's motion.

    Args:
        world: V of each of the region's N pixels, row by row: units per frame in camera axes.
        solver: "harmonic", "stream", "borrowed" or "none".
        angle: mean angle to the hints in degrees, on the chart; NaN without hints.
        speed: mean relative error of the speed at the hints; NaN without hints.
    """

    world: Float[np.ndarray, "N 3"]
    solver: str
    angle: float
    speed: float


def solve_region(
    mask: Bool[np.ndarray, "H W"],
    hints: Sequence["Hint"],
    surface: PlaneSurface,
    solver: Solver,
) -> RegionFlow:
    """Solve for the motion of a region that has hints.

    `auto`: an incompressible flow between banks is what water does, so on level ground the stream
    function is tried. Where it can't follow the hints, or only with eddies (waves that run ashore,
    water that wells up), the harmonic flow is taken. Sky and upright surfaces have no banks:
    harmonic.
    """
    grid = grid_of(mask)
    problem = pose_problem(grid, surface, hint_data(grid, surface, hints))
    if solver == "auto" and surface.kind != "ground":
        solver = "harmonic"
    name, cells = _choose(problem, solver)
    cells = _limited(problem, cells)
    world = grid.spread(cells @ surface.tangents)[mask[grid.window]]
    return RegionFlow(world, name, *hint_errors(problem, cells))


def _choose(problem: VelocityProblem, solver: Solver) -> tuple[str, np.ndarray]:
    harmonic = solve_harmonic(problem)
    if solver == "harmonic":
        return "harmonic", harmonic
    stream = solve_stream(problem, harmonic)
    if solver == "auto":
        angle, speed = hint_errors(problem, stream)
        if angle > AUTO_ANGLE or speed > AUTO_SPEED or vorticity(problem, stream) > AUTO_EDDIES:
            return "harmonic", harmonic
    return "stream", stream


def chart_speed(
    problem: VelocityProblem, cells: Float[np.ndarray, "N 2"]
) -> Float[np.ndarray, "N"]:
    """Give the speed of each cell in chart pixels per frame."""
    return np.linalg.norm(np.einsum("nij,nj->ni", problem.chart_from_world, cells), axis=1)


def _limited(problem: VelocityProblem, cells: np.ndarray) -> np.ndarray:
    """Bend speeds above the limit; those up to the fastest hint change by less than 0.1 %."""
    speed = chart_speed(problem, cells)
    wanted = np.einsum(
        "sij,sj->si", problem.chart_from_world[problem.data.cells], problem.data.world
    )
    limit = FASTEST * np.linalg.norm(wanted, axis=1).max()
    return cells / (1.0 + (speed[:, None] / limit) ** 8) ** (1 / 8)


def hint_errors(problem: VelocityProblem, cells: Float[np.ndarray, "N 2"]) -> tuple[float, float]:
    """Compare a solution with its hints on the chart.

    Args:
        cells: V of each cell, in the plane's tangents.

    Returns:
        The mean angle in degrees and the mean relative error of the speed; each hint counts once.
    """
    data = problem.data
    chart = problem.chart_from_world[data.cells]
    found = np.einsum("sij,sj->si", chart, cells[data.cells])
    wanted = np.einsum("sij,sj->si", chart, data.world)
    sizes = np.linalg.norm(found, axis=1), np.linalg.norm(wanted, axis=1)
    cosine = (found * wanted).sum(axis=1) / np.maximum(sizes[0] * sizes[1], 1e-30)
    angles = np.degrees(np.arccos(cosine.clip(-1.0, 1.0)))
    speeds = np.abs(sizes[0] / sizes[1] - 1.0)
    weights = 1.0 / np.bincount(data.hint)[data.hint]
    return float(np.average(angles, weights=weights)), float(np.average(speeds, weights=weights))


def chart_velocity(
    world: Float[np.ndarray, "N 3"], surface: PlaneSurface, pixels: Float[np.ndarray, "N 2"]
) -> Float[np.ndarray, "N 2"]:
    """Bring world velocities on a plane to chart pixels per frame."""
    tangent = world @ surface.tangents.T
    return np.linalg.solve(surface.world_from_chart(pixels), tangent[..., None])[..., 0]
