"""Holes, filled pixels and consistency, on scenes that can be worked out by hand."""

from dataclasses import replace

import pytest
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.geometry import Camera
from fourfold.methods.mom.finish import FILLED
from fourfold.methods.mom.path_scores import (
    PLACES,
    path_cameras,
    score_consistency,
    score_paths,
)
from fourfold.scene import LANDSCAPE_PATHS, Gaussians, Scene, SceneObject, StaticMotion
from tests.loops import loop_scene

WIDTH, HEIGHT, FOCAL, DEPTH = 64, 48, 48.0, 8.0
MARGIN = 6
# What stands for 1 in the paths, at a depth of 8: see `landscape_path`.
UNIT = 30.0 / 1280.0 * WIDTH * DEPTH / (FOCAL * 0.09)


def _camera() -> Camera:
    matrix = [[FOCAL, 0.0, WIDTH / 2], [0.0, FOCAL, HEIGHT / 2], [0.0, 0.0, 1.0]]
    return Camera(torch.eye(4), torch.tensor(matrix), WIDTH, HEIGHT)


def _pixels() -> Float[Tensor, "H W 2"]:
    """Give the middles of pixels of the picture and of 6 on each side."""
    y, x = torch.meshgrid(
        torch.arange(-MARGIN, HEIGHT + MARGIN), torch.arange(-MARGIN, WIDTH + MARGIN), indexing="ij"
    )
    return torch.stack((x, y), dim=-1) + 0.5


def _inside(columns: tuple[int, int], rows: tuple[int, int]) -> Bool[Tensor, "H W"]:
    x, y = _pixels().unbind(-1)
    return (x > columns[0]) & (x < columns[1]) & (y > rows[0]) & (y < rows[1])


def _wall(present: Bool[Tensor, "H W"]) -> Gaussians:
    """Make a wall that faces the camera, a Gaussian per pixel."""
    plane = (_pixels()[present] - torch.tensor([WIDTH / 2, HEIGHT / 2])) / FOCAL
    means = DEPTH * torch.nn.functional.pad(plane, (0, 1), value=1.0)
    count = len(means)
    return Gaussians.from_colors(
        means,
        torch.full((count, 3), 0.5),
        torch.full((count, 1), 0.6 * DEPTH / FOCAL),
        torch.full((count,), 0.99),
    )


def _scene(**walls: Bool[Tensor, "H W"]) -> Scene:
    objects = [SceneObject(name, _wall(mask), StaticMotion()) for name, mask in walls.items()]
    return Scene(objects, [_camera()] * 3, period=3.0)


EVERYWHERE = torch.ones(HEIGHT + 2 * MARGIN, WIDTH + 2 * MARGIN, dtype=torch.bool)


def test_a_whole_wall_has_no_holes():
    record = score_paths(_scene(background=EVERYWHERE))
    assert record["holes"] == 0.0


def test_beyond_the_photo_all_is_invented():
    # the circle begins 0.09 farther away, which shows the most from beyond the photo
    record = score_paths(_scene(background=EVERYWHERE))
    shrunk = DEPTH / (DEPTH + 0.09 * UNIT)
    assert record["invented"] == pytest.approx(1.0 - shrunk**2, rel=0.15)


def test_a_hole_is_largest_where_the_camera_is_nearest():
    hole = _inside((24, 40), (18, 30))
    record = score_paths(_scene(background=EVERYWHERE & ~hole))
    enlarged = DEPTH / (DEPTH - 0.24 * UNIT)
    # footprints reach two thirds of a pixel into it from each side
    area = (16 * enlarged - 1.3) * (12 * enlarged - 1.3)
    assert record["holes"] == pytest.approx(area / (WIDTH * HEIGHT), rel=0.05)


def test_what_was_filled_in_counts_where_it_is_seen():
    patch = _inside((24, 40), (18, 30))
    record = score_paths(_scene(background=EVERYWHERE & ~patch, filled=patch))
    assert record["holes"] == 0.0
    shrunk = DEPTH / (DEPTH + 0.09 * UNIT)
    share = 16 * 12 / (WIDTH * HEIGHT)
    assert record["invented"] == pytest.approx(1.0 - shrunk**2 * (1.0 - share), rel=0.1)
    assert FILLED == "filled"


def test_what_is_hidden_does_not_count():
    scene = _scene(background=EVERYWHERE, filled=_inside((24, 40), (18, 30)))
    behind = replace(scene.objects[1].geometry, means=1.5 * scene.objects[1].geometry.means)
    hidden = replace(scene, objects=[scene.objects[0], replace(scene.objects[1], geometry=behind)])
    alone = score_paths(_scene(background=EVERYWHERE))["invented"]
    assert score_paths(hidden)["invented"] == pytest.approx(alone, abs=2e-3)


def test_each_picture_is_counted():
    steps = []
    score_paths(_scene(background=EVERYWHERE), lambda: steps.append(1))
    assert len(steps) == PLACES * len(LANDSCAPE_PATHS)
    assert len(path_cameras(_scene(background=EVERYWHERE), "side")) == PLACES


def test_the_flow_of_one_field_in_space_is_one_in_all_views():
    # the stream moves by a pixel; the pictures are small for an estimate of flow
    assert score_consistency(loop_scene())["flow_epe"] < 0.5


def test_where_nothing_loops_there_is_no_consistency_to_measure():
    assert score_consistency(_scene(background=EVERYWHERE)) == {}
