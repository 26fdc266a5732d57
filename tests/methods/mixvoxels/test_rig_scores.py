"""Figures of a view: a capture that is the scene itself, changed by known amounts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from fourfold.capture import Capture, KeyPoints
from fourfold.evaluation import Lpips, front_most
from fourfold.methods.mixvoxels import rig_scores
from fourfold.methods.mixvoxels.rig_scores import Record, RigView, score_view
from fourfold.scene import Scene, still_part
from tests.rigs import rig_scene, voxel_scene
from tests.tiny import HEIGHT, NUM_FRAMES, WALL_DEPTH, WIDTH

# one unit of the scene is two of the capture, see tests.tiny
UNIT = 2.0


@dataclass(frozen=True)
class FakeTruth:
    """What the scene itself would be, further away and with more that moves."""

    scene: Scene
    farther: float = 1.0
    added: int = 0

    def depth(self, frame: int, view: int) -> Tensor:
        """Give the scene's depth, times a factor; a row of it is not known."""
        depth = _draw(self.scene, frame, view, "depth") * UNIT * self.farther
        depth[0] = torch.nan
        return depth

    def moving(self, frame: int, view: int) -> Tensor:
        """Give the scene's moving pixels, and some more in the first column."""
        moving = front_most(_draw(self.scene, frame, view, "objects")) == 1
        assert not moving[: self.added, 0].any()
        moving[: self.added, 0] = True
        return moving


@dataclass(frozen=True)
class FakeCapture:
    """What the scene's cameras see, brighter."""

    scene: Scene
    brighter: float = 0.1
    truth: FakeTruth | None = None
    points: KeyPoints | None = None

    views: Sequence[str] = ("cam00", "cam.1", "cam02")
    num_frames: int = NUM_FRAMES

    @property
    def rig_truth(self) -> FakeTruth | None:
        """The truth."""
        return self.truth

    def size(self, view: int) -> tuple[int, int]:
        """Give the size of all views."""
        return WIDTH, HEIGHT

    def image(self, frame: int, view: int) -> Tensor:
        """Draw the scene, and make it brighter."""
        return _draw(self.scene, frame, view, "rgb") + self.brighter

    def key_points(self, view: int) -> KeyPoints | None:
        """Give the key points, of each view the same."""
        return self.points


def _draw(scene: Scene, frame: int, view: int, output: str) -> Tensor:
    cameras = scene.rig[FakeCapture.views[view]]
    camera = cameras[frame if len(cameras) > 1 else 0]
    return scene.render(camera, float(frame), (output,))[output]


def _view(name: str = "cam00", scene: Scene | None = None, **changes: Any) -> RigView:
    scene = rig_scene() if scene is None else scene
    return RigView(scene, cast(Capture, FakeCapture(scene, **changes)), name)


def _score(view: RigView, still_target: str = "median") -> Record:
    return score_view(view, still_target)


@pytest.fixture(autouse=True)
def _without_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rig_scores, "has_flip", lambda: False)
    monkeypatch.setattr(rig_scores, "has_jod", lambda: False)


@pytest.mark.parametrize("name", ["cam00", "cam.1", "cam02"])
def test_pictures_that_are_a_tenth_too_dark(name: str):
    record = _score(_view(name))
    assert record["psnr"] == pytest.approx(20.0, abs=0.01)
    assert 0.5 < record["ssim"] < 1.0
    assert not {"lpips", "flip", "jod", "depth_error", "motion_iou"} & record.keys()


def test_what_stands_still_is_compared_with_what_most_frames_show():
    # the ball covers each pixel in one frame of four: the median does not show it
    assert _score(_view())["psnr_static"] == pytest.approx(20.0, abs=0.1)
    # in the mean it leaves a trace, in the first frame it is there
    mean, first = (_score(_view(), kind)["psnr_static"] for kind in ("mean", "0"))
    view = _view()
    still = still_part(view.scene).render(view.camera(0), 0.0)["rgb"]
    for found, target in ((mean, view.mean()), (first, view.image(0))):
        assert found == pytest.approx(
            -10 * float((still - target).square().mean().log10()), abs=0.01
        )
    assert mean < 20.0
    assert first < mean


