"""Divergence-free velocity from a stream function on the plane.

The stream function psi lives on the cells' corners; V = rot psi on the plane, so what flows into a
cell flows out of it, exactly and in world units: a river runs faster where it narrows. The energy
is the flow's vorticity, of second order in psi, with a little of the harmonic solver's: the flow
that follows the hints with the least eddies. Banks are streamlines, but a river's drawn end is no
bank: where the harmonic flow meets the region's end steeply, it is open, as the chart's borders
are. Own.
"""

import cv2
import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

from fourfold.methods.mom.least_squares import (
    VelocityProblem,
    bank_rows,
    hint_rows,
    smoothness_rows,
    solve_rows,
)
from fourfold.methods.mom.region_grid import BANK_BLUR

# Price of flow through a closed bank as long as the region is wide, against vorticity.
BANK_PRICE = 300.0
# Weights of the Dirichlet energy beside the vorticity's, and of psi's chequered part, which no cell
# sees and which only has to vanish.
STIFFNESS = 0.03
EVENNESS = 0.001
# A bank is open where the flow meets it at more than this angle, in the world.
OPEN_ANGLE = 60.0


def solve_stream(
    problem: VelocityProblem, harmonic: Float[np.ndarray, "N 2"]
) -> Float[np.ndarray, "N 2"]:
    """Solve for the world velocity of each cell, in the plane's tangents.

    Args:
        harmonic: the harmonic solution, which tells the openings.
    """
    velocity = _velocity_rows(problem)
    hints, targets = hint_rows(problem)
    closed = _closed_cells(problem, harmonic)
    rows = [
        hints @ velocity,
        _vorticity_rows(problem) @ velocity,
        np.sqrt(STIFFNESS) * smoothness_rows(problem) @ velocity,
        np.sqrt(EVENNESS) * _twist_rows(problem),
        bank_rows(problem, closed, BANK_PRICE) @ velocity,
    ]
    return problem.speed * (velocity @ solve_rows(rows, targets)).reshape(-1, 2)


def vorticity(problem: VelocityProblem, cells: Float[np.ndarray, "N 2"]) -> float:
    """Integrate a flow's squared vorticity over the plane, in units of the hints' squared speed."""
    relative = (cells / problem.speed).ravel()
    return float(((_vorticity_rows(problem) @ relative) ** 2).sum())


def _closed_cells(problem: VelocityProblem, harmonic: np.ndarray) -> Int[np.ndarray, "B"]:
    """Find the cells on banks, but not those where a flow would meet the bank steeply.

    An opening's own corners are open too: the smoothed bank is slanted there. Islands are closed.
    """
    grid = problem.grid
    banks = grid.bank_cells()
    normals, flow = problem.bank_normals()[banks], harmonic[banks]
    through = np.abs((normals * flow).sum(axis=1))
    steep = through > np.sin(np.radians(OPEN_ANGLE)) * np.linalg.norm(flow, axis=1)
    openings = np.zeros(grid.inside.shape, dtype=np.uint8)
    island = grid.island_cells()[banks]
    openings[tuple(grid.cells[banks[steep & ~island]].T)] = 1
    openings = cv2.dilate(openings, np.ones((3, 3), np.uint8), iterations=int(2 * BANK_BLUR))
    return banks[island | (openings[tuple(grid.cells[banks].T)] == 0)]


def _velocity_rows(problem: VelocityProblem) -> sp.csr_matrix:
    """Map psi at the corners to V at the cells: V = A (d psi/dy, -d psi/dx) / area."""
    corners, count = problem.grid.corners()
    cells = len(corners)
    half = 0.5 / problem.grid.step
    slopes = half * np.array([[-1.0, -1.0, 1.0, 1.0], [1.0, -1.0, 1.0, -1.0]])
    per_area = problem.world_from_chart / _area(problem)[:, None, None]
    values = per_area @ slopes
    rows = np.arange(2 * cells).repeat(4)
    columns = corners.repeat(2, axis=0).ravel()
    return sp.csr_matrix((values.ravel(), (rows, columns)), shape=(2 * cells, count))


def _vorticity_rows(problem: VelocityProblem) -> sp.csr_matrix:
    """Give a row per corner between four cells: circulation around it / sqrt(area).

    The circulation is that of the chart covector A^T V, so it is the plane's own.
    """
    grid = problem.grid
    four = grid.index[:-1, :-1], grid.index[:-1, 1:], grid.index[1:, :-1], grid.index[1:, 1:]
    around = np.stack([part.ravel() for part in four], axis=1)
    around = around[(around >= 0).all(axis=1)]
    signs = 0.5 * np.array([[1.0, -1.0], [1.0, 1.0], [-1.0, -1.0], [-1.0, 1.0]])
    # Along x above the corner to the right, below it to the left; along y right down, left up.
    tangent = np.einsum("ck,nclk->ncl", signs, problem.world_from_chart[around])
    values = tangent / np.sqrt(_area(problem)[around].mean(axis=1))[:, None, None]
    rows = np.arange(len(around)).repeat(8)
    columns = (2 * around[:, :, None] + np.arange(2)).ravel()
    shape = (len(around), 2 * len(grid.cells))
    return sp.csr_matrix((values.ravel(), (rows, columns)), shape=shape)


def _twist_rows(problem: VelocityProblem) -> sp.csr_matrix:
    """Give the price of psi's mixed difference in each cell, that V at its centre does not see."""
    corners, count = problem.grid.corners()
    scale = 1.0 / (problem.grid.step * np.sqrt(_area(problem)))
    values = scale[:, None] * np.array([1.0, -1.0, -1.0, 1.0])
    rows = np.arange(len(corners)).repeat(4)
    shape = (len(corners), count)
    return sp.csr_matrix((values.ravel(), (rows, corners.ravel())), shape=shape)


def _area(problem: VelocityProblem) -> Float[np.ndarray, "N"]:
    return np.abs(np.linalg.det(problem.world_from_chart))
