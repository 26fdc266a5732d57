"""A closed surface from one silhouette."""

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy import sparse
from scipy.sparse.linalg import spsolve
from torch import Tensor


def inflate(mask: Bool[Tensor, "H W"], roundness: float = 1.0) -> Float[Tensor, "H W"]:
    """Inflate a silhouette like a balloon and return half its thickness in pixels.

    Own, after the Poisson inflation of sketch-based modelling: ``laplace(u) = -4`` inside and
    ``u = 0`` outside makes ``sqrt(u)`` a hemisphere over a disc. Over a long limb it is too thick
    by ``sqrt(2)``, so the height is scaled until its ridge has, in the median, the height of the
    distance to the outline there: a limb is as thick as it is wide, times ``roundness``.

    Shapes: mask (H,W) -> (H,W), zero outside the mask. An empty mask gives zeros.
    """
    inside = np.pad(mask.cpu().numpy(), 1)
    if not inside.any():
        return torch.zeros(mask.shape)
    height = np.sqrt(np.maximum(_solve_poisson(inside), 0.0))
    distance = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    ridge = inside & (distance == cv2.dilate(distance, np.ones((5, 5)))) & (distance > 1)
    if ridge.any():
        height *= np.median(distance[ridge] / height[ridge])
    return torch.from_numpy(height[1:-1, 1:-1].astype(np.float32)) * roundness


def _solve_poisson(inside: np.ndarray) -> np.ndarray:
    """Solve ``laplace(u) = -4`` on the five-point stencil with ``u = 0`` outside."""
    number = np.full(inside.shape, -1)
    number[inside] = np.arange(inside.sum())
    rows, columns = [], []
    for axis, shift in ((0, 1), (0, -1), (1, 1), (1, -1)):
        neighbour = np.roll(number, shift, axis)
        both = inside & (neighbour >= 0)
        rows.append(number[both])
        columns.append(neighbour[both])
    size = int(inside.sum())
    row, column = np.concatenate(rows), np.concatenate(columns)
    links = sparse.csr_array((np.ones(len(row)), (row, column)), shape=(size, size))
    solution = np.zeros(inside.shape)
    stencil = (4.0 * sparse.eye_array(size) - links).tocsc()
    solution[inside] = np.asarray(spsolve(stencil, np.full(size, 4.0)))
    return solution
