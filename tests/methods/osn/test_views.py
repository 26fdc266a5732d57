"""Test views: whose cameras follow the corrections, scores by hand, the ceiling."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fourfold.capture import Capture, TestView
from fourfold.evaluation import covisibility_mask
from fourfold.geometry import rigid_matrix
from fourfold.methods.osn.finish import finish_scene
from fourfold.methods.osn.footage import Footage
from fourfold.methods.osn.scales import make_scale_set
from fourfold.methods.osn.views import Protocol, corrected_camera, covisible_part, score_view
from fourfold.scene import Scene
from tests.evaluation.small_lpips import small_lpips
from tests.methods.osn.cards import PAIR, TESTS
from tests.methods.osn.drawn import first_fit
from tests.methods.osn.short import QUICK

UNITS = torch.tensor(PAIR.units)
TRUE = torch.tensor([2.0, 1.5], dtype=torch.float64)
"""Of blue and red."""


@pytest.fixture(scope="module")
def scene(footage: Footage, capture: Capture) -> Scene:
    fit = first_fit(footage)
    scale_set = make_scale_set(fit, footage, QUICK, None, 0)
    return finish_scene(fit, footage, capture, scale_set, QUICK)


@pytest.fixture(scope="module")
def views(capture: Capture) -> tuple[TestView, ...]:
    assert capture.rigid_truth is not None
    return capture.rigid_truth.test_views()


@pytest.fixture(scope="module")
def protocol(scene: Scene, capture: Capture, views: tuple[TestView, ...]) -> Protocol:
    return Protocol.of(scene, capture, views)


def perfect(view: TestView) -> dict[str, torch.Tensor]:
    depth, labels = view.depth(), view.labels()
    assert depth is not None
    assert labels is not None
    return {"rgb": view.image(), "depth": depth, "labels": labels}


def test_a_perfect_picture_scores_perfectly(views: tuple[TestView, ...]):
    shown = perfect(views[0])
    record = score_view(shown, shown["labels"], views[0])
    assert record["psnr"] == torch.inf
    assert record["ssim"] == pytest.approx(1.0)
    assert record["ssimae"] == pytest.approx(0.0, abs=1e-6)
    assert record["miou"] == 1.0
    assert "covisible_psnr" not in record
    assert "lpips" not in record


def half_seen(view: TestView, tmp_path: Path) -> TestView:
    """Store that training frames saw the left half of a view."""
    width = view.camera.width
    mask = np.zeros((view.camera.height, width), np.uint8)
    mask[:, : width // 2] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    return replace(view, covisible_path=tmp_path / "mask.png")


def test_only_the_covisible_part_counts_under_its_mask(views: tuple[TestView, ...], tmp_path: Path):
    view, lpips = half_seen(views[0], tmp_path), small_lpips()
    shown = perfect(view)
    half = view.camera.width // 2
    wrong = shown["rgb"].clone()
    wrong[:, half:] = 1 - wrong[:, half:]
    record = score_view({**shown, "rgb": wrong}, shown["labels"], view, lpips)
    assert record["covisible_psnr"] == torch.inf
    assert record["covisible_ssim"] == pytest.approx(1.0)
    assert record["covisible_lpips"] == 0.0
    assert record["psnr"] < 20
    assert record["lpips"] > 0
    dark = torch.where(shown["rgb"] > 0.5, shown["rgb"] - 0.1, shown["rgb"] + 0.1)
    record = score_view({**shown, "rgb": dark}, shown["labels"], view, lpips)
    assert record["covisible_psnr"] == pytest.approx(20.0, abs=1e-3)
    assert record["covisible_ssim"] < 1
    assert record["covisible_lpips"] > 0


def test_a_stored_mask_comes_before_a_computed_one(
    views: tuple[TestView, ...], capture: Capture, tmp_path: Path
):
    def images() -> list[torch.Tensor]:
        return [capture.image(frame) for frame in range(capture.num_frames)]

    view = views[0]
    computed = covisible_part(view, images)
    assert computed is not None
    assert torch.equal(computed, covisibility_mask(view.image(), images()))
    stored = covisible_part(half_seen(view, tmp_path), images)
    assert stored is not None
    assert int(stored.sum()) == stored.numel() // 2
    # not computed for one of many truths, nor from frames of another size
    assert covisible_part(replace(view, combination=3), images) is None
    assert covisible_part(view, lambda: [torch.zeros(20, 20, 3)]) is None


def test_depth_counts_up_to_scale_and_shift_and_colors_are_clipped(views: tuple[TestView, ...]):
    shown = perfect(views[0])
    bright = shown["rgb"].clone()
    bright[shown["rgb"] == 1] = 1.5
    changed = {**shown, "rgb": bright, "depth": 3 * shown["depth"] + 1}
    record = score_view(changed, shown["labels"], views[0])
    assert record["psnr"] == torch.inf
    assert record["ssimae"] == pytest.approx(0.0, abs=1e-5)


def test_an_error_of_a_tenth_is_20_decibels(views: tuple[TestView, ...]):
    shown = perfect(views[0])
    dark = torch.where(shown["rgb"] > 0.5, shown["rgb"] - 0.1, shown["rgb"] + 0.1)
    record = score_view({**shown, "rgb": dark}, shown["labels"], views[0])
    assert record["psnr"] == pytest.approx(20.0, abs=1e-3)


def test_cameras_stay_where_the_path_was_not_corrected(protocol: Protocol, capture: Capture):
    for (camera, _), found in zip(TESTS, protocol.cameras, strict=True):
        given = capture.camera(camera)
        assert given is not None
        torch.testing.assert_close(
            found.camera_from_world, given.camera_from_world, atol=1e-5, rtol=0
        )


def test_a_test_camera_moves_with_the_nearest_filming_camera(scene: Scene, capture: Capture):
    step = rigid_matrix(torch.eye(3), torch.tensor([0.0, 0.0, 0.25]))
    cameras = list(scene.cameras)
    cameras[4] = cameras[4].moved(step @ cameras[4].camera_from_world)
    corrected = replace(scene, cameras=cameras)
    for frame, moved in ((4, 0.25), (1, 0.0)):
        given = capture.camera(frame)
        assert given is not None
        near = given.moved(
            rigid_matrix(torch.eye(3), torch.tensor([0.02, 0.0, 0.0])) @ given.camera_from_world
        )
        found = corrected_camera(corrected, capture, near)
        expected = near.camera_from_world.clone()
        expected[2, 3] += moved
        torch.testing.assert_close(found.camera_from_world, expected, atol=1e-5, rtol=0)


def test_true_scales_score_best(protocol: Protocol):
    at_truth = protocol.score(protocol.show(TRUE))
    known = {"psnr", "ssim", "ssimae", "miou", "pq", "covisible_psnr", "covisible_ssim"}
    assert set(at_truth) == known
    assert at_truth["psnr"] > 22
    assert at_truth["pq"] > 0.85
    for wrong in ([2.6, 1.5], [2.0, 1.1]):
        assert protocol.score(protocol.show(torch.tensor(wrong)))["psnr"] < at_truth["psnr"]


def test_with_weights_all_is_scored_by_lpips_too(scene: Scene, capture: Capture, views):
    protocol = Protocol.of(scene, capture, views, small_lpips())
    at_truth = protocol.score(protocol.show(TRUE))
    assert at_truth["lpips"] > 0
    assert at_truth["covisible_lpips"] > 0


def test_the_ceiling_at_true_scales_is_the_picture(protocol: Protocol):
    found = protocol.ceiling(protocol.show(TRUE, UNITS))
    assert found is not None
    # but for rounding to 8 bits
    assert found > 45


def test_the_ceiling_at_other_scales_is_lower_but_above_the_scene(protocol: Protocol):
    shown = protocol.show(torch.tensor([2.6, 1.3]), UNITS)
    ceiling = protocol.ceiling(shown)
    assert ceiling is not None
    assert 10 < ceiling < 35
    assert ceiling - 6 < protocol.score(shown)["psnr"] < ceiling


def test_without_true_layers_there_is_no_ceiling(scene: Scene, capture: Capture, views):
    bare = [replace(view, layers_path=None) for view in views]
    protocol = Protocol.of(scene, capture, bare)
    assert protocol.show(TRUE, UNITS).perfect is None
    assert protocol.ceiling(protocol.show(TRUE, UNITS)) is None
