"""The background's cells and Gaussians, and what lies beyond the plate."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fourfold.geometry import project_points, unproject_pixels
from fourfold.methods.dreamscene4d.backdrop import (
    BORDER,
    FLANK,
    background_gaussians,
    continue_plate,
    split_by_detail,
)
from tests.estimators.scenes import texture
from tests.methods.dreamscene4d.clips import tiny_camera


@given(st.integers(3, 9), st.integers(3, 9), st.integers(12, 2000), st.integers(0, 5))
def test_there_are_never_more_cells_than_allowed(rows: int, columns: int, most: int, seed: int):
    largest = rows * columns  # of 16 pixels: with fewer nothing is covered
    cells = split_by_detail(texture(16 * rows, 16 * columns, seed), max(most, largest))
    assert largest <= len(cells) <= max(most, largest)


def test_a_plain_image_needs_the_largest_cells_only():
    cells = split_by_detail(torch.full((48, 64, 3), 0.4), 10_000)
    assert len(cells) == 12
    assert (cells[:, 2] == 16).all()


def test_detail_gets_the_small_cells():
    image = torch.full((64, 64, 3), 0.5)
    image[:, 32:] = texture(64, 32, finest=2)
    cells = split_by_detail(image, 300)
    right = cells[:, 0] > 32
    assert (cells[~right, 2] == 16).all()
    assert float(cells[right, 2].mean()) < 4


@pytest.mark.parametrize("shape", [(48, 64), (50, 61)])
def test_cells_tile_the_image(shape: tuple[int, int]):
    height, width = shape
    covered = torch.zeros(height + 16, width + 16)
    for x, y, size in split_by_detail(texture(*shape), 400).tolist():
        left, top = int(x - size / 2), int(y - size / 2)
        covered[top : top + int(size), left : left + int(size)] += 1
    assert (covered[:height, :width] == 1).all()


def test_gaussians_have_the_mean_colour_of_their_cells_and_lie_at_the_depth():
    camera, plate = tiny_camera(), texture(48, 64, finest=3)
    found = background_gaussians(plate, torch.full((48, 64), 4.0), camera, 500)
    cells = split_by_detail(plate, 500)
    assert len(found) == len(cells)
    pixels, depth = project_points(camera, found.means)
    torch.testing.assert_close(depth, torch.full_like(depth, 4.0))
    torch.testing.assert_close(pixels, cells[:, :2], atol=1e-3, rtol=0)
    for (x, y, size), color in zip(cells.tolist(), found.colors(), strict=True):
        left, top = int(x - size / 2), int(y - size / 2)
        mean = plate[top : top + int(size), left : left + int(size)].mean((0, 1))
        torch.testing.assert_close(color, mean, atol=1e-4, rtol=0)


def test_a_slanted_ground_is_followed():
    camera = tiny_camera()
    rows = torch.arange(48) + 0.5
    depth = (8 - rows / 12)[:, None].expand(48, 64)
    found = background_gaussians(texture(48, 64), depth, camera, 500)
    pixels, z = project_points(camera, found.means)
    # beyond the outermost pixels' centres depth is held; at a perspective step it is bilinear
    torch.testing.assert_close(z, 8 - pixels[:, 1] / 12, atol=0.05, rtol=0)


def test_the_plate_is_kept_in_the_middle_of_its_continuation():
    camera, plate = tiny_camera(), texture(48, 64)
    wide, larger = continue_plate(plate, camera)
    side, above = int(64 * BORDER) + int(64 * FLANK), int(48 * BORDER)
    assert wide.shape == (48 + 2 * above, 64 + 2 * side, 3)
    assert (larger.width, larger.height) == (64 + 2 * side, 48 + 2 * above)
    assert torch.equal(wide[above : above + 48, side : side + 64], plate)
    point = unproject_pixels(camera, torch.tensor([[10.0, 20.0]]), torch.tensor([3.0]))
    seen, _ = project_points(larger, point)
    torch.testing.assert_close(seen, torch.tensor([[10.0 + side, 20.0 + above]]))


def test_the_continuation_mirrors_what_was_filmed():
    plate = torch.full((48, 64, 3), 0.2)
    plate[:, 40:] = 0.8
    wide, _ = continue_plate(plate, tiny_camera())
    middle, left = wide.shape[0] // 2, (wide.shape[1] - 64) // 2
    # 20 pixels beyond the right edge lies what is 20 before it: bright; beyond the left edge, dark
    assert float(wide[middle, left + 64 + 10, 0]) == pytest.approx(0.8, abs=1e-4)
    assert float(wide[middle, left - 10, 0]) == pytest.approx(0.2, abs=1e-4)
