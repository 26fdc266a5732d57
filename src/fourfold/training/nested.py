"""Nested dictionaries and lists of tensors, under flat names and in optimizers."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from fourfold.errors import InputError

# Markers of empty containers, which would otherwise leave no trace among the flat names.
_EMPTY = {"{}": dict, "[]": list}

Nested = Mapping[str, Any] | list[Any] | tuple[Any, ...] | Tensor


def flatten(nested: Nested, prefix: str = "") -> dict[str, Tensor]:
    """Give every tensor of nested dictionaries and lists one name, the path to it.

    List items are written `[i]`; `unflatten` is the inverse, with tuples turned into lists.

    Raises:
        ValueError: a name is empty, holds a slash or begins like a list item.
        TypeError: something is neither a container nor a tensor.

    >>> sorted(flatten({"nodes": {"means": torch.zeros(2)}, "scales": [torch.ones(1)]}))
    ['nodes/means', 'scales/[0]']
    """
    if isinstance(nested, Tensor):
        return {prefix: nested}
    if isinstance(nested, Mapping):
        items = [(_check_name(name), value) for name, value in nested.items()]
    elif isinstance(nested, list | tuple):
        items = [(f"[{index}]", value) for index, value in enumerate(nested)]
    else:
        raise TypeError(f"{prefix or 'the checkpoint'} is a {type(nested).__name__}, not a tensor")
    if not items:
        marker = "{}" if isinstance(nested, Mapping) else "[]"
        return {_join(prefix, marker): torch.zeros(0, dtype=torch.uint8)}
    flat: dict[str, Tensor] = {}
    for name, value in items:
        flat |= flatten(value, _join(prefix, name))
    return flat


def unflatten(flat: Mapping[str, Tensor]) -> dict[str, Any]:
    """Rebuild the nested dictionaries and lists that `flatten` took apart."""
    tree: dict[str, Any] = {}
    for name, tensor in flat.items():
        *parents, leaf = name.split("/")
        branch = tree
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[leaf] = tensor
    return _restore_lists(tree)


def adam_state(optimizer: Optimizer) -> dict[str, Any]:
    """Take the moments, step counts and learning rates of an Adam optimizer, as nested tensors."""
    states = []
    for parameter in _parameters(optimizer):
        state = optimizer.state.get(parameter, {})
        states.append({name: torch.as_tensor(value) for name, value in state.items()})
    rates = [float(group["lr"]) for group in optimizer.param_groups]
    return {"moments": states, "rates": torch.tensor(rates, dtype=torch.float64)}


def load_adam_state(optimizer: Optimizer, state: Mapping[str, Any]) -> None:
    """Put back what `adam_state` took, into an optimizer over parameters of the same shapes.

    Raises:
        InputError: the state belongs to other parameters.
    """
    parameters = _parameters(optimizer)
    if len(parameters) != len(state["moments"]):
        raise InputError(
            f"the checkpoint's optimizer has {len(state['moments'])} parameters",
            expected=str(len(parameters)),
        )
    for parameter, moments in zip(parameters, state["moments"], strict=True):
        optimizer.state[parameter] = {
            name: _fit(value, parameter, name) for name, value in moments.items()
        }
    for group, rate in zip(optimizer.param_groups, state["rates"].tolist(), strict=True):
        group["lr"] = rate


def _check_name(name: str) -> str:
    if not name or "/" in name or name.startswith("[") or name in _EMPTY:
        raise ValueError(f"{name!r} cannot name a part of a checkpoint")
    return name


def _join(prefix: str, name: str) -> str:
    return f"{prefix}/{name}" if prefix else name


def _restore_lists(tree: Any) -> Any:
    if not isinstance(tree, dict):
        return tree
    for marker, container in _EMPTY.items():
        if marker in tree:
            return container()
    branches = {name: _restore_lists(branch) for name, branch in tree.items()}
    if "[0]" in branches:
        return [branches[f"[{index}]"] for index in range(len(branches))]
    return branches


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _fit(value: Tensor, parameter: Tensor, name: str) -> Tensor:
    # Adam keeps its step count on the CPU, its moments where the parameter is.
    if name == "step":
        return value.clone()
    if value.shape != parameter.shape:
        raise InputError(
            f"the checkpoint's {name} has shape {tuple(value.shape)}",
            expected=str(tuple(parameter.shape)),
        )
    return value.to(parameter.device, copy=True)
