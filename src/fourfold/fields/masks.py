"""Masks over grids as bits: an eighth of the bytes."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, UInt8
from torch import Tensor


def pack_mask(mask: Bool[Tensor, "*grid"]) -> UInt8[Tensor, " B"]:
    """Write a mask as bits, eight to a byte, the first one highest; the rest of the last is 0.

    >>> pack_mask(torch.tensor([[True, False, False], [False, True, True]]))
    tensor([140], dtype=torch.uint8)
    """
    return torch.from_numpy(np.packbits(mask.cpu().numpy()))


def unpack_mask(bits: UInt8[Tensor, " B"], shape: Sequence[int]) -> Bool[Tensor, "*grid"]:
    """Read a mask of this shape from what `pack_mask` wrote; on the CPU.

    Raises:
        ValueError: there are not as many bits.

    >>> unpack_mask(torch.tensor([140], dtype=torch.uint8), (2, 3))
    tensor([[ True, False, False],
            [False,  True,  True]])
    """
    count = int(np.prod(shape))
    if len(bits) != -(-count // 8):
        raise ValueError(f"{len(bits)} bytes are no mask of {tuple(shape)}")
    mask = np.unpackbits(bits.cpu().numpy(), count=count).view(bool)
    return torch.from_numpy(mask).view(*shape)
