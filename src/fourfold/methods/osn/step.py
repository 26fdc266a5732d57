"""One step of the optimisation: draw a frame, compare it with the footage, and improve.

OSN (Song et al. 2024), section 3: first every body alone, then all of them together at one
combination of scales. Everything is drawn in the camera's frame.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fourfold.methods.osn.body import Drawing
from fourfold.methods.osn.config import BodyConfig
from fourfold.methods.osn.fit import GaussianFit
from fourfold.methods.osn.footage import UNKNOWN, Footage
from fourfold.methods.osn.layers import draw_layers, misordered, trusted_layers
from fourfold.training import generator, ssim_loss

BEHIND = 100.0
"""Scale at which the background lies behind all objects."""
POSE_WEIGHT = 0.02
"""Weight of a pose's correction, per squared pixel: what the pictures leave open stays."""
SMALLEST_WEIGHT = 1e-3
"""Least share of a body in a pixel, in the logarithm of the cross-entropy."""


def choose_frame(footage: Footage, step: int, seed: int, stage: str = "bootstrap") -> int:
    """Choose the frame of a step: every frame once, in a new order, before any comes again."""
    frames = footage.frames
    turn, place = divmod(step, len(frames))
    order = torch.randperm(len(frames), generator=generator(seed, stage, turn))
    return frames[int(order[place])]


def bootstrap_step(
    fit: GaussianFit, footage: Footage, config: BodyConfig, frame: int
) -> dict[str, float]:
    """Draw each body alone and compare it where it is seen; move every body a little.

    A body covers the pixels in which it is seen. It is not where the background is seen; where
    another object is seen it may be hidden, and nothing is asked.
    """
    labels, image = footage.labels[frame], footage.image(frame)
    terms: dict[str, Tensor] = {}
    for index, body in enumerate(fit.bodies):
        if not footage.known[frame, index]:
            continue
        drawing = body.draw_alone(footage.cameras[frame], frame)
        seen, free = labels == index, (labels == 0) & (index > 0)
        color = ((drawing.colors - image).abs() * seen[..., None]).mean()
        mask = ((1 - drawing.alpha) * seen).mean() + (drawing.alpha * free).mean()
        depth = seen.float().mean() * _depth_term(drawing.depth, footage, index, frame)
        _add(terms, color=color, mask=mask, depth=config.depth_weight * depth)
    return _improve(fit, terms)


def round_step(
    fit: GaussianFit,
    footage: Footage,
    config: BodyConfig,
    frame: int,
    scales: Float[Tensor, " K"],
    color: Float[Tensor, " 3"],
) -> dict[str, float]:
    """Draw all bodies together at one combination of scales, compare, and move them a little.

    A combination that is valid may still be wrong in a few pixels, always the same ones: left in,
    they would wear away what should be hidden there. So the background, which masks do not see
    before an object, is drawn behind all objects, and what the masks contradict is left out.
    `color` is seen where nothing is.
    """
    labels, image = footage.labels[frame], footage.image(frame)
    layers = trusted_layers(draw_layers(fit, footage, frame), labels)
    labels = labels.masked_fill(misordered(layers, labels, scales), UNKNOWN)
    indices = torch.nonzero(footage.known[frame])[:, 0].tolist()
    # Enlarged about the camera's centre the background looks the same, and is far away.
    drawn_at = torch.cat([BEHIND * scales[:1], scales[1:]])
    drawing = fit.draw_together(footage.cameras[frame], frame, indices, drawn_at, color)
    sure = (labels != UNKNOWN)[..., None]
    # What no body explains takes the drawn colour, so that the windows of SSIM see no edge.
    target = torch.where(sure, image, drawing.colors.detach())
    shown = torch.where(sure, drawing.colors, drawing.colors.detach())
    share = config.ssim_weight
    terms = {"color": (1 - share) * (shown - target).abs().mean()}
    if share:
        terms["ssim"] = share * ssim_loss(shown, target)
    terms["mask"] = config.mask_weight * _mask_term(drawing, labels)
    for index in indices:
        seen = labels == index
        part = _depth_term(drawing.depth, footage, index, frame, seen)
        _add(terms, depth=config.depth_weight * seen.float().mean() * part)
        if config.refine_poses:
            _add(terms, poses=POSE_WEIGHT * fit.bodies[index].correction(frame))
    return _improve(fit, terms)


def _mask_term(drawing: Drawing, labels: Int[Tensor, "H W"]) -> Float[Tensor, ""]:
    """Take the cross-entropy of the bodies' shares with who is seen, on log-probabilities."""
    place = torch.full((int(labels.max().clamp_min(0)) + 1,), UNKNOWN)
    for position, index in enumerate(drawing.indices):
        if index < len(place):
            place[index] = position
    target = torch.where(labels == UNKNOWN, UNKNOWN, place[labels.clamp_min(0)])
    weights = drawing.weights.clamp_min(SMALLEST_WEIGHT).log()
    known = target != UNKNOWN
    picked = weights.gather(-1, target.clamp_min(0)[..., None])[..., 0]
    return -(picked * known).mean()


def _depth_term(
    depth: Float[Tensor, "H W"],
    footage: Footage,
    index: int,
    frame: int,
    seen: Bool[Tensor, "H W"] | None = None,
) -> Float[Tensor, ""]:
    """Compare depths with a body's key points: weighted mean of the relative differences."""
    points = footage.bodies[index].points
    mine = points.frames == frame
    x, y = points.pixels[mine].long().unbind(1)
    height, width = depth.shape
    x, y = x.clamp(0, width - 1), y.clamp(0, height - 1)
    weights = points.weights[mine] * (depth[y, x].detach() > 0)
    if seen is not None:
        weights = weights * seen[y, x]
    wanted = points.depths[mine]
    error = (depth[y, x] - wanted).abs() / wanted
    return (weights * error).sum() / weights.sum().clamp_min(1e-6)


def _add(terms: dict[str, Tensor], **more: Tensor) -> None:
    for name, value in more.items():
        terms[name] = terms[name] + value if name in terms else value


def _improve(fit: GaussianFit, terms: dict[str, Tensor]) -> dict[str, float]:
    loss = sum(terms.values(), torch.zeros(()))
    loss.backward()
    for body in fit.bodies:
        body.step()
    return {name: float(value.detach()) for name, value in {"loss": loss, **terms}.items()}
