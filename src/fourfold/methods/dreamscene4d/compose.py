"""The stage compose: bring each object to its depth, without changing the picture."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.geometry import Camera, project_points
from fourfold.methods.dreamscene4d.draft import Draft, control_nodes
from fourfold.scene import SceneObject


def compose(draft: Draft) -> Draft:
    """Scale every object about the camera so that its depth is the arranged one.

    While everything is fitted to pictures, an object can drift along the viewing rays unseen. One
    factor per object takes that back; about the camera centre it is invariant under projection.
    The factors are added to the notes.
    """
    fronts, factors = [], {}
    for index, front in enumerate(draft.fronts):
        wanted = torch.tensor(draft.notes["depth"]["paths"][index])
        factor = _factor(front, draft.cameras, wanted)
        factors[front.name] = factor
        fronts.append(rescale(front, draft.cameras, factor))
    notes = {**draft.notes, "depth": {**draft.notes["depth"], "factors": factors}}
    return replace(draft, fronts=fronts, notes=notes)


def _factor(front: SceneObject, cameras: list[Camera], wanted: Float[Tensor, " T"]) -> float:
    """Compare the median depth of an object's middle plane with the one it should have."""
    motion, ratios = control_nodes(front), []
    for time in motion.times.tolist():
        means = motion.move_points(motion.nodes, time)
        _, depth = project_points(cameras[int(time)], means)
        ratios.append(torch.log(wanted[int(time)] / depth.median()))
    return float(torch.stack(ratios).median().exp())


def rescale(front: SceneObject, cameras: list[Camera], factor: float) -> SceneObject:
    """Scale an object about the camera centre of each key frame."""
    motion = control_nodes(front)
    centers = torch.stack([cameras[int(time)].position for time in motion.times.tolist()])
    moved = replace(
        motion,
        translations=centers + factor * (motion.translations - centers),
        log_scales=motion.log_scales + torch.log(torch.tensor(factor)),
    )
    return replace(front, motion=moved)
