"""One step of the stage move: draw a view, compare it with the clip, and improve what it is about.

Objects and background are splatted into one picture, so that what an object hides is explained by
the object before it and not carved away. The background alone is fitted beside the objects.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.geometry import Camera
from fourfold.methods.dreamscene4d.clip import Clip, Hidden
from fourfold.methods.dreamscene4d.config import DreamScene4DConfig, MoveConfig
from fourfold.methods.dreamscene4d.drawing import Drawing, draw_background, draw_view
from fourfold.methods.dreamscene4d.fit import Fit
from fourfold.methods.dreamscene4d.flows import ObjectFlows
from fourfold.methods.dreamscene4d.growth import Growth
from fourfold.methods.dreamscene4d.losses import acceleration, drift_in_depth, rigidity
from fourfold.methods.dreamscene4d.views import View, choose_view
from fourfold.training import ssim_loss

REBIND = 50
"""Steps between two computations of which nodes move which Gaussians."""
FLOW_SHARE = 0.6
"""Share of the steps, from the first, that use optical flow; images are more exact in the end."""


def fit_step(
    fit: Fit,
    clip: Clip,
    cameras: list[Camera],
    flows: ObjectFlows,
    growth: Growth,
    config: DreamScene4DConfig,
    step: int,
    steps: int,
) -> dict[str, float]:
    """Draw one view, compare it with the clip, and move every tensor a little.

    Returns the terms of the loss by name.
    """
    if step % REBIND == 0:
        fit.rebind()
    progress, view = step / steps, choose_view(clip, step, config.seed)
    fit.set_rates(progress)
    drawing = None
    if view.index is None:
        terms = _background_terms(fit, clip, cameras[view.frame], view)
    else:
        use_flow = progress < FLOW_SHARE and config.move.flow_weight > 0
        hidden = clip.hidden.get((view.frame, view.index)) if step % 2 else None
        known = flows if use_flow and hidden is None else None
        drawing = draw_view(fit, clip, cameras, view, known, alone=hidden is not None)
        if hidden is None:
            terms = _object_terms(drawing, clip, view)
        else:
            terms = _hidden_terms(drawing, hidden, view)
        terms |= _motion_terms(fit, cameras[view.frame], view.frame)
    weights = _weights(config.move)
    loss = sum((weights[name] * value for name, value in terms.items()), torch.zeros(()))
    loss.backward()
    if drawing is not None:
        growth.watch(drawing.picture.meta, drawing.front_slices(), view.pixels)
    fit.step()
    growth.grow(fit, step, steps)
    prefix = "background_" if view.index is None else ""
    return {f"{prefix}{k}": float(v.detach()) for k, v in {"loss": loss, **terms}.items()}


def _weights(config: MoveConfig) -> dict[str, float]:
    return {
        "color": 1 - config.ssim_weight,
        "ssim": config.ssim_weight,
        "mask": config.mask_weight,
        "flow": config.flow_weight,
        "rigidity": config.rigidity_weight,
        "acceleration": config.acceleration_weight,
        "depth": config.depth_weight,
    }


def _background_terms(fit: Fit, clip: Clip, camera: Camera, view: View) -> dict[str, Tensor]:
    """Compare the background with the frame where no object is."""
    whole = draw_background(fit, camera, view)
    free = clip.free[view.frame][..., None]
    # Detached on both sides: through the windows of SSIM what is hidden would drift without end.
    drawn = torch.where(free, whole, whole.detach())
    image = torch.where(free, clip.image(view.frame), whole.detach())
    return {"color": (drawn - image).abs().mean(), "ssim": ssim_loss(drawn, image)}


def _object_terms(drawing: Drawing, clip: Clip, view: View) -> dict[str, Tensor]:
    """Compare a drawing with the frame, its masks and its flow."""
    image = view.crop(clip.image(view.frame))
    terms = {
        "color": (drawing.colors - image).abs().mean(),
        "ssim": ssim_loss(drawing.colors, image),
        "mask": _mask_term(drawing.weights, clip, view),
    }
    if drawing.flow is not None:
        terms["flow"] = _flow_term(drawing.flow, drawing, view)
    return terms


def _hidden_terms(drawing: Drawing, hidden: Hidden, view: View) -> dict[str, Tensor]:
    """Compare an object drawn alone with its inpainted part, where others hide it."""
    assert view.index is not None
    counted = view.crop(hidden.mask)
    image = view.crop(hidden.image).float() / 255
    missing = 1 - drawing.weights[..., view.index]
    return {
        "color": ((drawing.colors - image).abs() * counted[..., None]).mean(),
        "mask": (missing * counted).mean(),
    }


def _mask_term(weights: Float[Tensor, "H W K"], clip: Clip, view: View) -> Float[Tensor, ""]:
    """Compare each object's share of a pixel with its visible mask.

    Where masks overlap, the picture cannot say which of the objects is in front: don't care.
    """
    masks = view.crop(clip.masks[view.frame].permute(1, 2, 0)).float()
    sure = ~view.crop(clip.overlap[view.frame])
    return ((weights - masks).abs() * sure[..., None]).sum(-1).mean()


def _flow_term(flow: Float[Tensor, "H W 2"], drawing: Drawing, view: View) -> Float[Tensor, ""]:
    """Compare flows where the target is known and its object is in front; pseudo-Huber, pixels."""
    total = flow.new_zeros(())
    for index, target in zip(drawing.drawn, drawing.targets, strict=True):
        if target is None:
            continue
        sure = view.crop(target.valid) & (drawing.weights[..., index].detach() > 0.5)
        error = torch.sqrt(1 + (flow - view.crop(target.flow)).square().sum(-1)) - 1
        total = total + (error * sure).sum() / max(int(sure.sum()), 1)
    return total


def _motion_terms(fit: Fit, camera: Camera, frame: int) -> dict[str, Tensor]:
    """Sum what keeps each object's motion plausible, at the keys around a frame."""
    terms = {name: torch.zeros(()) for name in ("rigidity", "acceleration", "depth")}
    for moving in fit.objects.values():
        motion = moving.current_motion()
        times = motion.times.tolist()
        if frame not in times:
            continue
        key = times.index(frame)
        around = [k for k in (key - 1, key, key + 1) if 0 <= k < len(times)]
        terms["rigidity"] = terms["rigidity"] + rigidity(motion, around)
        terms["acceleration"] = terms["acceleration"] + acceleration(motion, key)
        terms["depth"] = terms["depth"] + drift_in_depth(motion, key, camera.forward)
    return terms
