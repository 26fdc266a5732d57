"""Joint refinement of all frames of a clip at once, for several models of the camera.

Own. Frame t's pixels are x_t ~ A_t r with a 3x3 matrix A_t and the rays r of the reference
frame; a match (i, j) asks x_j = A_j A_i^-1 x_i. A small left change (I + G) A_t moves the
prediction by G_j y - A_j A_i^-1 G_i x_i, so every model is told by its generators G: eight
elementary matrices for a free homography; K [e]_x K^-1 for a rotation; diag(1, 1, 0) for zoom;
diag(1, 0, 0) and diag(0, 1, 0), shared by all frames, for the focal lengths. Gauss-Newton with
damping and Geman-McClure weights, the first frame held.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.estimators.registration import PairMatches

# Robust scale in pixels, from wide to the size of what KLT gets wrong.
ROBUST_PIXELS = (8.0, 4.0, 2.0, 1.0)
STEPS_PER_SCALE = 5
SETTLED_PIXELS = 2e-3  # a step below this changes nothing that KLT could measure
DAMPING = 1e-6  # of the mean diagonal: only keeps frames without matches where they are
# Priors, as standard deviations, against what short clips leave undetermined.
FOCAL_DEVIATION = 0.5  # of log fx and of log fy
ZOOM_DEVIATION = 0.5  # of the log zoom of a frame
# Matches of one pair err together (parallax, rolling shutter): they count as so many at most.
INDEPENDENT_MATCHES = 20


@dataclass(frozen=True)
class FreeMotion:
    """A homography per frame, image coordinates centred and divided by half the longer side."""

    matrices: Float[Tensor, "T 3 3"]

    num_local, num_shared = 8, 0

    def generators(self) -> Float[Tensor, "T 8 3 3"]:
        """Give the ways in which each frame may move."""
        elementary = torch.eye(9, dtype=torch.float64)[:8].reshape(8, 3, 3)
        return elementary.expand(len(self.matrices), 8, 3, 3)

    def moved(self, local: Float[Tensor, "T 8"], shared: Float[Tensor, " 0"]) -> "FreeMotion":
        """Apply a step."""
        step = torch.einsum("tg,tgij->tij", local, self.generators())
        matrices = torch.linalg.matrix_exp(step) @ self.matrices
        # any scale is the same map; by the determinant it stays finite beyond 90 degrees too
        return FreeMotion(matrices / torch.linalg.det(matrices).abs()[:, None, None] ** (1 / 3))

    def prior(self) -> tuple[Tensor, Tensor]:
        """Give no opinion: value and precision of each unknown, zero."""
        nothing = torch.zeros(len(self.matrices) * 8, dtype=torch.float64)
        return nothing, nothing


@dataclass(frozen=True)
class TurningCamera:
    """A camera that turns on the spot: rotations, and focal lengths shared or zooming.

    log_focal: (2,) log of fx and fy over half the longer side; prior_log_focal: where they are
    expected. `fit_focal` and `fit_zoom` say what may change besides the rotations.
    """

    rotations: Float[Tensor, "T 3 3"]
    log_focal: Float[Tensor, "2"]
    log_zoom: Float[Tensor, " T"]
    prior_log_focal: Float[Tensor, "2"]
    fit_focal: bool = False
    fit_zoom: bool = False

    @property
    def num_local(self) -> int:
        """Number of unknowns of each frame."""
        return 4 if self.fit_zoom else 3

    @property
    def num_shared(self) -> int:
        """Number of unknowns that all frames share."""
        return 2 if self.fit_focal else 0

    @property
    def calibrations(self) -> Float[Tensor, "T 3 3"]:
        """Intrinsics of each frame in normalised coordinates."""
        focal = torch.exp(self.log_focal + self.log_zoom[:, None])
        return torch.diag_embed(torch.cat([focal, torch.ones_like(focal[:, :1])], dim=-1))

    @property
    def matrices(self) -> Float[Tensor, "T 3 3"]:
        """Pixels of each frame from rays of the first."""
        return self.calibrations @ self.rotations

    def generators(self) -> Float[Tensor, "T G 3 3"]:
        """Give the ways in which each frame may move: local ones first, then shared ones."""
        k = self.calibrations[:, None]
        turns = k @ cross_matrices(torch.eye(3, dtype=torch.float64)) @ torch.linalg.inv(k)
        ways = [turns]
        diagonals = torch.diag_embed(
            torch.tensor([[1, 1, 0], [1, 0, 0], [0, 1, 0]], dtype=torch.float64)
        ).expand(len(turns), 3, 3, 3)
        if self.fit_zoom:
            ways.append(diagonals[:, :1])
        if self.fit_focal:
            ways.append(diagonals[:, 1:])
        return torch.cat(ways, dim=1)

    def moved(self, local: Float[Tensor, "T L"], shared: Float[Tensor, " S"]) -> "TurningCamera":
        """Apply a step."""
        turn = torch.linalg.matrix_exp(cross_matrices(local[:, :3]))
        return replace(
            self,
            rotations=turn @ self.rotations,
            log_zoom=self.log_zoom + local[:, 3] if self.fit_zoom else self.log_zoom,
            log_focal=self.log_focal + shared if self.fit_focal else self.log_focal,
        )

    def prior(self) -> tuple[Tensor, Tensor]:
        """Give the pull (gradient) towards the expected lens, and its precision, per unknown."""
        local = torch.zeros(len(self.rotations), self.num_local, dtype=torch.float64)
        local_precision = torch.zeros_like(local)
        if self.fit_zoom:
            local[:, 3] = -self.log_zoom / ZOOM_DEVIATION**2
            local_precision[:, 3] = 1 / ZOOM_DEVIATION**2
        shared = (self.prior_log_focal - self.log_focal)[: self.num_shared]
        precision = torch.full_like(shared, 1 / FOCAL_DEVIATION**2)
        pull = torch.cat([local.flatten(), shared * precision])
        return pull, torch.cat([local_precision.flatten(), precision])


Model = FreeMotion | TurningCamera
M = TypeVar("M", FreeMotion, TurningCamera)


def cross_matrices(vectors: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Give the matrices of the cross product from the left."""
    x, y, z = vectors.unbind(-1)
    zero = torch.zeros_like(x)
    rows = [zero, -z, y, z, zero, -x, -y, x, zero]
    return torch.stack(rows, dim=-1).reshape(*vectors.shape[:-1], 3, 3)


