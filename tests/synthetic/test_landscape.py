"""A photographed landscape agrees with its truth: depth, motion, drawing, views."""

import json

import numpy as np
import pytest
import torch
from torch.nn.functional import grid_sample

from fourfold.capture import open_capture
from fourfold.errors import UsageError
from fourfold.geometry import project_points, unproject_pixels
from fourfold.synthetic import Storage, synthesize
from fourfold.synthetic.skies import Sky

WIDTH, HEIGHT = 96, 54


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("mitsuba")
    out = tmp_path_factory.mktemp("valley") / "a"
    storage = Storage(novel_every=2)
    return synthesize("valley", out, width=WIDTH, height=HEIGHT, samples=16, storage=storage)


@pytest.fixture(scope="module")
def capture(folder):
    return open_capture(folder)


@pytest.fixture(scope="module")
def truth(capture):
    return capture.landscape_truth


def test_the_photo_has_a_camera_regions_and_hints_but_no_truth(capture):
    assert capture.layout == "photo"
    assert (capture.width, capture.height) == (WIDTH, HEIGHT)
    assert {"image", "mask", "camera", "hint"} <= capture.channels
    assert "depth" not in capture.channels
    assert {"motion_river", "motion_clouds", "sky", "vertical_mountains"} <= set(
        capture.object_names
    )
    camera = capture.camera(0)
    torch.testing.assert_close(camera.camera_from_world, torch.eye(4))
    assert camera.vertical_fov == pytest.approx(45.0)


def test_drawn_regions_are_those_of_the_truth(capture, truth):
    masks = dict(zip(capture.object_names, capture.masks(0), strict=True))
    regions = truth.regions()
    for drawn, true in (("motion_river", "river"), ("sky", "sky"), ("motion_clouds", "sky")):
        both, either = masks[drawn] & regions[true], masks[drawn] | regions[true]
        assert both.sum() > 0.93 * either.sum()


def test_every_pixel_is_in_one_region_and_only_the_sky_is_infinite(truth):
    regions = truth.regions()
    assert (torch.stack(list(regions.values())).sum(0) == 1).all()
    assert torch.equal(truth.depth().isinf(), truth.sky())


def test_water_lies_in_its_plane_a_unit_below_the_camera(capture, truth):
    camera, river = capture.camera(0), truth.regions()["river"]
    points = unproject_pixels(camera, camera.pixel_grid(), truth.depth())
    height = points[river] @ truth.up
    torch.testing.assert_close(height, torch.full_like(height, -1.0), atol=2e-3, rtol=0)


def test_motion_is_the_projection_of_the_scene_flow(capture, truth):
    camera, river = capture.camera(0), truth.regions()["river"]
    points = unproject_pixels(camera, camera.pixel_grid(), truth.depth())[river]
    flow, step = truth.scene_flow()[river], 0.05
    before, _ = project_points(camera, points - step * flow)
    after, _ = project_points(camera, points + step * flow)
    slide = (after - before) / (2 * step)
    torch.testing.assert_close(slide, truth.motion()[river], atol=2e-3, rtol=2e-3)
    # tangent to the water's plane
    assert (flow @ truth.up).abs().max() < 1e-6


def test_only_river_and_clouds_move(truth):
    regions = truth.regions()
    moving = regions["river"] | regions["sky"]
    assert (truth.motion()[~moving] == 0).all()
    assert (truth.motion()[moving].norm(dim=-1) > 0).all()


def test_hints_are_on_the_truth_near_and_far(capture, truth):
    regions = truth.regions()
    of_river = [hint for hint in capture.hints if _truth_at(hint, regions["river"])]
    of_sky = [hint for hint in capture.hints if _truth_at(hint, regions["sky"])]
    assert len(of_river) >= 4
    assert len(of_sky) >= 2
    assert len(of_river) + len(of_sky) == len(capture.hints)
    for hint in capture.hints:
        expected = _truth_at(hint, truth.motion())
        np.testing.assert_allclose(hint.velocity, expected, atol=2e-3)
    depths = [float(_truth_at(hint, truth.depth())) for hint in of_river]
    assert min(depths) < 3.5
    assert max(depths) > 5.5


def _truth_at(hint, values):
    x, y = (int((a + b) / 2) for a, b in zip(hint.start, hint.end, strict=True))
    return values[y, x]


