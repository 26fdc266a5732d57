"""LPIPS with small random weights: the metric's shape, and none of its judgement."""

import torch

from fourfold.evaluation import Lpips

CHANNELS = (3, 4, 5, 6, 4, 3)
SIZES = (11, 5, 3, 3, 3)
NAMES = ("net.slice1.0", "net.slice2.3", "net.slice3.6", "net.slice4.8", "net.slice5.10")


def small_weights() -> dict[str, torch.Tensor]:
    """Give weights with the names of the authors' state dict, of an AlexNet with few channels."""
    generator = torch.Generator().manual_seed(0)
    found = {}
    for k, name in enumerate(NAMES):
        shape = (CHANNELS[k + 1], CHANNELS[k], SIZES[k], SIZES[k])
        found[f"{name}.weight"] = 0.2 * torch.randn(shape, generator=generator)
        found[f"{name}.bias"] = 0.1 * torch.randn(shape[0], generator=generator)
        found[f"lin{k}.model.1.weight"] = torch.rand(1, shape[0], 1, 1, generator=generator)
    return found


def small_lpips() -> Lpips:
    """Build the metric of these weights."""
    weights = small_weights()
    kernels = tuple(weights[f"{name}.weight"] for name in NAMES)
    biases = tuple(weights[f"{name}.bias"] for name in NAMES)
    heads = tuple(weights[f"lin{k}.model.1.weight"].flatten() for k in range(len(NAMES)))
    return Lpips(kernels, biases, heads)
