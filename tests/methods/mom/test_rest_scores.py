"""The photo at rest and the loop, on scenes whose figures are known beforehand."""

from dataclasses import replace

import pytest
import torch

from fourfold.methods.mom.photo import Photo
from fourfold.methods.mom.rest_scores import MOMENTS, NEIGHBORS, at_rest, score_loop, score_rest
from fourfold.scene import Scene, StaticMotion
from tests.loops import loop_camera, loop_scene, stream_mask
from tests.tiny import tiny_scene


def _photo(scene: Scene, error: float = 0.0, contrast: float = 1.0) -> Photo:
    still = at_rest(scene).render(loop_camera(), 0.0)["rgb"].clamp(0, 1)
    image = 0.4 + contrast * (still - 0.4) + error
    return Photo(image, loop_camera(), {"motion": stream_mask()}, ())


def test_at_rest_nothing_moves():
    still = at_rest(loop_scene())
    assert still.period is None
    assert all(isinstance(item.motion, StaticMotion) for item in still.objects)
    pictures = [still.render(loop_camera(), time)["rgb"] for time in (0.0, 5.0)]
    assert torch.equal(*pictures)


def test_a_known_error_and_a_known_contrast():
    record = score_rest(loop_scene(), _photo(loop_scene(), error=0.1))
    assert record["rest_psnr"] == pytest.approx(20.0, abs=1e-3)
    assert record["rest_masked_psnr"] == pytest.approx(20.0, abs=1e-3)
    assert record["rest_sharpness"] == pytest.approx(1.0, abs=1e-4)
    assert "rest_lpips" not in record
    faint = score_rest(loop_scene(), _photo(loop_scene(), contrast=0.5))
    assert faint["rest_sharpness"] == pytest.approx(2.0, rel=1e-3)
    assert faint["rest_ssim"] < 0.99


def test_an_error_outside_the_stream_is_not_inside_it():
    photo = _photo(loop_scene())
    spoiled = photo.image.clone()
    spoiled[~stream_mask()] += 0.1
    record = score_rest(loop_scene(), replace(photo, image=spoiled))
    assert record["rest_masked_psnr"] > 100.0
    # half of the picture is spoiled
    assert record["rest_psnr"] == pytest.approx(20.0 + 3.01, abs=0.01)


def test_lpips_is_measured_where_it_is_given():
    record = score_rest(
        loop_scene(),
        _photo(loop_scene()),
        lambda image, target: (image - target).abs().mean() + 0.25,  # pyright: ignore[reportArgumentType]
    )
    assert record["rest_lpips"] == pytest.approx(0.25, abs=1e-4)


def test_a_loop_closes_stays_sharp_and_leaves_the_rest_alone():
    steps = []
    record = score_loop(loop_scene(), stream_mask(), lambda: steps.append(1))
    assert len(steps) == MOMENTS + 2 * NEIGHBORS + 2
    assert record["loop_seam_db"] > -1.0
    assert 0.7 < record["sharpness_min"] <= record["sharpness_max"] < 1.4
    assert record["still_psnr"] > 60.0


def test_a_loop_that_does_not_close_has_a_seam():
    # the ball moves on for four frames and jumps back; all of the picture may move
    scene = replace(tiny_scene(), period=4.0)
    everywhere = torch.ones(48, 64, dtype=torch.bool)
    record = score_loop(scene, everywhere)
    assert record["loop_seam_db"] < -3.0
    assert record["still_psnr"] != record["still_psnr"]  # there is nothing that should stand still


def test_what_moves_outside_the_regions_is_noticed():
    scene = replace(tiny_scene(), period=4.0)
    corner = torch.zeros(48, 64, dtype=torch.bool)
    corner[:12, :12] = True
    assert score_loop(scene, corner)["still_psnr"] < 40.0
