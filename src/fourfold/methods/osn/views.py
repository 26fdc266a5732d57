"""Test views of a scene under combinations of scales, and their scores."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from fourfold.capture import Capture, TestView
from fourfold.evaluation import (
    Lpips,
    covisibility_mask,
    front_most,
    masked_ssim,
    mean_iou,
    mean_of_records,
    mean_over_frames,
    panoptic_quality,
    psnr,
    ssim,
    ssimae,
)
from fourfold.geometry import Camera
from fourfold.methods.osn.ceiling import perfect_image
from fourfold.scene import Scene

Record = dict[str, float]
TrainingImages = Callable[[], Sequence[Float[Tensor, "H W 3"]]]


class Remembered:
    """A test view that reads each of its files once, however many combinations it is scored at."""

    def __init__(self, view: TestView, training_images: TrainingImages) -> None:
        self.frame, self.camera = view.frame, view.camera
        self.image, self.labels, self.depth = (
            cache(view.image),
            cache(view.labels),
            cache(view.depth),
        )
        self.covisible = cache(partial(covisible_part, view, training_images))
        self.layers, self.layer_images = cache(view.layers), cache(view.layer_images)


class Shown(NamedTuple):
    """What test views show at one combination of scales.

    `scales` (k,) of the objects; of each view `drawn`, the scene's rgb and depth, and `labels`, who
    is in front in it; `perfect`, what perfect geometry would show, None where that is not known.
    """

    scales: Float[Tensor, " k"]
    drawn: list[dict[str, Tensor]]
    labels: list[Int[Tensor, "H W"]]
    perfect: list[Float[Tensor, "H W 3"]] | None


@dataclass(frozen=True, eq=False)
class Protocol:
    """The test views of a capture, as a scene's cameras see them, and how they are scored."""

    scene: Scene
    views: Sequence[Remembered]
    cameras: Sequence[Camera]
    lpips: Lpips | None = None

    @staticmethod
    def of(
        scene: Scene, capture: Capture, views: Sequence[TestView], lpips: Lpips | None = None
    ) -> "Protocol":
        """Take the test views of a capture; their cameras follow the scene's corrected path."""
        cameras = [corrected_camera(scene, capture, view.camera) for view in views]
        images = cache(lambda: [capture.image(frame) for frame in range(capture.num_frames)])
        return Protocol(scene, [Remembered(view, images) for view in views], cameras, lpips)

    def show(
        self, scales: Float[Tensor, " k"], true_scales: Float[Tensor, " K"] | None = None
    ) -> Shown:
        """Draw the test views at one combination of scales.

        Args:
            true_scales: true units per unit of each body; what perfect geometry would show is left
                out without them, or without the true layers of the views.
        """
        named = dict(zip(self.scene.object_names[1:], scales.tolist(), strict=True))
        drawn, labels = [], []
        for view, camera in zip(self.views, self.cameras, strict=True):
            found = self.scene.render(camera, float(view.frame), ("rgb", "depth", "objects"), named)
            labels.append(front_most(found.pop("objects")))
            drawn.append(found)
        perfect = None if true_scales is None else self._show_perfectly(scales, true_scales)
        return Shown(scales, drawn, labels, perfect)

    def _show_perfectly(
        self, scales: Float[Tensor, " k"], true_scales: Float[Tensor, " K"]
    ) -> list[Float[Tensor, "H W 3"]] | None:
        unit = true_scales[0]
        factors = (functional.pad(scales, (1, 0), value=1.0) * unit / true_scales).float()
        found = []
        for view in self.views:
            layers, images = view.layers(), view.layer_images()
            if layers is None or images is None:
                return None
            center = self.scene.camera_at(float(view.frame)).position
            depths = (layers / unit).float()
            found.append(perfect_image(images, depths, view.camera, center, factors))
        return found

    def score(self, shown: Shown) -> Record:
        """Score what the scene shows at one combination of scales: the mean over the test views."""
        records, predicted, true = [], [], []
        for view, drawn, labels in zip(self.views, shown.drawn, shown.labels, strict=True):
            records.append(score_view(drawn, labels, view, self.lpips))
            target = view.labels()
            if target is not None:
                predicted.append(labels)
                true.append(target)
        scores = mean_of_records(records)
        if true:
            # accumulated over all views, as the original does
            scores["pq"] = float(panoptic_quality(torch.stack(predicted), torch.stack(true)))
        return scores

    def ceiling(self, shown: Shown) -> float | None:
        """PSNR that perfect geometry reaches at these scales; None where it is not known."""
        if shown.perfect is None:
            return None
        pairs = zip(self.views, shown.perfect, strict=True)
        return mean_over_frames(psnr(image, view.image()) for view, image in pairs)


def score_view(
    drawn: Mapping[str, Tensor],
    labels: Int[Tensor, "H W"],
    view: TestView | Remembered,
    lpips: Lpips | None = None,
) -> Record:
    """Score one drawn test view against the picture and what else is known of it."""
    image, target = drawn["rgb"].clamp(0, 1), view.image()
    record = {"psnr": float(psnr(image, target)), "ssim": float(ssim(image, target))}
    depth, covisible, true = view.depth(), view.covisible(), view.labels()
    if lpips is not None:
        record["lpips"] = float(lpips(image, target))
    if depth is not None:
        record["ssimae"] = float(ssimae(drawn["depth"], depth, depth.isfinite()))
    if true is not None:
        record["miou"] = float(mean_iou(labels, true))
    if covisible is not None and covisible.any():
        record |= _score_inside(image, target, covisible, lpips)
    return record


def covisible_part(view: TestView, training_images: TrainingImages) -> Bool[Tensor, "H W"] | None:
    """Tell which pixels of a test view training frames saw: as stored, else by optical flow.

    None where nothing is stored, and the training frames are of another size or the view is one
    of several true combinations: to match all of these takes longer than all other figures.
    """
    stored = view.covisible()
    if stored is not None or view.combination is not None:
        return stored
    image, others = view.image(), training_images()
    if any(other.shape != image.shape for other in others):
        return None
    return covisibility_mask(image, others)


def _score_inside(
    image: Float[Tensor, "H W 3"],
    target: Float[Tensor, "H W 3"],
    mask: Bool[Tensor, "H W"],
    lpips: Lpips | None,
) -> Record:
    """Score the co-visible part of an image, as DyCheck (Gao et al., NeurIPS 2022) does."""
    record = {
        "covisible_psnr": float(psnr(image, target, mask)),
        "covisible_ssim": float(masked_ssim(image, target, mask)),
    }
    if lpips is not None:
        record["covisible_lpips"] = float(lpips(image, target, mask))
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
