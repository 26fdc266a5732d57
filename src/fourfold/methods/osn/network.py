"""Training of the object-scale network on occlusion correctness.

OSN (Song et al. 2024), section 3.3. The pseudo-label of a combination of scales says whether the
bodies then hide each other as the masks show; bodies are drawn once, and each combination costs
one blend of their layers, or, with the hard Z-buffer, look-ups only.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from fourfold.methods.osn.config import NetworkConfig
from fourfold.scene import ScaleNetwork
from fourfold.training import generator

NEARBY = 0.05
"""Distance from valid combinations, as a share of the ranges, at which others are drawn."""

Accuracy = Callable[[Float[Tensor, "N k"]], Float[Tensor, " N"]]


def train_network(
    network: ScaleNetwork,
    accuracy: Accuracy,
    scale_ranges: Float[Tensor, "k 2"],
    threshold: float,
    config: NetworkConfig,
    seed: int,
    turn: int,
    valid_places: Float[Tensor, "M k"] | None = None,
) -> list[float]:
    """Train the network in place; return the losses.

    `accuracy` says how right the occlusions of combinations (N,k) of scales are; `turn` counts
    the trainings of a run. Half of the combinations are uniform in the box; where `valid_places`,
    in [0,1], are known, the other half lies around them, NEARBY (standard deviation): of many
    objects, next to nothing in the box is valid.
    """
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    low, high = scale_ranges.unbind(1)
    losses = []
    for step in range(config.iterations):
        random = generator(seed, "network", turn, step)
        variables = torch.rand(config.combinations, len(low), generator=random)
        if valid_places is not None:
            half = variables[::2]
            chosen = torch.randint(len(valid_places), (len(half),), generator=random)
            noise = NEARBY * torch.randn(half.shape, generator=random)
            variables[::2] = (valid_places[chosen] + noise).clamp(0, 1)
        with torch.no_grad():
            valid = pseudo_labels(
                accuracy(low + (high - low) * variables).float(), threshold, config.top_share
            )
        score = network(variables)
        if config.loss == "bce":
            loss = functional.binary_cross_entropy(score.clamp(1e-6, 1 - 1e-6), valid)
        else:
            loss = functional.mse_loss(score, valid)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def pseudo_labels(
    accuracy: Float[Tensor, " N"], threshold: float, top_share: float
) -> Float[Tensor, " N"]:
    """Label combinations 1 where their accuracy exceeds the threshold, else 0.

    Where fewer than `top_share` of them do, those of the best accuracy are labelled 1 instead.

    >>> pseudo_labels(torch.tensor([0.2, 0.9, 0.5, 0.6]), 0.8, 0.5)
    tensor([0., 1., 0., 1.])
    """
    valid = accuracy > threshold
    least = int(top_share * len(accuracy))
    if int(valid.sum()) < least:
        valid = torch.zeros_like(valid)
        valid[accuracy.topk(least).indices] = True
    return valid.float()


def soft_accuracy(
    depths: Float[Tensor, "M K"],
    labels: Int[Tensor, " M"],
    weights: Float[Tensor, " M"],
    beta: float,
) -> Accuracy:
    """Blend the layers of contested pixels softly by depth: share of the body that is seen.

    OSN, equation of the soft Z-buffer: q_k = exp(-beta s_k d_k), normalised over the bodies.
    `depths` at scale 1, infinite where a body is not; `weights` sum to 1.
    """

    def accuracy(scales: Float[Tensor, "N k"]) -> Float[Tensor, " N"]:
        scaled = functional.pad(scales, (1, 0), value=1.0)[:, None, :] * depths
        share = torch.softmax(-beta * scaled, dim=-1)
        seen = share.gather(-1, labels.expand(len(scales), -1)[..., None])[..., 0]
        return seen @ weights if len(weights) else torch.ones(len(scales))

    return accuracy
