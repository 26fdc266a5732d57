"""Adam on rows: torch's Adam where all rows are touched, the first step, threads, checkpoints."""

import pytest
import torch
from torch.testing import assert_close

from fourfold.fields import RowAdam


def sparse(shape, rows, values):
    """Give a gradient over (M,T) at some rows of the first key."""
    place = torch.stack((torch.tensor(rows), torch.zeros(len(rows), dtype=torch.long)))
    return torch.sparse_coo_tensor(place, values, shape, check_invariants=True)


def trained(dtype=torch.float32, steps=30, touched=5, channels=13):
    """Take steps with random gradients for the first rows of 5."""
    generator = torch.Generator().manual_seed(0)
    parameter = torch.zeros(5, 1, channels, dtype=dtype).requires_grad_()
    adam = RowAdam({"still.rows": parameter}, {"rows": 0.1}, betas=(0.9, 0.95))
    for _ in range(steps):
        values = torch.randn(touched, channels, generator=generator).to(dtype)
        parameter.grad = sparse(parameter.shape, list(range(touched)), values)
        adam.step()
    return parameter.detach()


@pytest.mark.parametrize("channels", [1, 13, 20])
def test_like_torchs_adam_where_every_row_is_touched(channels):
    generator = torch.Generator().manual_seed(0)
    leaf = torch.zeros(5, 1, channels, dtype=torch.float64).requires_grad_()
    adam = torch.optim.Adam([leaf], lr=0.1, betas=(0.9, 0.95))
    for _ in range(30):
        leaf.grad = torch.randn(5, channels, generator=generator).double().unsqueeze(1)
        adam.step()
    assert_close(trained(torch.float64, channels=channels), leaf.detach())
    assert_close(trained(channels=channels), leaf.detach().float(), atol=1e-5, rtol=1e-5)


def test_more_steps_than_the_table_of_corrections():
    long = trained(steps=400)
    assert_close(long, trained(torch.float64, steps=400).float(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_row_that_comes_late_moves_by_the_rate_and_others_rest(dtype):
    parameter = torch.zeros(3, 1, 2, dtype=dtype).requires_grad_()
    adam = RowAdam({"rows": parameter}, {"rows": 0.5})
    for row in (0, 0, 0, 2):
        parameter.grad = sparse(parameter.shape, [row], torch.tensor([[3.0, -7.0]]).to(dtype))
        adam.step()
    expected = torch.tensor([[-1.5, 1.5], [0.0, 0.0], [-0.5, 0.5]], dtype=dtype)
    assert_close(parameter.detach()[:, 0], expected)


def test_a_row_given_twice_counts_once_with_the_sum():
    parameter = torch.zeros(3, 1, 1).requires_grad_()
    adam = RowAdam({"rows": parameter}, {"rows": 0.5})
    parameter.grad = sparse(parameter.shape, [1, 0, 1], torch.tensor([[2.0], [1.0], [-3.0]]))
    adam.step()
    assert_close(parameter.detach().flatten(), torch.tensor([-0.5, 0.5, 0.0]))
    assert adam.state()["rows"]["counts"].flatten().tolist() == [1, 1, 0]


def test_a_state_put_back_goes_on_the_same():
    shape, values = (4, 1, 3), torch.ones(4, 3)
    one = torch.zeros(shape).requires_grad_()
    first = RowAdam({"rows": one}, {"rows": 0.1})
    one.grad = sparse(shape, [0, 1, 2, 3], values)
    first.step()
    other = one.detach().clone().requires_grad_()
    second = RowAdam({"rows": other}, {"rows": 0.1})
    second.load_state({name: dict(state) for name, state in first.state().items()})
    for parameter, adam in ((one, first), (other, second)):
        parameter.grad = sparse(shape, [0, 1, 2, 3], -2 * values)
        adam.step()
    assert torch.equal(one, other)


def test_what_does_not_fit_is_refused():
    parameter = torch.zeros(4, 1, 3).requires_grad_()
    adam = RowAdam({"rows": parameter}, {"rows": 0.1})
    with pytest.raises(ValueError, match="the state is of"):
        adam.load_state({"columns": adam.state()["rows"]})
    other = RowAdam({"rows": torch.zeros(5, 1, 3)}, {"rows": 0.1})
    with pytest.raises(ValueError, match="of rows is"):
        adam.load_state(other.state())
    parameter.grad = torch.zeros(4, 1, 3)
    with pytest.raises(ValueError, match="must be sparse"):
        adam.step()
