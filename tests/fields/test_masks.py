"""Masks as bits."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fourfold.fields import pack_mask, unpack_mask

SIZES = st.integers(0, 9)


@given(st.tuples(SIZES, SIZES, SIZES), st.integers(0, 2**32))
def test_a_mask_comes_back_from_an_eighth_of_its_bytes(shape, seed):
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < 0.5
    bits = pack_mask(mask)
    assert bits.nbytes == -(-mask.numel() // 8)
    assert torch.equal(unpack_mask(bits, shape), mask)


@pytest.mark.parametrize("shape", [(2, 4), (3, 6)])
def test_a_mask_of_another_size_is_refused(shape):
    bits = pack_mask(torch.ones(3, 5, dtype=torch.bool))
    with pytest.raises(ValueError, match="2 bytes are no mask of"):
        unpack_mask(bits, shape)
