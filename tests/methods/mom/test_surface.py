import numpy as np
import pytest
import torch

from fourfold.geometry import Camera
from fourfold.methods.mom.surface import fit_surface

CAMERA = Camera.from_fov(60, 40, 50.0)


def _ground() -> tuple[np.ndarray, np.ndarray]:
    """Give mask and depth of the ground one unit below a level camera, from row 25 on."""
    mask = np.zeros((40, 60), dtype=bool)
    mask[25:] = True
    rows = np.arange(40) + 0.5
    depth = CAMERA.focal[1] / np.maximum(rows - 20.0, 0.5)
    return mask, np.repeat(depth[:, None], 60, axis=1)


def test_the_ground_one_unit_below_the_camera() -> None:
    surface = fit_surface(*_ground(), CAMERA, sky=False)
    assert surface.coefficients == pytest.approx([0.0, 1.0, 0.0], abs=1e-6)
    assert surface.kind == "ground"
    assert surface.error < 1e-6


def test_a_rock_does_not_tilt_the_plane() -> None:
    mask, depth = _ground()
    depth[28:34, 20:30] *= 0.5
    surface = fit_surface(mask, depth, CAMERA, sky=False)
    assert surface.coefficients == pytest.approx([0.0, 1.0, 0.0], abs=0.02)


def test_world_from_chart_is_the_derivative_of_the_plane_point() -> None:
    surface = fit_surface(*_ground(), CAMERA, sky=False)
    pixels = np.array([[12.0, 33.0]])

    def point(place: np.ndarray) -> np.ndarray:
        direction = CAMERA.directions(torch.from_numpy(place)).numpy()
        return direction / surface.inverse_depth(place)[:, None]

    step = 1e-4
    for axis, matrix in enumerate(surface.world_from_chart(pixels)[0].T):
        shift = step * np.eye(2)[axis]
        slope = (point(pixels + shift) - point(pixels - shift))[0] / (2 * step)
        assert surface.tangents @ slope == pytest.approx(matrix, rel=1e-4, abs=1e-6)


def test_a_wall_is_upright_and_the_sky_faces_the_camera() -> None:
    mask = np.ones((40, 60), dtype=bool)
    assert fit_surface(mask, np.full((40, 60), 3.0), CAMERA, sky=False).kind == "upright"
    sky = fit_surface(mask, np.full((40, 60), 1000.0), CAMERA, sky=True)
    assert (sky.kind, sky.coefficients.tolist()) == ("sky", [0.0, 0.0, 0.001])


def test_a_single_pixel_gets_a_facing_plane_and_the_horizon_a_limit() -> None:
    mask, depth = _ground()
    one = np.zeros_like(mask)
    one[30, 30] = True
    assert fit_surface(one, depth, CAMERA, sky=False).kind == "upright"
    surface = fit_surface(mask, depth, CAMERA, sky=False)
    nearest = float((1.0 / depth[mask]).max())
    assert surface.inverse_depth(np.array([[30.0, 5.0]]))[0] == pytest.approx(0.01 * nearest)
