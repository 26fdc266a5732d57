"""The first stage: the still voxels, fitted to the pictures without what moves."""

from fourfold.fields import VoxelField
from fourfold.methods.mixvoxels.descent import (
    DEPTH_SHARE,
    EXPOSURE_RATE,
    LAST_RATE,
    RATES,
    descend,
    level,
)
from fourfold.methods.mixvoxels.exposures import Exposures
from fourfold.methods.mixvoxels.finish import preview
from fourfold.methods.mixvoxels.fit import FRESH_ALPHA, Fit, Layer
from fourfold.methods.mixvoxels.material import Material
from fourfold.methods.mixvoxels.space_choice import usual_distance
from fourfold.methods.mixvoxels.step import Nearness
from fourfold.training import Checkpoint, Progress, Run, Watch, exponential, generator

LEVELS = ((0.0, 8), (0.1, 4), (0.2, 2), (0.4, 1))
"""From which share of the still stage on the resolution is which part of the finest."""
PRUNE_AT = (0.1, 0.2, 0.4, 1.0)
"""Shares of the stage after which empty voxels are dropped; also before the grid becomes finer."""
NEARNESS = 1e-2
"""Weight at first of what is seen nearer than what all cameras look at, by how much nearer it is.
Where few cameras see a place, matter before each lens shows all that it films: nothing but this
says that it is rather far. It falls to 0 by the time that the grid is at its finest: it is to
choose among surfaces, not to move those that the pictures know."""


def fit_still(material: Material, run: Run, checkpoint: Checkpoint | None) -> Fit:
    """Fit the still voxels to the pictures without what moves, coarse to fine."""
    config, steps = material.config, material.still_steps
    levels = {int(share * steps): level(material, part) for share, part in LEVELS}
    prunes = {int(share * steps) for share in PRUNE_AT}
    if checkpoint is None:
        voxels = VoxelField.dense(levels[0], degree=config.voxels.harmonics, alpha=FRESH_ALPHA)
        exposures = Exposures.none(len(material.footage.views))
        fit, first = Fit(material.space, exposures, Layer(voxels)), 0
    else:
        fit, first = Fit.restore(material.space, checkpoint.tensors), checkpoint.step
    rate, distance = exponential(1.0, LAST_RATE, steps), usual_distance(material.footage)
    with Progress(steps, "still", start=first) as bar:
        watch = Watch(run, "still", bar)
        for step in range(first, steps):
            if step in levels and step > 0:
                fit.still.upsample(levels[step])
            left = max(1.0 - step / (LEVELS[-1][0] * steps), 0.0)
            nearness = Nearness(NEARNESS * left, distance) if left else None
            terms = still_step(fit, material, "still", step, rate(step), nearness)
            if step + 1 in prunes:
                fit.still.prune()
            watch.after(step, terms, fit.tensors)
    run.preview("still", preview(fit, material.footage, 0, only_still=True))
    return fit


def still_step(
    fit: Fit,
    material: Material,
    stage: str,
    step: int,
    rate: float,
    nearness: Nearness | None = None,
) -> dict[str, float]:
    """Fit the still voxels to the pictures without what moves, one step."""
    config = material.config
    random = generator(config.seed, stage, step)
    rate *= config.voxels.learning_rate
    fit.still.set_rate(rate)
    fit.exposures.set_rate(EXPOSURE_RATE * rate)
    batch = material.pixels.still(config.size.rays, DEPTH_SHARE, random)
    return descend(fit, batch, random, material, step, only_still=True, nearness=nearness)


def fit_still_on(fit: Fit, material: Material, run: Run, first: int) -> None:
    """Spend the steps that movers would have had on the still voxels: nothing moves."""
    config = material.config
    steps = config.size.iterations - material.still_steps
    if steps == 0:
        return
    rate = exponential(RATES[0], RATES[0] * LAST_RATE, steps)
    with Progress(steps, "moving", start=first) as bar:
        watch = Watch(run, "moving", bar)
        for step in range(first, steps):
            terms = still_step(fit, material, "moving", step, rate(step))
            watch.after(step, terms, fit.tensors)
