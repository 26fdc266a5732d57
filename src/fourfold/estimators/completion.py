"""Filling holes of a picture with pieces of itself.

Wexler, Shechtman and Irani, "Space-Time Completion of Video" (2007), with the search of Barnes et
al., "PatchMatch" (2009): coarse to fine, every patch that touches the hole looks up the most
similar whole patch of the picture, and the pixels of the hole become the mean of what those say.
Own: sources at another height are dearer, since a background changes upwards more than sideways.
"""

import numba
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

RADIUS = 3  # patches of 7x7 pixels, as in PatchMatch
COARSEST_SIDE = 16  # pixels of the shorter side at which the pyramid ends
ROUNDS = 10  # of looking up and averaging at the coarser levels, where it costs little
FINEST_ROUNDS = 2
PASSES = 2  # of propagation and random search, per round
HEIGHT_PRICE = 0.05  # mean squared colour difference for a source a whole image height away
SHARPNESS = 0.0003  # squared difference at which a patch says a quarter; small keeps the grain


def complete(
    image: Float[Tensor, "H W 3"],
    known: Bool[Tensor, "H W"],
    start: Float[Tensor, "H W 3"],
    *,
    sources: Bool[Tensor, "H W"] | None = None,
) -> Float[Tensor, "H W 3"]:
    """Fill the unknown pixels of a picture with pieces of the known ones.

    Args:
        image: in [0, 1]; unknown pixels may be anything.
        known: which pixels are.
        start: the picture with a smooth fill, which decides where no piece fits better.
        sources: the known pixels that pieces may be taken from; all of them by default.

    Returns:
        The picture; `start` where no whole patch is known. Deterministic.
    """
    if known.all():
        return image
    image = torch.where(known[..., None], image, start)  # NaN would spread through the averages
    usable = known if sources is None else known & sources
    levels = [(image.float(), known, start.float(), usable)]
    while min(levels[-1][0].shape[:2]) >= 2 * COARSEST_SIDE:
        levels.append(_half(*levels[-1]))
    filled, matches = None, None
    for finest, (picture, seen, smooth, usable) in reversed(list(enumerate(levels))):
        if filled is not None:
            smooth = torch.where(seen[..., None], picture, _resize(filled, seen.shape))
        rounds = ROUNDS if finest else FINEST_ROUNDS
        filled, matches = _complete_level(picture, seen, smooth, usable, matches, rounds)
    return start if filled is None else filled


def _complete_level(
    picture: Tensor,
    known: Tensor,
    start: Tensor,
    usable: Tensor,
    matches: np.ndarray | None,
    rounds: int,
) -> tuple[Tensor, np.ndarray | None]:
    seen = known.numpy()
    sources = _whole_patches(usable.numpy())
    if not sources.any():
        return start, None
    targets = np.argwhere(_near_hole(seen)).astype(np.int32)
    place = np.full(seen.shape, -1, np.int32)
    place[targets[:, 0], targets[:, 1]] = np.arange(len(targets))
    candidates = np.argwhere(sources).astype(np.int32)
    found = _first_matches(targets, candidates, sources, matches)
    field = torch.where(known[..., None], picture, start).numpy().copy()
    for turn in range(rounds):
        prices = _look_up(field, sources, targets, place, found, candidates, turn)
        _average(field, seen, targets, found, prices)
    whole = np.zeros((*seen.shape, 2), np.int32)
    whole[targets[:, 0], targets[:, 1]] = found
    return torch.from_numpy(field), whole


