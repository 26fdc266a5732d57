"""Adam for tensors of which each step touches a few rows."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from fourfold.fields import _adam_kernels as kernels
from fourfold.kernels import run_parallel

RowState = dict[str, Tensor]


class RowAdam:
    """Adam (Kingma and Ba 2015) that steps only rows with a gradient; own.

    A row is the last dimension of a tensor (M,T,C). One that a step does not touch stays as it is,
    with its moments, as in torch's SparseAdam; but moments are corrected by the row's own number
    of steps, so that one touched for the first time, however late, moves by the learning rate.

    Args:
        parameters: (M,T,C) leaf tensors by name, whose `grad` is sparse over (M,T), as
            `interpolate_rows` leaves it.
        rates: learning rates by group, which is the last part of a parameter's name (`densities`
            of `still.densities`). May be changed between steps.
        betas: how much of the first and second moment each step keeps.
        eps: what is added to the root of the second moment.
    """

    def __init__(
        self,
        parameters: Mapping[str, Tensor],
        rates: Mapping[str, float],
        *,
        betas: tuple[float, float] = (0.9, 0.99),
        eps: float = 1e-8,
    ) -> None:
        self.parameters, self.rates = dict(parameters), dict(rates)
        self.betas, self.eps = betas, eps
        self._corrections = _corrections(*betas)
        self._state = {name: _fresh(tensor) for name, tensor in self.parameters.items()}

    def step(self) -> None:
        """Step every row that has a gradient.

        Raises:
            ValueError: a gradient is not sparse.
        """
        for name, parameter in self.parameters.items():
            if parameter.grad is None:
                continue
            rate = self.rates[name.rpartition(".")[2]]
            entries, gradient = sparse_rows(parameter.grad)
            with torch.no_grad():
                self._step(parameter, self._state[name], entries, gradient, rate)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters.values():
            parameter.grad = None

    def state(self) -> dict[str, RowState]:
        """Give the moments and step counts of every parameter, for a checkpoint."""
        return {name: dict(state) for name, state in self._state.items()}

    def load_state(self, state: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Put back what `state` gave.

        Raises:
            ValueError: it belongs to other parameters.
        """
        if state.keys() != self._state.keys():
            raise ValueError(f"the state is of {sorted(state)}, not {sorted(self._state)}")
        for name, kept in self._state.items():
            for part, tensor in kept.items():
                if state[name][part].shape != tensor.shape:
                    raise ValueError(f"{part} of {name} is {tuple(state[name][part].shape)}")
                tensor.copy_(state[name][part])

    def _step(
        self,
        parameter: Float[Tensor, "M T C"],
        state: RowState,
        entries: Int[Tensor, " E"],
        gradient: Float[Tensor, "E C"],
        rate: float,
    ) -> None:
        rows = [t.view(-1, t.shape[-1]) for t in (parameter, state["first"], state["second"])]
        counts = state["counts"].view(-1)
        if parameter.device.type == "cpu" and parameter.dtype == torch.float32:
            numbers = (np.float32(value) for value in (rate, *self.betas, self.eps))
            run_parallel(
                kernels.step_rows,
                *(entries.numpy(), gradient.contiguous().view(-1).numpy(), gradient.shape[-1]),
                *(*numbers, *self._corrections),
                *(tensor.detach().view(-1).numpy() for tensor in rows),
                counts.numpy(),
            )
        else:
            self._step_slowly(rows, counts, entries, gradient, rate)

    def _step_slowly(
        self,
        rows: list[Float[Tensor, "E C"]],
        counts: Int[Tensor, " E"],
        entries: Int[Tensor, " E"],
        gradient: Float[Tensor, "E C"],
        rate: float,
    ) -> None:
        """Step in plain torch: the twin of the kernel, in any dtype and on any device."""
        values, first, second = rows
        beta1, beta2 = self.betas
        counts[entries] += 1
        number = counts[entries].to(values.dtype).unsqueeze(1)
        m = first[entries].lerp(gradient, 1 - beta1)
        v = second[entries].lerp(gradient.square(), 1 - beta2)
        first[entries], second[entries] = m, v
        root = (v / (1 - beta2**number)).sqrt() + self.eps
        values[entries] -= rate * m / (1 - beta1**number) / root


def sparse_rows(gradient: Tensor) -> tuple[Int[Tensor, " E"], Float[Tensor, "E C"]]:
    """Give the entries (row * T + key) of a sparse gradient over (M,T), each once, and its values.

    The values are those of the gradient itself, where it held every entry once and in order.

    Raises:
        ValueError: the gradient is not sparse.
    """
    if not gradient.is_sparse:
        raise ValueError("a gradient of rows must be sparse; is interpolate_rows its only source?")
    entries, once_and_in_order = _entries(gradient)
    if not once_and_in_order:
        gradient = gradient.coalesce()
        entries, _ = _entries(gradient)
    return entries, gradient._values()


def _entries(gradient: Tensor) -> tuple[Int[Tensor, " E"], bool]:
    row, key = gradient._indices()
    if gradient.device.type != "cpu":
        entries = row * gradient.shape[1] + key
        return entries, bool((entries.diff() > 0).all())
    entries = torch.empty(len(row), dtype=torch.int64)
    arrays = row.contiguous().numpy(), key.contiguous().numpy()
    in_order = kernels.list_entries(*arrays, gradient.shape[1], entries.numpy())
    return entries, bool(in_order)


def _fresh(parameter: Float[Tensor, "M T C"]) -> RowState:
    return {
        "first": torch.zeros_like(parameter, requires_grad=False),
        "second": torch.zeros_like(parameter, requires_grad=False),
        "counts": torch.zeros(parameter.shape[:2], dtype=torch.int32, device=parameter.device),
    }


def _corrections(*betas: float) -> list[np.ndarray]:
    """List 1 / (1 - beta^n) by n, until all are one in float32; those of n = 0 are not used."""
    count = int(np.ceil(np.log(np.finfo(np.float32).eps / 2) / np.log(max(betas))))
    powers = [beta ** np.arange(1, count + 1, dtype=np.float64) for beta in betas]
    return [np.concatenate(([1.0], 1 / (1 - power))).astype(np.float32) for power in powers]