def test_views_see_the_photo_from_where_they_are(capture, truth):
    """What the photo shows lies at the same colour and depth in the other views."""
    photo, camera = capture.image(0), capture.camera(0)
    points = unproject_pixels(camera, camera.pixel_grid(), truth.depth())[~truth.sky()]
    colors = photo[~truth.sky()]
    still = [view for view in truth.views() if view.time == 0.0]
    assert {view.name for view in still} == {
        "left", "right", "up", "down", "zoom", "circle-back", "circle-front",
    }  # fmt: skip
    for view in still:
        pixels, far = project_points(view.camera, points)
        found, depth = _sampled(view.image(), pixels), _sampled(view.depth()[..., None], pixels)
        seen = (depth[:, 0] - far).abs() < 0.01 * far
        assert seen.float().mean() > 0.5
        assert (found - colors)[seen].abs().mean() < 0.04, view.name


def _sampled(image, pixels):
    height, width = image.shape[:2]
    place = 2 * pixels / torch.tensor([width, height]) - 1
    values = grid_sample(image.movedim(-1, 0)[None], place[None, None], align_corners=False)
    return values[0, :, 0].T


def test_parallax_of_the_path_to_the_side_is_as_said(capture, truth):
    camera = capture.camera(0)
    depth = truth.depth()
    near = torch.quantile(depth[depth.isfinite()], 0.05)
    left = next(view for view in truth.views() if view.name == "left")
    shift = camera.focal[0] * left.camera.camera_from_world[0, 3] / near
    assert float(shift) == pytest.approx(30.0 * WIDTH / 1280, rel=1e-3)


def test_matter_moves_on_with_the_true_motion(capture, truth):
    """The water some frames later, sampled along its motion, is the photo's water."""
    later = next(view for view in truth.views() if (view.name, view.time) == ("photo", 8.0))
    torch.testing.assert_close(later.camera.camera_from_world, torch.eye(4))
    photo, image = capture.image(0), later.image()
    still = ~(truth.regions()["river"] | truth.sky())
    rim = torch.nn.functional.max_pool2d((~still)[None].float(), 3, 1, 1)[0] > 0
    # gaps in the woods, smaller than pixels, show the sky
    assert (photo == image).all(-1)[still & ~rim].float().mean() > 0.98
    ends = _followed(truth.motion(), later.time)
    moved = _sampled(image, ends).reshape(photo.shape)
    for region in (truth.sky(), truth.regions()["river"]):
        inner = _inner(region)
        staying = _sampled(inner[..., None].float(), ends).reshape(inner.shape) > 0.99
        change = (moved - photo)[inner & staying].abs().mean()
        assert change < 0.3 * (image - photo)[inner & staying].abs().mean()


def _followed(motion, frames, steps=32):
    """Follow the motion from every pixel: the midpoint rule (H W, 2)."""
    x, y = torch.arange(motion.shape[1]) + 0.5, torch.arange(motion.shape[0]) + 0.5
    pixels = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).reshape(-1, 2)
    for _ in range(steps):
        half = pixels + 0.5 * frames / steps * _sampled(motion, pixels)
        pixels = pixels + frames / steps * _sampled(motion, half)
    return pixels


def _inner(mask):
    """Leave out what is near the rim of a mask or of the picture."""
    outside = torch.nn.functional.pad((~mask)[None].float(), (7, 7, 3, 3), value=1.0)
    return torch.nn.functional.max_pool2d(outside, (7, 15), 1)[0] == 0


def test_clouds_have_the_colour_of_where_they_came_from():
    sky = Sky(seed=3, wind=0.004)
    x, rise = np.meshgrid(np.linspace(-0.5, 0.5, 7), np.linspace(0.05, 0.4, 5))
    later = sky.colors(x + 6.0 * sky.speed(rise), rise, 6.0)
    np.testing.assert_allclose(later, sky.colors(x, rise, 0.0), atol=1e-9)


def test_the_same_seed_gives_the_same_files_and_progress_counts(tmp_path):
    pytest.importorskip("mitsuba")
    seen = []
    storage = Storage(jpeg_quality=80, novel_every=3, depth_every=4, compact=True)
    one, two = (
        synthesize(
            "valley",
            tmp_path / name,
            width=16,
            height=9,
            samples=1,
            storage=storage,
            progress=lambda done, total: seen.append((done, total)),
        )
        for name in "ab"
    )
    assert seen == 2 * [(k, 8) for k in range(1, 9)]
    names = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(two) for path in two.rglob("*") if path.is_file())
    for name in names:
        assert (one / name).read_bytes() == (two / name).read_bytes(), name
    assert json.loads((one / "photo.json").read_text())["imagePath"] == "photo.jpg"
    assert len(list(one.glob("truth/views/*/depth.npz"))) == 1


def test_a_landscape_is_one_photo(tmp_path):
    pytest.importorskip("mitsuba")
    with pytest.raises(UsageError, match="it is one photo"):
        synthesize("valley", tmp_path / "x", frames=2)
