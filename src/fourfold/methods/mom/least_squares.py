"""A region's velocity as a sparse least-squares problem: what both solvers share.

Unknown is the world velocity V of each cell in the plane's two tangents, in units of the hints'
speed. The smoothness is the Dirichlet energy of V on the plane: each pair of neighbouring cells
pays (difference / distance)^2 * area, in world units. Hints are soft data in the chart, relative to
their own speed, so that a far hint counts as much as a near one. Own; the energy is the harmonic
interpolation of spec and papers, in the plane's metric.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int
from scipy.sparse.linalg import splu

from fourfold.methods.mom.hint_lines import HintData
from fourfold.methods.mom.region_grid import RegionGrid
from fourfold.methods.mom.surface import PlaneSurface

# Weight of a hint in one cell against one pair of neighbours: nearly met, yet contradicting hints
# that cross are averaged.
HINT_WEIGHT = 30.0
# Keeps the system regular, relative to its scaled diagonal of one.
REGULARITY = 1e-12


@dataclass(frozen=True, eq=False)
class VelocityProblem:
    """The parts of a region's problem.

    Args:
        grid: its cells, N.
        surface: its plane.
        data: its hints.
        world_from_chart: A (N,2,2) at the cells' centres, world units per chart pixel.
        chart_from_world: its inverse.
        speed: root mean square world speed of the hints.
    """

    grid: RegionGrid
    surface: PlaneSurface
    data: HintData
    world_from_chart: Float[np.ndarray, "N 2 2"]
    chart_from_world: Float[np.ndarray, "N 2 2"]
    speed: float

    def bank_normals(self) -> Float[np.ndarray, "N 2"]:
        """Give each cell's unit normal to a smooth bank near it, in the plane's tangents.

        A bank's normal n is a covector of the chart: what V moves across the bank is n . A^-1 V.
        """
        normals = np.einsum("ni,nij->nj", self.grid.bank_normals(), self.chart_from_world)
        length = np.linalg.norm(normals, axis=1, keepdims=True)
        return normals / np.maximum(length, np.finfo(float).tiny)


def pose_problem(grid: RegionGrid, surface: PlaneSurface, data: HintData) -> VelocityProblem:
    """Gather what the solvers need."""
    world_from_chart = surface.world_from_chart(grid.centres)
    speed = float(np.sqrt((data.world**2).sum(axis=1).mean()))
    inverse = np.linalg.inv(world_from_chart)
    return VelocityProblem(grid, surface, data, world_from_chart, inverse, speed)


def smoothness_rows(problem: VelocityProblem) -> sp.csr_matrix:
    """Give the rows whose square is the Dirichlet energy of V (2N unknowns, V interleaved)."""
    weights = edge_weights(problem)
    count = len(problem.grid.cells)
    parts = [_differences(problem.grid.neighbours(axis), weights[axis], count) for axis in (0, 1)]
    return sp.csr_matrix(sp.kron(sp.vstack(parts), sp.eye(2)))


def edge_weights(problem: VelocityProblem) -> Float[np.ndarray, "2 N"]:
    """Give what a difference to the next cell along x and y costs: area / distance^2 in world."""
    area = np.abs(np.linalg.det(problem.world_from_chart))
    return area / (problem.world_from_chart**2).sum(axis=1).T


def hint_rows(problem: VelocityProblem) -> tuple[sp.csr_matrix, Float[np.ndarray, "M"]]:
    """Give the rows and targets of the hints: chart velocity relative to the hint's own there."""
    cells = problem.data.cells
    blocks = problem.chart_from_world[cells]
    wanted = np.einsum("sij,sj->si", blocks, problem.data.world)
    size = np.linalg.norm(wanted, axis=1)
    scale = np.sqrt(HINT_WEIGHT) / size
    rows = cell_rows(blocks * (problem.speed * scale)[:, None, None], cells, problem)
    return rows, (wanted * scale[:, None]).ravel()


def bank_rows(problem: VelocityProblem, cells: Int[np.ndarray, "B"], price: float) -> sp.csr_matrix:
    """Give a row per cell at a bank: V's part across the bank.

    Args:
        price: of a bank as long as the region is wide.
    """
    across = np.sqrt(price / problem.grid.width) * problem.bank_normals()[cells]
    return cell_rows(across[:, None], cells, problem)


def cell_rows(
    blocks: Float[np.ndarray, "S R 2"], cells: np.ndarray, problem: VelocityProblem
) -> sp.csr_matrix:
    """Make sparse rows out of R x 2 blocks that act on the V of single cells."""
    samples, per_cell = blocks.shape[:2]
    rows = np.repeat(np.arange(samples * per_cell), 2)
    columns = (2 * cells[:, None, None] + np.arange(2)).repeat(per_cell, axis=1).ravel()
    shape = (samples * per_cell, 2 * len(problem.grid.cells))
    return sp.csr_matrix((blocks.ravel(), (rows, columns)), shape=shape)


def solve_rows(
    parts: Sequence[sp.spmatrix], targets: Float[np.ndarray, "M"]
) -> Float[np.ndarray, "U"]:
    """Solve min |rows x - targets|^2 by the scaled normal equations, directly.

    Args:
        parts: rows with the same unknowns; what comes after the targets has the target 0.
    """
    rows = sp.csr_matrix(sp.vstack(parts))
    right = rows[: len(targets)].T @ targets
    normal = (rows.T @ rows).tocsc()
    scale = 1.0 / np.sqrt(np.maximum(normal.diagonal(), np.finfo(float).tiny))
    scaling = sp.diags(scale)
    matrix = (scaling @ normal @ scaling + REGULARITY * sp.eye(normal.shape[0])).tocsc()
    factors = splu(
        matrix,
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    return scale * factors.solve(scale * right)


def _differences(pairs: np.ndarray, weights: np.ndarray, count: int) -> sp.csr_matrix:
    root = np.sqrt(0.5 * (weights[pairs[:, 0]] + weights[pairs[:, 1]]))
    rows = np.arange(len(pairs)).repeat(2)
    values = (root[:, None] * np.array([-1.0, 1.0])).ravel()
    return sp.csr_matrix((values, (rows, pairs.ravel())), shape=(len(pairs), count))