def refine(model: M, pairs: Sequence[PairMatches], half_size: float) -> M:
    """Move all frames to where the matches agree best.

    Args:
        model: the start.
        pairs: matches in normalised coordinates.
        half_size: pixels per normalised unit, which makes the robust scales pixels.
    """
    for pixels in ROBUST_PIXELS:
        for _ in range(STEPS_PER_SCALE):
            local, shared = _gauss_newton_step(model, pairs, pixels / half_size)
            model = model.moved(local, shared)
            if float(local.abs().max()) * half_size < SETTLED_PIXELS:
                break
    return model


def residuals(model: Model, pair: PairMatches) -> Float[Tensor, " M"]:
    """Measure how far from each match the model puts it, in the matches' units."""
    transfer = model.matrices[pair.second] @ torch.linalg.inv(model.matrices[pair.first])
    predicted = _homogeneous(pair.points.source) @ transfer.T
    return (pair.points.target - predicted[:, :2] / predicted[:, 2:]).norm(dim=-1)


def _gauss_newton_step(
    model: Model, pairs: Sequence[PairMatches], scale: float
) -> tuple[Float[Tensor, "T L"], Float[Tensor, " S"]]:
    frames, local, shared = len(model.matrices), model.num_local, model.num_shared
    size = frames * local + shared
    normal = torch.zeros(size, size, dtype=torch.float64)
    gradient = torch.zeros(size, dtype=torch.float64)
    generators, matrices = model.generators(), model.matrices
    for pair in pairs:
        if len(pair.points) == 0:
            continue
        jacobian, error = _linearise(matrices, generators, local, pair)
        weight = (1 + (error.norm(dim=-1) / scale) ** 2) ** -2  # Geman-McClure
        weight = weight * min(1.0, INDEPENDENT_MATCHES / len(weight)) / scale**2
        weighted = jacobian * weight[:, None, None]
        where = _unknowns(pair, frames, local, shared)
        block = torch.einsum("mau,mav->uv", weighted, jacobian)
        normal[where[:, None], where[None, :]] += block
        gradient[where] += torch.einsum("mau,ma->u", weighted, error)
    pull, precision = model.prior()
    normal += torch.diag(precision)
    gradient += pull
    normal += DAMPING * (normal.diagonal().mean() + 1e-12) * torch.eye(size, dtype=torch.float64)
    step = torch.zeros(size, dtype=torch.float64)
    step[local:] = torch.linalg.solve(normal[local:, local:], gradient[local:])  # first frame held
    return step[: frames * local].reshape(frames, local), step[frames * local :]


def _linearise(
    matrices: Tensor, generators: Tensor, local: int, pair: PairMatches
) -> tuple[Float[Tensor, "M 2 U"], Float[Tensor, "M 2"]]:
    """Give the derivatives by (locals of first, locals of second, shared) and the error."""
    source = _homogeneous(pair.points.source)
    transfer = matrices[pair.second] @ torch.linalg.inv(matrices[pair.first])
    y = source @ transfer.T
    prediction = y[:, :2] / y[:, 2:]
    by_second = torch.einsum("gij,mj->mig", generators[pair.second], y)
    by_first = -torch.einsum("ik,gkj,mj->mig", transfer, generators[pair.first], source)
    project = torch.zeros(len(y), 2, 3, dtype=torch.float64)
    project[:, 0, 0] = project[:, 1, 1] = 1 / y[:, 2]
    project[:, :, 2] = -prediction / y[:, 2:]
    by_first, by_second = project @ by_first, project @ by_second
    both = by_first[..., local:] + by_second[..., local:]
    jacobian = torch.cat([by_first[..., :local], by_second[..., :local], both], dim=-1)
    return jacobian, pair.points.target - prediction


def _unknowns(pair: PairMatches, frames: int, local: int, shared: int) -> Tensor:
    common = torch.arange(shared) + frames * local
    first = torch.arange(local) + pair.first * local
    second = torch.arange(local) + pair.second * local
    return torch.cat([first, second, common])


def _homogeneous(points: Tensor) -> Tensor:
    return torch.cat([points, torch.ones_like(points[:, :1])], dim=-1)