def test_a_camera_that_moves_has_no_still_picture():
    assert "psnr_static" not in _score(_view("cam.1"))


def test_depth_counts_in_units_of_the_capture():
    scene = rig_scene()
    assert _score(_view(truth=FakeTruth(scene)))["depth_error"] == pytest.approx(0.0, abs=1e-6)
    farther = _score(_view(truth=FakeTruth(scene, farther=1.25)))
    assert farther["depth_error"] == pytest.approx(0.2, abs=1e-6)


def test_depth_at_key_points_of_the_first_frame():
    # the wall's corners, one of them said to be a quarter farther
    pixels = torch.tensor([[2.5, 2.5], [60.5, 3.5], [3.5, 44.5], [63.9, 47.9]])
    depths = torch.tensor([1.25, 1.0, 1.0, 1.0]) * WALL_DEPTH * UNIT
    ones = torch.ones(4)
    points = KeyPoints(pixels, depths, torch.zeros(4, dtype=torch.int64), ones, ones)
    record = _score(_view(points=points))
    assert record["depth_error_key_points"] == pytest.approx(0.2 / 4, abs=0.002)
    assert "depth_error_key_points" not in _score(_view(points=KeyPoints.none()))


def test_moving_pixels_against_the_truth():
    scene = rig_scene()
    assert _score(_view(truth=FakeTruth(scene)))["motion_iou"] == 1.0
    truth = FakeTruth(scene, added=10)
    counts = [int(truth.moving(frame, 0).sum()) for frame in range(NUM_FRAMES)]
    expected = sum((count - 10) / count for count in counts) / NUM_FRAMES
    record = _score(_view(truth=truth))
    assert record["motion_iou"] == pytest.approx(expected, abs=1e-6)
    assert "motion_iou_deviation" not in record


def test_moving_pixels_without_truth_are_those_that_deviate():
    record = _score(_view())
    # the ball's edges deviate too, where it covers less than half of a pixel
    assert 0.5 < record["motion_iou_deviation"] < 1.0
    assert "motion_iou" not in record


def test_voxels_have_the_same_figures():
    scene = voxel_scene()
    record = _score(_view(scene=scene, truth=FakeTruth(scene, farther=1.25)))
    assert record["psnr"] == pytest.approx(20.0, abs=0.01)
    assert record["motion_iou"] == 1.0
    assert record["depth_error"] == pytest.approx(0.2, abs=1e-6)
    # each side is covered in half of the frames, so that the median lies between
    assert record["psnr_static"] < 20.0


def test_a_still_scene_has_one_frame_and_no_motion():
    scene = rig_scene()
    still = replace(
        scene,
        objects=scene.objects[:1],
        cameras=scene.cameras[:1],
        rig={name: cameras[:1] for name, cameras in scene.rig.items()},
    )
    record = _score(_view(scene=still))
    assert record.keys() == {"psnr", "ssim"}


def test_slow_figures_of_every_tenth_frame_and_the_video(monkeypatch: pytest.MonkeyPatch):
    seen: list[float] = []

    def difference(image: Tensor, target: Tensor) -> float:
        seen.append(float((target - image).mean()))
        return 0.25

    def quality(video: Tensor, target: Tensor, fps: float) -> float:
        assert video.shape == target.shape == (NUM_FRAMES, HEIGHT, WIDTH, 3)
        assert float((target.float() - video.float()).mean()) == pytest.approx(25.5, abs=0.5)
        return fps / 2

    monkeypatch.setattr(rig_scores, "has_flip", lambda: True)
    monkeypatch.setattr(rig_scores, "has_jod", lambda: True)
    monkeypatch.setattr(rig_scores, "flip", difference)
    monkeypatch.setattr(rig_scores, "jod", quality)
    monkeypatch.setattr(rig_scores, "EVERY", 3)
    lpips = cast(Lpips, lambda image, target: torch.tensor(0.5))
    advanced: list[None] = []
    record = score_view(_view(), "median", lpips, lambda: advanced.append(None))
    assert (record["flip"], record["lpips"], record["jod"]) == (0.25, 0.5, 5.0)
    assert seen == pytest.approx([0.1, 0.1], abs=1e-4)  # frames 0 and 3
    assert len(advanced) == NUM_FRAMES