def _first_matches(
    targets: np.ndarray, candidates: np.ndarray, sources: np.ndarray, coarser: np.ndarray | None
) -> np.ndarray:
    """Start from the coarser level's matches, or anywhere; the seed is the level's size."""
    draw = np.random.default_rng(sources.shape[0])
    found = candidates[draw.integers(len(candidates), size=len(targets))]
    if coarser is not None:
        last = np.array(coarser.shape[:2]) - 1
        row, column = np.minimum(targets // 2, last).T
        guess = coarser[row, column] * 2 + targets % 2
        guess = np.minimum(guess, np.array(sources.shape) - 1)
        usable = sources[guess[:, 0], guess[:, 1]] & (coarser[row, column].sum(axis=1) > 0)
        found[usable] = guess[usable]
    return found


def _whole_patches(known: np.ndarray) -> np.ndarray:
    """Tell the centres of patches that are known and inside throughout."""
    size = 2 * RADIUS + 1
    share = F.avg_pool2d(torch.from_numpy(known)[None, None].float(), size, 1, RADIUS)[0, 0]
    return (share > 1 - 0.5 / size**2).numpy()


def _near_hole(known: np.ndarray) -> np.ndarray:
    """Tell the centres of patches that touch the hole."""
    hole = torch.from_numpy(~known)[None, None].float()
    return (F.max_pool2d(hole, 2 * RADIUS + 1, 1, RADIUS)[0, 0] > 0).numpy()


def _half(
    picture: Tensor, known: Tensor, start: Tensor, usable: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Halve the size; a pixel is known, and usable, when any of its four was."""
    weight = known[..., None].float()

    def pool(x: Tensor) -> Tensor:
        return F.avg_pool2d(x.permute(2, 0, 1)[None], 2, ceil_mode=True)[0].permute(1, 2, 0)

    share = pool(weight)
    colour = pool(picture * weight) / share.clamp(min=1e-6)
    return colour, share[..., 0] > 0, pool(start), pool(usable[..., None].float())[..., 0] > 0


def _resize(image: Tensor, shape: torch.Size) -> Tensor:
    planes = image.permute(2, 0, 1)[None]
    wide = F.interpolate(planes, tuple(shape), mode="bilinear", align_corners=False)
    return wide[0].permute(1, 2, 0)


@numba.njit(cache=True)
def _price(field, row, column, source_row, source_column, best):
    """Mean squared difference of two patches over what lies inside, plus the height's price."""
    height, width = field.shape[0], field.shape[1]
    rise = (row - source_row) / height
    extra = HEIGHT_PRICE * rise * rise
    total, count = 0.0, 0
    for i in range(-RADIUS, RADIUS + 1):
        if row + i < 0 or row + i >= height:
            continue
        for j in range(-RADIUS, RADIUS + 1):
            if column + j < 0 or column + j >= width:
                continue
            for c in range(3):
                step = field[row + i, column + j, c] - field[source_row + i, source_column + j, c]
                total += step * step
            count += 3
        if total > best * 3 * (2 * RADIUS + 1) ** 2:
            return np.inf
    return total / count + extra


@numba.njit(cache=True)
def _look_up(field, sources, targets, place, found, candidates, turn):
    """Improve the matches by PatchMatch, in place; return their prices."""
    height, width = sources.shape
    number = len(targets)
    prices = np.empty(number, np.float64)
    for k in range(number):
        prices[k] = _price(field, targets[k, 0], targets[k, 1], found[k, 0], found[k, 1], np.inf)
    state = np.uint32(12345 + turn)
    for sweep in range(PASSES):
        forward = sweep % 2 == 0
        step = -1 if forward else 1
        for order in range(number):
            k = order if forward else number - 1 - order
            row, column = targets[k, 0], targets[k, 1]
            for axis in range(2):
                i = row + (step if axis == 0 else 0)
                j = column + (step if axis == 1 else 0)
                if i < 0 or j < 0 or i >= height or j >= width or place[i, j] < 0:
                    continue
                other = place[i, j]
                y = found[other, 0] + row - i
                x = found[other, 1] + column - j
                if y < 0 or x < 0 or y >= height or x >= width or not sources[y, x]:
                    continue
                price = _price(field, row, column, y, x, prices[k])
                if price < prices[k]:
                    prices[k], found[k, 0], found[k, 1] = price, y, x
            reach = max(height, width)
            while reach >= 1:
                state = np.uint32(state * np.uint32(1664525) + np.uint32(1013904223))
                y = found[k, 0] + int((state >> np.uint32(8)) % np.uint32(2 * reach + 1)) - reach
                state = np.uint32(state * np.uint32(1664525) + np.uint32(1013904223))
                x = found[k, 1] + int((state >> np.uint32(8)) % np.uint32(2 * reach + 1)) - reach
                reach //= 2
                if y < 0 or x < 0 or y >= height or x >= width or not sources[y, x]:
                    continue
                price = _price(field, row, column, y, x, prices[k])
                if price < prices[k]:
                    prices[k], found[k, 0], found[k, 1] = price, y, x
    return prices


@numba.njit(cache=True)
def _average(field, known, targets, found, prices):
    """Give every pixel of the hole the mean of what the patches over it say, in place."""
    height, width = known.shape
    total = np.zeros((height, width, 3))
    weights = np.zeros((height, width))
    for k in range(len(targets)):
        weight = 1.0 / (SHARPNESS + prices[k]) ** 2
        for i in range(-RADIUS, RADIUS + 1):
            for j in range(-RADIUS, RADIUS + 1):
                row, column = targets[k, 0] + i, targets[k, 1] + j
                if row < 0 or column < 0 or row >= height or column >= width:
                    continue
                if known[row, column]:
                    continue
                for c in range(3):
                    total[row, column, c] += weight * field[found[k, 0] + i, found[k, 1] + j, c]
                weights[row, column] += weight
    for row in range(height):
        for column in range(width):
            if weights[row, column] > 0:
                for c in range(3):
                    field[row, column, c] = total[row, column, c] / weights[row, column]
