"""The scores of a scene's test views: over valid scales, at the best of them, at the true ones."""

from collections.abc import Iterable, Iterator, Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.capture import Capture, RigidTruth
from fourfold.evaluation import Lpips, mean_of_records, mean_over_frames
from fourfold.methods.osn.views import Protocol, Record, Shown
from fourfold.scene import SAFE_MARGIN, ScaleSet, Scene
from fourfold.training import Progress, generator

SAMPLES = 64
"""Valid combinations that the mean is over, and of which the oracle takes the best."""
SAMPLES_PER_TRUTH = 16
"""The same for each of several true combinations."""


@torch.no_grad()
def score_scenes(
    scene: Scene,
    scale_set: ScaleSet,
    capture: Capture,
    truth: RigidTruth,
    seed: int,
    lpips: Lpips | None = None,
) -> Record:
    """Score the test views at valid samples, the best of them, and the true scales.

    With several true combinations the mean over these, each against the same samples.
    """
    views = truth.test_views()
    if not views:
        return {}
    filmed, random = Protocol.of(scene, capture, views, lpips), generator(seed, "evaluate")
    true, combinations = _known_scales(truth), truth.combinations
    if true is None or combinations is None or len(true) == 1:
        samples = scale_set.sample(SAMPLES, random, SAFE_MARGIN).scales.double()
        relative = None if true is None else true[1:] / true[0]
        return _score_truth(filmed, _show(filmed, samples, true), relative)
    samples = scale_set.sample(SAMPLES_PER_TRUTH, random, SAFE_MARGIN).scales.double()
    # seen from the same cameras whatever is true: drawn once
    shown, records = list(_show(filmed, samples, true)), []
    with Progress(len(combinations), "scoring true combinations") as progress:
        for number, factors in enumerate(combinations):
            protocol = Protocol.of(scene, capture, truth.test_views(number), lpips)
            records.append(_score_truth(protocol, shown, true[1:] / true[0] * factors))
            progress.advance()
    return mean_of_records(records)


def _known_scales(truth: RigidTruth) -> Float[Tensor, " K"] | None:
    """Read the true units per unit of each body; None where one is not known."""
    scales = truth.scales()
    return None if scales is None or bool(scales.isnan().any()) else scales


def _show(
    protocol: Protocol, samples: Float[Tensor, "N k"], true: Float[Tensor, " K"] | None
) -> Iterator[Shown]:
    with Progress(len(samples), "drawing samples") as progress:
        for sample in samples:
            yield protocol.show(sample, true)
            progress.advance()


def _score_truth(
    protocol: Protocol, shown: Iterable[Shown], true_scales: Float[Tensor, " k"] | None
) -> Record:
    """Score what is shown at samples against one truth, and the scene at its scales."""
    records, ceilings, samples = [], [], []
    for each in shown:
        records.append(protocol.score(each))
        ceilings.append(protocol.ceiling(each))
        samples.append(each.scales)
    best = max(range(len(records)), key=lambda index: records[index]["psnr"])
    scores = mean_of_records(records) | _prefixed(records[best], "oracle_")
    if true_scales is not None:
        at_truth = protocol.score(protocol.show(true_scales))
        scores |= _prefixed(at_truth, "true_scale_")
        if len(true_scales):
            scores["scale_mse"] = float((samples[best] - true_scales).square().mean())
    known = [value for value in ceilings if value is not None]
    return scores | ({"ceiling_psnr": mean_over_frames(known)} if known else {})


def _prefixed(record: Mapping[str, float], prefix: str) -> Record:
    return {prefix + key: value for key, value in record.items()}
