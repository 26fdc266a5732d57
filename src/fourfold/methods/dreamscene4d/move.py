"""The stage move: fit objects, their motion, the background and the cameras to trained frames."""

import time

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.geometry import Camera
from fourfold.methods.dreamscene4d.clip import Clip
from fourfold.methods.dreamscene4d.config import DreamScene4DConfig
from fourfold.methods.dreamscene4d.draft import Draft
from fourfold.methods.dreamscene4d.drawing import draw_view
from fourfold.methods.dreamscene4d.fit import Fit, finish_fit, start_fit
from fourfold.methods.dreamscene4d.flows import ObjectFlows
from fourfold.methods.dreamscene4d.growth import Growth, most_gaussians
from fourfold.methods.dreamscene4d.step import REBIND, fit_step
from fourfold.methods.dreamscene4d.views import whole_frame
from fourfold.priors import PRIORS
from fourfold.training import Checkpoint, Progress, Run

CHECKPOINT_SECONDS = 20.0
"""A kill loses little more work than this. When a checkpoint is written does not change the result:
it is only before a step that binds the Gaussians to their nodes anew, as loading it does too."""
LOG_EVERY = 10
PREVIEWS = 6
"""Pictures of the training, evenly spread over its steps."""


def move(
    draft: Draft, clip: Clip, run: Run, config: DreamScene4DConfig, resume: Checkpoint
) -> Draft:
    """Optimise everything together, going on where a checkpoint of this stage stopped."""
    steps = config.move.iterations + config.move.iterations_per_frame * len(clip.trained)
    fit = start_fit(draft, PRIORS[config.prior])
    first = 0
    if resume.stage == "move":
        first = resume.step
        fit.load(resume.tensors["fit"])
    most = most_gaussians(clip, config.move.max_gaussians_per_object)
    growth = Growth(fit, most, config.seed)
    if resume.stage == "move":
        growth.load(resume.tensors["growth"])
    flows = ObjectFlows(clip)
    saved = time.monotonic()
    with Progress(steps, "move", start=first) as progress:
        for step in range(first, steps):
            terms = fit_step(fit, clip, draft.cameras, flows, growth, config, step, steps)
            progress.update(step + 1, **_losses(terms))
            if step % LOG_EVERY == 0:
                run.log("move", step, **terms)
            if step % max(steps // PREVIEWS, 1) == 0:
                run.preview(f"move-{step:05d}", _preview(fit, clip, draft.cameras))
            if (step + 1) % REBIND == 0 and time.monotonic() - saved > CHECKPOINT_SECONDS:
                tensors = {"draft": draft.tensors(), "fit": fit.state(), "growth": growth.state()}
                run.save_checkpoint("move", step + 1, tensors, {"notes": draft.notes})
                saved = time.monotonic()
    return finish_fit(fit, draft)


def _losses(terms: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in terms.items() if name.endswith("loss")}


@torch.no_grad()
def _preview(fit: Fit, clip: Clip, cameras: list[Camera]) -> Float[Tensor, "H W2 3"]:
    """Put the middle trained frame beside its drawing."""
    frame = clip.trained[len(clip.trained) // 2]
    drawing = draw_view(fit, clip, cameras, whole_frame(clip, frame))
    return torch.cat([clip.image(frame), drawing.colors.clamp(0, 1)], 1)
