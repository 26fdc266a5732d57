"""Where a steady flow carries the places of a picture: Euler paths of a velocity field."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

# A step of the midpoint rule may cross this many pixels of the field.
_STEP_PIXELS = 2.0


def sample_map(
    values: Float[Tensor, "H W C"], places: Float[Tensor, "N 2"], nearest: bool = False
) -> Float[Tensor, "N C"]:
    """Read a map at places in its pixels (centres at +0.5), bilinear; its rim goes on outside.

    Differentiable in both.
    """
    height, width = values.shape[:2]
    unit = places / places.new_tensor([width, height]) * 2.0 - 1.0
    read = functional.grid_sample(
        values.permute(2, 0, 1).unsqueeze(0),
        unit.view(1, -1, 1, 2),
        mode="nearest" if nearest else "bilinear",
        padding_mode="border",
        align_corners=False,
    )
    return read[0, :, :, 0].T


def advect(
    velocity: Float[Tensor, "H W 2"],
    places: Float[Tensor, "N 2"],
    frames: Float[Tensor, " N"] | float,
) -> Float[Tensor, "N 2"]:
    """Follow places along a steady velocity field for `frames` each, backward where negative.

    Midpoint rule, in equal steps of at most two pixels. `velocity` in the field's pixels per
    frame, x then y; `places` in its pixels. Differentiable.
    """
    time = torch.as_tensor(frames, dtype=places.dtype).expand(len(places))
    if len(places) == 0:
        return places
    fastest = float(torch.linalg.vector_norm(velocity.detach(), dim=-1).amax())
    steps = max(math.ceil(fastest * float(time.abs().amax()) / _STEP_PIXELS), 1)
    step = (time / steps).unsqueeze(-1)
    for _ in range(steps):
        middle = places + 0.5 * step * sample_map(velocity, places)
        places = places + step * sample_map(velocity, middle)
    return places


def flow_maps(
    velocity: Float[Tensor, "H W 2"], frames: Float[Tensor, "H W"], keys: int, stride: int
) -> Float[Tensor, "S h w 2"]:
    """Tabulate how far a flow carries every `stride`-th pixel, in S = 2 * keys + 1 steps.

    Entry k is the displacement in pixels after (k - keys) / keys of the pixel's own `frames`:
    the first half of the table leads back.
    """
    height, width = velocity.shape[:2]
    rows = torch.arange(0.5 * stride, max(height, stride), stride)
    columns = torch.arange(0.5 * stride, max(width, stride), stride)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    start = torch.stack((x, y), dim=-1).reshape(-1, 2).to(velocity)
    step = sample_map(frames.unsqueeze(-1), start, nearest=True)[:, 0] / keys
    table = [torch.zeros_like(start)]
    for direction in (-1.0, 1.0):
        place, half = start, []
        for _ in range(keys):
            place = advect(velocity, place, direction * step)
            half.append(place - start)
        table = half[::-1] + table if direction < 0 else table + half
    return torch.stack(table).view(-1, len(rows), len(columns), 2)
