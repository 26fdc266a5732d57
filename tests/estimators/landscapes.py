"""A valley of flat colours: sky down to row 80, level ground, a red house that stands on it."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.geometry import Camera
from tests.estimators.scenes import texture

HEIGHT, WIDTH = 240, 320
HORIZON = 80
HOUSE = slice(60, 180), slice(100, 160)


def camera() -> Camera:
    return Camera.from_fov(WIDTH, HEIGHT, 45.0)


def house() -> Bool[Tensor, "H W"]:
    mask = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    mask[HOUSE] = True
    return mask


def rows(first: int, last: int) -> Bool[Tensor, "H W"]:
    mask = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    mask[first:last] = True
    return mask


def valley(with_house: bool = True) -> Float[Tensor, "H W 3"]:
    """Paint a blue gradient over green grass with grain."""
    image = torch.empty(HEIGHT, WIDTH, 3)
    pale = torch.linspace(0, 1, HORIZON)[:, None, None]
    deep, light = torch.tensor([0.25, 0.45, 0.8]), torch.tensor([0.7, 0.8, 0.95])
    image[:HORIZON] = deep.lerp(light, pale)
    image[HORIZON:] = torch.tensor([0.25, 0.4, 0.1])
    image[HORIZON:] += 0.1 * (texture(HEIGHT - HORIZON, WIDTH) - 0.5)
    if with_house:
        image[HOUSE] = torch.tensor([0.6, 0.15, 0.1])
    return image
