"""Whether the focal length of a capture fits its poses and key points.

A wrong focal length hardly shows in a single frame, nor between frames that follow each other. It
bends the shape that key points span, so that poses carry them to wrong pixels of frames far away:
by the focal length's relative error times the parallax. Their colours tell.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from fourfold.capture import Capture, KeyPoints
from fourfold.errors import InputError
from fourfold.geometry import Camera, invert_rigid
from fourfold.methods.osn.footage import Footage

FACTORS = 2.0 ** (torch.arange(-6, 7, dtype=torch.float64) / 6)
"""Focal lengths that are tried, beside the given one: from half of it to twice."""
GAPS = (1 / 8, 1 / 4, 1 / 2)
"""Distances of compared frames, as shares of the frames of a body."""
PAIRS_PER_GAP = 4
MOST_POINTS = 300
"""Key points of one frame that are compared, spread over all."""
MOST_DIFFERENCE = 0.1
"""Difference of colours beyond which it does not matter how large it is."""
ROUNDING = 0.002
"""Difference of colours that rounding to 8 bits leaves."""
WORST_RATIO = 1.2
"""Ratio of the given focal length's error to the best one's, beyond which it is wrong.

Measured with the right lens, and with one 30 % too long or too short. Poses exact, or found by
`prepare sfm`: 1.00 against 1.28 and more (9 bodies of 160x120; else 1.44). Poses off by 0.5 pixels
at random: up to 1.03 against 1.23 and more. Off by 1 pixel: up to 1.01 (1.19 for a background
alone at 64x48) against 1.31 and more at 160x120; at 64x48 the noise then hides a lens that is too
short.
"""


def check_lens(footage: Footage, capture: Capture) -> None:
    """Refuse a focal length beside which another one fits the frames much better.

    Raises:
        InputError: there is such a one; it says which.
    """
    factor, ratio = better_focal(footage)
    if ratio > WORST_RATIO:
        focal = sum(footage.cameras[0].focal) / 2
        raise InputError(
            f"a focal length of {focal:.0f} pixels does not fit its poses and key points: "
            f"colours differ {ratio:.1f} times as much as with about {factor * focal:.0f} pixels",
            path=capture.path,
            expected="the focal length that the poses were found with",
            mend="Correct it in the capture, or find the poses anew: fourfold prepare sfm",
        )


def better_focal(footage: Footage) -> tuple[float, float]:
    """Find the factor on the focal length that fits best, and the error at 1 over that error.

    Own: for each factor the key points of a frame are carried to frames far away by their body's
    poses; the error is the mean absolute difference of colours there, the least within a pixel
    around (poses err by as much without any fault of the lens). 1 and 1 where nothing can be
    compared.
    """
    errors, count = torch.zeros(len(FACTORS)), torch.zeros(len(FACTORS))
    for index in range(footage.num_bodies):
        for source, target in _frame_pairs(footage, index):
            differences, compared = _compare(footage, index, source, target)
            errors += differences * compared
            count += compared
    if not bool((count > 0).all()):
        return 1.0, 1.0
    errors = errors / count + ROUNDING
    ratio = errors[len(FACTORS) // 2] / errors.min()
    return float(FACTORS[errors.argmin()]), float(ratio)


def _frame_pairs(footage: Footage, index: int) -> Iterator[tuple[int, int]]:
    """Give pairs of frames at all distances, to and fro in turn."""
    frames = footage.bodies[index].frames
    for share in GAPS:
        gap = max(1, round(share * len(frames)))
        starts = range(len(frames) - gap)
        places = torch.linspace(0, len(starts) - 1, min(PAIRS_PER_GAP, len(starts)))
        for turn, start in enumerate(places.round().long().unique().tolist()):
            pair = frames[start], frames[start + gap]
            yield pair if turn % 2 else pair[::-1]


def _compare(
    footage: Footage, index: int, source: int, target: int
) -> tuple[Float[Tensor, " F"], Float[Tensor, " F"]]:
    """Give the mean difference of colours between two frames for each factor, over how many."""
    points = _visible_points(footage, index, source)
    body, camera = footage.bodies[index], footage.cameras[target]
    step = invert_rigid(body.object_from_camera[target]) @ body.object_from_camera[source]
    there = _carry(points, camera, step.double())
    inside = ((there >= 0) & (there < torch.tensor([camera.width, camera.height]))).all(-1)
    x, y = torch.where(inside[..., None], there, 0.0).long().unbind(-1)
    seen = (inside & (footage.labels[target][y, x] == index))[:, None].float()
    around = torch.cartesian_prod(*[torch.tensor([-1.0, 0.0, 1.0])] * 2)
    shown = _look_up(footage.image(target), there[:, None] + around[:, None])
    wanted = _look_up(footage.image(source), points.pixels)
    difference = (shown - wanted).abs().mean(-1).clamp(max=MOST_DIFFERENCE) * seen
    compared = seen.sum((1, 2))
    return (difference.sum(2) / compared.clamp_min(1)[:, None]).amin(1), compared


def _visible_points(footage: Footage, index: int, frame: int) -> KeyPoints:
    """Take some key points of a frame, spread over all that lie where their body is seen."""
    points = footage.bodies[index].points
    points = points.where(points.frames == frame)
    height, width = footage.labels.shape[1:]
    x, y = points.pixels.long().unbind(1)
    labels = footage.labels[frame][y.clamp(0, height - 1), x.clamp(0, width - 1)]
    points = points.where(labels == index)
    every = max(1, len(points) // MOST_POINTS)
    return points.where(torch.arange(len(points)) % every == 0)


def _carry(points: KeyPoints, camera: Camera, step: Float[Tensor, "4 4"]) -> Float[Tensor, "F N 2"]:
    """Project points into another frame for each factor; far outside where they are behind it."""
    center = camera.intrinsics[:2, 2].double()
    focal = torch.tensor(camera.focal, dtype=torch.float64) * FACTORS[:, None, None]
    rays = functional.pad((points.pixels - center) / focal, (0, 1), value=1.0)
    moved = rays * points.depths[:, None] @ step[:3, :3].mT + step[:3, 3]
    z = moved[..., 2:]
    pixels = moved[..., :2] / z.clamp_min(1e-6) * focal + center
    return torch.where(z > 0, pixels, -1e6).float()


def _look_up(image: Float[Tensor, "H W 3"], pixels: Float[Tensor, "*N 2"]) -> Float[Tensor, "*N 3"]:
    """Interpolate colours at pixels; beside the image those of its edge."""
    height, width = image.shape[:2]
    places = (2 * pixels / torch.tensor([width, height]) - 1).reshape(1, 1, -1, 2)
    found = functional.grid_sample(
        image.permute(2, 0, 1)[None], places, padding_mode="border", align_corners=False
    )
    return found[0, :, 0].T.reshape(*pixels.shape[:-1], 3)
