"""Surface Gaussians: covariances worked out from the steps of the grid."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from fourfold.geometry import quaternion_to_matrix
from fourfold.methods.dreamscene4d.surfels import FLATNESS, OPACITY, cover_surface
from fourfold.scene import Gaussians

STEP = st.tuples(*[st.floats(-2, 2)] * 3)


def covariance(gaussians: Gaussians) -> Tensor:
    rotation = quaternion_to_matrix(
        torch.nn.functional.normalize(gaussians.quaternions.double(), dim=-1)
    )
    spread = rotation * gaussians.scales.double()[:, None]
    return spread @ spread.mT


def cover(step_u: Tensor, step_v: Tensor, stretch: float = 1e6, coverage: float = 1.0):
    points, colors = torch.zeros(1, 3), torch.full((1, 3), 0.25)
    return cover_surface(points, step_u[None], step_v[None], colors, stretch, coverage)


def test_a_grid_of_rectangles_gives_axes_of_half_and_full_width():
    found = cover(torch.tensor([2.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.0]), coverage=0.5)
    # (0.5 * 2)^2, (0.5 * 1)^2, and the thickness (0.5 * 0.15)^2
    expected = torch.diag(torch.tensor([1.0, 0.25, (0.5 * FLATNESS) ** 2], dtype=torch.float64))
    torch.testing.assert_close(covariance(found)[0], expected, atol=1e-5, rtol=0)


def test_a_long_gaussian_is_shortened():
    steps = torch.tensor([9.0, 0.0, 0.0]), torch.tensor([0.0, 0.0, 1.0])
    found = cover(*steps, stretch=3.0)
    expected = torch.diag(torch.tensor([9.0, FLATNESS**2, 1.0], dtype=torch.float64))
    torch.testing.assert_close(covariance(found)[0], expected, atol=1e-4, rtol=0)


@given(STEP, STEP)
def test_sheared_and_slanted_grids_are_covered(u, v):
    u, v = torch.tensor(u, dtype=torch.float64), torch.tensor(v, dtype=torch.float64)
    normal = torch.linalg.cross(u, v)
    if normal.norm() < 0.2:  # steps along one line span no surface
        return
    normal = normal / normal.norm()
    in_plane = torch.outer(u, u) + torch.outer(v, v)
    narrow = torch.linalg.eigvalsh(in_plane)[1].sqrt()
    expected = in_plane + (FLATNESS * narrow) ** 2 * torch.outer(normal, normal)
    torch.testing.assert_close(
        covariance(cover(u.float(), v.float()))[0], expected, atol=1e-3, rtol=1e-3
    )


def test_colours_opacities_and_places_are_kept():
    found = cover(torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.0]))
    torch.testing.assert_close(found.colors(), torch.full((1, 3), 0.25))
    torch.testing.assert_close(found.opacities, torch.tensor([OPACITY]))
    assert not found.means.any()


def test_steps_without_extent_give_finite_gaussians():
    found = cover(torch.zeros(3), torch.zeros(3))
    assert all(torch.isfinite(tensor).all() for tensor in found.tensors().values())
