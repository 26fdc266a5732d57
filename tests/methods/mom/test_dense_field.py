import pytest
import torch

from fourfold.errors import InputError
from fourfold.methods.mom.dense_field import clean_field


def test_a_field_counts_inside_the_regions_only_and_gaps_are_filled() -> None:
    field = torch.tensor([[[1.0, 0.0], [3.0, 4.0], [float("nan"), 0.0], [4.0, 0.0]]])
    moving = torch.tensor([[False, True, True, False]])
    found = clean_field(field, moving)
    assert found.velocity.tolist() == [[[0.0, 0.0], [3.0, 4.0], [3.0, 4.0], [0.0, 0.0]]]
    assert found.filled == 0.5
    assert found.outside == pytest.approx(5.0 / 10.0)
    assert (found.median_speed, found.largest_speed) == (5.0, 5.0)


def test_a_field_that_moves_nothing_is_one_clear_error() -> None:
    moving = torch.tensor([[True, False]])
    with pytest.raises(InputError, match="rests in all moving regions"):
        clean_field(torch.tensor([[[float("nan"), 0.0], [1.0, 1.0]]]), moving)
    with pytest.raises(InputError, match="masks are empty"):
        clean_field(torch.ones(1, 2, 2), torch.zeros(1, 2, dtype=torch.bool))
