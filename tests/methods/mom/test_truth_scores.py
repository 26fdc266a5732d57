"""A looping scene beside a truth that differs from it by known amounts."""

from dataclasses import dataclass, replace
from typing import Any, cast

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.capture import LandscapeTruth
from fourfold.geometry import Camera
from fourfold.methods.mom.rest_scores import Record, at_rest
from fourfold.methods.mom.truth_scores import LEAST_SPEED, score_truth
from fourfold.scene import Scene
from tests.loops import loop_camera, loop_scene, stream_mask


@dataclass(frozen=True)
class FakeView:
    camera: Camera
    time: float
    picture: Float[Tensor, "H W 3"]

    def image(self) -> Tensor:
        return self.picture


class FakeTruth:
    """Knows the scene's own pictures, spoiled: still ones by 0.1, later ones by 0.2."""

    def __init__(self, scene: Scene, farther: float = 1.0, off: float = 0.0) -> None:
        self.scene, self.farther, self.off = scene, farther, off

    def views(self) -> list[FakeView]:
        pose = torch.eye(4)
        pose[0, 3] = 0.2
        aside = loop_camera().moved(pose)
        still = at_rest(self.scene).render(aside, 0.0)["rgb"].clamp(0, 1)
        later = self.scene.render(aside, 4.0)["rgb"].clamp(0, 1)
        return [FakeView(aside, 0.0, still - 0.1), FakeView(aside, 4.0, later - 0.2)]

    def depth(self) -> Tensor:
        depth = self.farther * at_rest(self.scene).render(loop_camera(), 0.0, {"depth"})["depth"]
        depth[0] = torch.inf  # sky
        return depth

    def motion(self) -> Tensor:
        flow = torch.zeros(32, 48, 2)
        flow[stream_mask()] = torch.tensor([1.0, 0.0])
        flow[stream_mask(), 1] += self.off
        flow[0, 0, 0] = 0.5 * LEAST_SPEED  # so slow that it does not count
        return flow


def _score(**changes: Any) -> Record:
    return score_truth(loop_scene(), cast(LandscapeTruth, FakeTruth(loop_scene(), **changes)))


def test_views_at_rest_and_later_ones():
    record = _score()
    assert record["novel_psnr"] == pytest.approx(20.0, abs=1e-2)
    assert record["novel_masked_psnr"] == pytest.approx(20.0, abs=1e-2)
    assert record["animated_psnr"] == pytest.approx(20.0 - 6.02, abs=1e-2)
    assert record["animated_masked_psnr"] == pytest.approx(20.0 - 6.02, abs=1e-2)
    assert 0.0 < record["novel_ssim"] <= 1.0


def test_depth_and_motion_that_are_right():
    record = _score()
    assert record["depth_error"] < 0.005
    # footprints at the stream's ends are mixed with the banks
    assert record["motion_epe"] < 0.15
    assert record["motion_error"] == pytest.approx(record["motion_epe"], rel=1e-4)


def test_a_depth_that_is_a_fifth_too_small():
    assert _score(farther=1.25)["depth_error"] == pytest.approx(0.2, abs=0.005)


def test_a_hole_is_as_wrong_as_can_be():
    scene = loop_scene()
    only_the_stream = replace(scene, objects=scene.objects[1:])
    record = score_truth(only_the_stream, cast(LandscapeTruth, FakeTruth(scene)))
    # of 31 rows below the sky 16 are stream
    assert record["depth_error"] == pytest.approx(15 / 31, rel=0.1)


def test_a_motion_that_is_off_by_a_pixel():
    record = _score(off=1.0)
    assert record["motion_epe"] == pytest.approx(1.0, abs=0.1)
    assert record["motion_error"] == pytest.approx(record["motion_epe"] / 2**0.5, rel=1e-4)
