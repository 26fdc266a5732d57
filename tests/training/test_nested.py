"""Nested tensors under flat names, and back."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fourfold.errors import InputError
from fourfold.training import adam_state, flatten, load_adam_state, unflatten

names = st.text("abcxyz_.-0", min_size=1, max_size=5)
leaves = st.integers(0, 9).map(lambda value: torch.full((value % 3,), float(value)))
trees = st.recursive(
    leaves,
    lambda inner: st.dictionaries(names, inner, max_size=3) | st.lists(inner, max_size=12),
    max_leaves=20,
)


def same(a, b) -> bool:
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return (
        isinstance(b, list)
        and len(a) == len(b)
        and all(same(x, y) for x, y in zip(a, b, strict=True))
    )


@given(st.dictionaries(names, trees, max_size=4))
def test_there_and_back(tree):
    assert same(tree, unflatten(flatten(tree)))


def test_flat_names_are_the_paths():
    flat = flatten({"objects": [{"means": torch.zeros(1)}, {"means": torch.ones(1)}], "none": {}})
    assert sorted(flat) == ["none/{}", "objects/[0]/means", "objects/[1]/means"]


@pytest.mark.parametrize("name", ["", "a/b", "[0]", "{}"])
def test_names_that_would_not_come_back_are_refused(name):
    with pytest.raises(ValueError, match="cannot name"):
        flatten({name: torch.zeros(1)})


def test_what_is_no_tensor_is_refused():
    with pytest.raises(TypeError, match="a/b is a float"):
        flatten({"a": {"b": 1.0}})


def adam_after(steps: int) -> tuple[torch.Tensor, torch.optim.Adam]:
    parameter = torch.tensor([1.0, -2.0], requires_grad=True)
    optimizer = torch.optim.Adam([parameter], lr=0.1)
    take_steps(parameter, optimizer, steps)
    return parameter, optimizer


def take_steps(parameter: torch.Tensor, optimizer: torch.optim.Adam, steps: int) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        parameter.pow(4).sum().backward()
        optimizer.step()


@pytest.mark.parametrize("steps", [0, 3])
def test_adam_goes_on_as_if_never_stopped(steps):
    expected, whole = adam_after(steps)
    state = unflatten(flatten(adam_state(whole)))
    resumed = expected.detach().clone().requires_grad_()
    optimizer = torch.optim.Adam([resumed], lr=7.0)
    load_adam_state(optimizer, state)
    take_steps(expected, whole, 5)
    take_steps(resumed, optimizer, 5)
    assert torch.equal(expected, resumed)


def test_a_loaded_state_is_a_copy():
    _, optimizer = adam_after(2)
    state = adam_state(optimizer)
    other = torch.tensor([0.0, 0.0], requires_grad=True)
    second = torch.optim.Adam([other], lr=0.1)
    load_adam_state(second, state)
    take_steps(other, second, 1)
    assert float(state["moments"][0]["step"]) == 2.0


def test_adam_of_other_parameters_is_refused():
    _, optimizer = adam_after(1)
    state = adam_state(optimizer)
    with pytest.raises(InputError, match=r"has shape \(2,\)"):
        load_adam_state(torch.optim.Adam([torch.zeros(3, requires_grad=True)]), state)
    with pytest.raises(InputError, match="has 1 parameters"):
        load_adam_state(torch.optim.Adam([torch.zeros(2), torch.zeros(2)]), state)
