"""A toy training that is killed again and again; run by test_kill.py in a process of its own.

python killed_training.py moments FOLDER: trains `FOLDER/whole` in one go and `FOLDER/killed` with
SIGKILL at random moments; prints how many struck.
python killed_training.py writes FOLDER: trains `FOLDER/whole` in one go and `FOLDER/<n>` with a
sudden end at its n-th write to the disk, for the first forty of them.

Each attempt is a fork of this process, so that torch is imported only once.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file

from fourfold.training import Run, adam_state, exponential, generator, load_adam_state

STEPS = 40
SAVE_EVERY = 5
KILLS = 10
LAST_WRITE = 40


@dataclass(frozen=True)
class Config:
    seed: int = 0
    rate: float = 0.05


def train(out: Path) -> None:
    """Fit a small linear map to noisy samples, with everything a method does with its run."""
    config = Config()
    with Run.open(
        out, method="toy", config=config, capture_path="toy", capture_fingerprint="0"
    ) as run:
        weights = torch.zeros(64, 3, requires_grad=True)
        optimizer = torch.optim.Adam([weights], lr=config.rate)
        first = 0
        if (checkpoint := run.latest_checkpoint()) is not None:
            first = checkpoint.step
            with torch.no_grad():
                weights.copy_(checkpoint.tensors["weights"])
            load_adam_state(optimizer, checkpoint.tensors["adam"])
        rate = exponential(config.rate, config.rate / 10, STEPS)
        for step in range(first, STEPS):
            optimizer.param_groups[0]["lr"] = rate(step)
            samples = torch.randn(32, 64, generator=generator(config.seed, "samples", step))
            loss = (samples @ weights - samples[:, :3]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            run.log("fit", step, loss=loss)
            if (step + 1) % SAVE_EVERY == 0:
                state = {"weights": weights, "adam": adam_state(optimizer)}
                run.save_checkpoint("fit", step + 1, state)
        save_file({"weights": weights.detach()}, out / "result.safetensors")


def attempt(action: Callable[[], None]) -> int:
    """Run an action in a fork of this process and return its id."""
    child = os.fork()
    if child == 0:
        action()
        os._exit(0)
    return child


def killed_after(seconds: float, out: Path) -> bool:
    """Train, and kill -9 the training after a while; False when it had ended before."""
    child = attempt(lambda: train(out))
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1] != 0


def crashed_training(number: int, out: Path) -> None:
    """Train, and end without a goodbye at the n-th rename, sync, removal or new folder."""
    count = 0

    def crashing(function: Callable) -> Callable:
        def wrapper(*args, **kwargs):
            nonlocal count
            count += 1
            if count == number:
                os._exit(9)
            return function(*args, **kwargs)

        return wrapper

    for name in ("replace", "fsync", "unlink", "rmdir", "mkdir"):
        setattr(os, name, crashing(getattr(os, name)))
    train(out)


def kill_at_random_moments(folder: Path) -> None:
    began = time.perf_counter()
    os.waitpid(attempt(lambda: train(folder / "whole")), 0)
    duration = time.perf_counter() - began
    moments = random.Random(0)
    kills = sum(
        killed_after(moments.uniform(0.0, 0.4 * duration), folder / "killed") for _ in range(KILLS)
    )
    os.waitpid(attempt(lambda: train(folder / "killed")), 0)
    print(kills)


def crash_at_every_write(folder: Path) -> None:
    # Processes die here, not the machine: waiting for the disk would prove nothing.
    os.fsync = lambda handle: None
    os.waitpid(attempt(lambda: train(folder / "whole")), 0)
    for number in range(1, LAST_WRITE + 1):
        out = folder / str(number)
        os.waitpid(attempt(lambda n=number, o=out: crashed_training(n, o)), 0)
        os.waitpid(attempt(lambda o=out: train(o)), 0)


def main(mode: str, folder: Path) -> None:
    torch.set_num_threads(1)
    # What is imported here once need not be imported by every fork.
    train(folder / "first")
    {"moments": kill_at_random_moments, "writes": crash_at_every_write}[mode](folder)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
