"""Test views of a scene under combinations of scales, and their scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fourfold.capture import Capture, TestView
from fourfold.evaluation import (
    front_most,
    masked_ssim,
    mean_iou,
    mean_of_records,
    panoptic_quality,
    psnr,
    ssim,
    ssimae,
)
from fourfold.geometry import Camera
from fourfold.methods.osn.ceiling import perfect_image
from fourfold.scene import Scene

Record = dict[str, float]


class Remembered:
    """A test view that reads each of its files once, however many combinations it is scored at."""

    def __init__(self, view: TestView) -> None:
        self.frame, self.camera = view.frame, view.camera
        self.image, self.labels = cache(view.image), cache(view.labels)
        self.depth, self.covisible = cache(view.depth), cache(view.covisible)
        self.layers, self.layer_images = cache(view.layers), cache(view.layer_images)


@dataclass(frozen=True, eq=False)
class Protocol:
    """The test views of a capture, as a scene's cameras see them, and how they are scored."""

    scene: Scene
    views: Sequence[Remembered]
    cameras: Sequence[Camera]

    @staticmethod
    def of(scene: Scene, capture: Capture, views: Sequence[TestView]) -> "Protocol":
        """Take the test views of a capture; their cameras follow the scene's corrected path."""
        cameras = [corrected_camera(scene, capture, view.camera) for view in views]
        return Protocol(scene, [Remembered(view) for view in views], cameras)

    def score(self, scales: Mapping[str, float]) -> Record:
        """Score the scene at one combination of scales: the mean over the test views."""
        records, predicted, true = [], [], []
        for view, camera in zip(self.views, self.cameras, strict=True):
            drawn = self.scene.render(
                camera, float(view.frame), ("rgb", "depth", "objects"), dict(scales)
            )
            labels, target = front_most(drawn["objects"]), view.labels()
            records.append(score_view(drawn, labels, view))
            if target is not None:
                predicted.append(labels)
                true.append(target)
        scores = mean_of_records(records)
        if true:
            # accumulated over all views, as the original does
            scores["pq"] = float(panoptic_quality(torch.stack(predicted), torch.stack(true)))
        return scores

    def ceiling(
        self, true_scales: Float[Tensor, " K"], scales: Float[Tensor, " K"]
    ) -> float | None:
        """PSNR that perfect geometry reaches at a combination of scales, the background's 1.

        `true_scales`: true units per unit of each body. None where the true layers are not known.
        """
        scores = []
        for view in self.views:
            layers, images = view.layers(), view.layer_images()
            if layers is None or images is None:
                return None
            center = self.scene.camera_at(float(view.frame)).position
            relative = true_scales / true_scales[0]
            perfect = perfect_image(
                images,
                (layers / true_scales[0]).float(),
                view.camera,
                center,
                (scales / relative).float(),
            )
            scores.append({"psnr": float(psnr(perfect, view.image()))})
        return mean_of_records(scores)["psnr"]


def score_view(
    drawn: Mapping[str, Tensor], labels: Int[Tensor, "H W"], view: TestView | Remembered
) -> Record:
    """Score one drawn test view against the picture and what else is known of it."""
    image, target = drawn["rgb"].clamp(0, 1), view.image()
    record = {"psnr": float(psnr(image, target)), "ssim": float(ssim(image, target))}
    depth, covisible, true = view.depth(), view.covisible(), view.labels()
    if depth is not None:
        record["ssimae"] = float(ssimae(drawn["depth"], depth, depth.isfinite()))
    if true is not None:
        record["miou"] = float(mean_iou(labels, true))
    if covisible is not None:
        record["covisible_psnr"] = float(psnr(image, target, covisible))
        record["covisible_ssim"] = float(masked_ssim(image, target, covisible))
    return record


def corrected_camera(scene: Scene, capture: Capture, camera: Camera) -> Camera:
    """Move a camera of the capture's world as the nearest filming camera was corrected.

    Training may correct the poses of filming cameras; a test camera is known beside them.
    """
    given = [capture.camera(frame) for frame in range(capture.num_frames)]
    known = [(t, each) for t, each in enumerate(given) if each is not None]
    frame, nearest = min(known, key=lambda pair: _distance(pair[1], camera))
    step = camera.camera_from_world @ nearest.world_from_camera
    return camera.moved(step @ scene.cameras[frame].camera_from_world)


def _distance(a: Camera, b: Camera) -> float:
    turned = (a.camera_from_world[:3, :3] - b.camera_from_world[:3, :3]).norm()
    return float((a.position - b.position).norm() + turned)
