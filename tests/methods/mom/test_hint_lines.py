import numpy as np
import pytest

from fourfold.capture import Hint
from fourfold.geometry import Camera
from fourfold.methods.mom.hint_lines import assign_hints, hint_data, line_pixels
from fourfold.methods.mom.region_grid import grid_of
from fourfold.methods.mom.surface import fit_surface


def test_a_line_has_a_point_per_pixel() -> None:
    points = line_pixels(Hint("hint", (1.0, 2.0), (1.0, 5.0)))
    assert points.tolist() == [[1.0, 2.0], [1.0, 3.0], [1.0, 4.0], [1.0, 5.0]]


def test_a_hint_belongs_where_most_of_its_line_lies() -> None:
    labels = np.zeros((20, 100), dtype=int)
    labels[:, :30] = 1
    labels[:, 40:80] = 2
    hints = [
        Hint("mostly right", (20.0, 10.0), (70.0, 10.0)),
        Hint("left", (2.0, 10.0), (12.0, 10.0)),
        Hint("just outside", (82.0, 5.0), (82.0, 15.0)),
        Hint("far", (95.0, 5.0), (95.0, 15.0)),
    ]
    assert assign_hints(labels, hints) == {2: (0, 2), 1: (1,)}


def test_a_hint_holds_at_its_middle_and_moves_evenly_on_the_ground() -> None:
    camera = Camera.from_fov(60, 60, 60.0)
    mask = np.zeros((60, 60), dtype=bool)
    mask[36:] = True
    rows = np.arange(60) + 0.5
    depth = np.repeat((camera.focal[1] / np.maximum(rows - 30.0, 0.5))[:, None], 60, axis=1)
    surface = fit_surface(mask, depth, camera, sky=False)
    grid = grid_of(mask)
    data = hint_data(grid, surface, [Hint("hint", (30.5, 40.5), (30.5, 50.5))])
    inverse = np.linalg.inv(surface.world_from_chart(grid.centres[data.cells]))
    chart = np.einsum("sij,sj->si", inverse, data.world)
    speeds = dict(zip(grid.centres[data.cells][:, 1].tolist(), chart[:, 1].tolist(), strict=True))
    assert speeds[45.5] == pytest.approx(0.2, rel=1e-6)
    # y speed on the ground goes as the square of the rows below the horizon.
    assert speeds[40.5] == pytest.approx(0.2 * (10.5 / 15.5) ** 2, rel=1e-5)
    assert speeds[50.5] == pytest.approx(0.2 * (20.5 / 15.5) ** 2, rel=1e-5)
