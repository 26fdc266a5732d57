"""Learning rates and weights as functions of the step."""

from collections.abc import Callable, Mapping

from torch.optim import Optimizer

Schedule = Callable[[int], float]


def exponential(start: float, end: float, steps: int) -> Schedule:
    """Go from start at step 0 to end at step `steps` by equal factors, and stay there.

    value = start^(1-s) end^s with s = step / steps, the decay of 3D Gaussian splatting's means.

    >>> rate = exponential(1.0, 0.01, steps=100)
    >>> [round(rate(step), 4) for step in (0, 50, 100, 200)]
    [1.0, 0.1, 0.01, 0.01]
    """
    if start <= 0 or end <= 0:
        raise ValueError(f"an exponential schedule needs positive ends, got {start} and {end}")
    return lambda step: start * (end / start) ** _share(step, steps)


def linear(start: float, end: float, steps: int) -> Schedule:
    """Go from start at step 0 to end at step `steps` by equal differences, and stay there.

    >>> weight = linear(0.0, 2.0, steps=10)
    >>> [weight(step) for step in (0, 5, 10, 20)]
    [0.0, 1.0, 2.0, 2.0]
    """
    return lambda step: start + (end - start) * _share(step, steps)


def set_learning_rates(
    optimizers: Mapping[str, Optimizer], schedules: Mapping[str, Schedule], step: int
) -> None:
    """Give every parameter group of the named optimizers its learning rate at a step."""
    for name, schedule in schedules.items():
        for group in optimizers[name].param_groups:
            group["lr"] = schedule(step)


def _share(step: int, steps: int) -> float:
    return min(max(step / steps, 0.0), 1.0) if steps > 0 else 1.0
