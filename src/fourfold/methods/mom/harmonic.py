"""Harmonic velocity: the smoothest world velocity on the plane that follows the hints.

Minimises the Dirichlet energy of V with natural boundaries. A price on flow through the banks turns
the flow along them; it would also slow it down, all the more the farther from a hint, so that
solution gives the direction only, and the one without the price the speed. Own.
"""

import numpy as np
from jaxtyping import Float

from fourfold.methods.mom.least_squares import (
    VelocityProblem,
    bank_rows,
    hint_rows,
    smoothness_rows,
    solve_rows,
)

# Price of flow through a bank as long as the region is wide, against smoothness.
BANK_PRICE = 0.3
# Where banks leave less than this share of the speed, they make a point of rest.
RESTING = 0.1


def solve_harmonic(
    problem: VelocityProblem, bank_price: float = BANK_PRICE
) -> Float[np.ndarray, "N 2"]:
    """Solve for the world velocity of each cell, in the plane's tangents."""
    hints, targets = hint_rows(problem)
    rows = [hints, smoothness_rows(problem)]
    free = solve_rows(rows, targets).reshape(-1, 2)
    banks = problem.grid.bank_cells()
    if bank_price == 0 or problem.surface.sky or not len(banks):
        return problem.speed * free
    rows.append(bank_rows(problem, banks, bank_price))
    along = solve_rows(rows, targets).reshape(-1, 2)
    speed = np.linalg.norm(free, axis=1, keepdims=True)
    length = np.hypot(np.linalg.norm(along, axis=1, keepdims=True), RESTING * speed)
    return problem.speed * along * (speed / np.maximum(length, np.finfo(float).tiny))
