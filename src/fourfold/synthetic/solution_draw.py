"""Scale combinations that match one video equally well, drawn from the true valid set."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fourfold.errors import UsageError
from fourfold.scene.scale_set.brute_force import brute_force_accuracy

# Clearly valid: above the 0.99 from which a combination counts, so that rounding cannot move one
# out. A farthest-point choice prefers the rim.
CLEARLY_VALID = 0.995
_CANDIDATES = 40_000


def draw_solutions(
    layers: Sequence[Float[Tensor, "K H W"]],
    labels: Sequence[Int[Tensor, "H W"]],
    ranges: Float[Tensor, "J 2"],
    count: int,
    seed: int,
) -> Float[Tensor, "M J"]:
    """Draw combinations of factors under which the frames show what they show.

    By brute force: uniform draws in the box of the ranges, of which those remain whose occlusion
    accuracy over the true layers exceeds `CLEARLY_VALID`; then the filmed one, 1 for all, and
    each time the one that is farthest from those chosen, in shares of the ranges (own; after
    Gonzalez 1985).

    Args:
        ranges: lowest and highest factor of each object over the filmed geometry.

    Raises:
        UsageError: fewer than `count` of the draws are valid.
    """
    random = torch.Generator().manual_seed(seed)
    shares = torch.rand(_CANDIDATES, len(ranges), generator=random)
    width = ranges[:, 1] - ranges[:, 0]
    drawn = torch.cat((torch.ones(1, len(ranges)), ranges[:, 0] + shares * width))
    valid = drawn[brute_force_accuracy(layers, labels, drawn) > CLEARLY_VALID]
    if len(valid) < count:
        raise UsageError(
            f"{len(valid)} of {len(drawn)} combinations of scales are valid",
            expected=f"{count} or more, to be filmed",
            mend="Film more or larger frames: --frames, --width, --height",
        )
    return valid[spread(valid / width, count)]


def spread(points: Float[Tensor, "N J"], count: int) -> Int[Tensor, "M"]:
    """Choose points far from one another: the first, then each time the farthest from the chosen.

    >>> spread(torch.tensor([[0.0], [1.0], [5.0], [4.0]]), 3)
    tensor([0, 2, 1])
    """
    chosen = [0]
    distance = (points - points[0]).norm(dim=1)
    for _ in range(count - 1):
        chosen.append(int(distance.argmax()))
        distance = torch.minimum(distance, (points - points[chosen[-1]]).norm(dim=1))
    return torch.tensor(chosen)
