"""What is shown of a loop, on a terminal and without one."""

import io
import time

import pytest
from rich.console import Console

from fourfold.training import Progress, progress


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def plain_lines(steps: int, seconds_per_step: float, start: int = 0) -> list[str]:
    clock, output = Clock(), io.StringIO()
    console = Console(file=output, width=200)
    with Progress(steps, "move", start=start, console=console, clock=clock) as progress:
        for step in range(start, steps):
            clock.now += seconds_per_step
            progress.update(step + 1, loss=0.5)
    return output.getvalue().splitlines()


def test_a_line_every_fifteen_seconds_with_loss_and_time_left():
    lines = plain_lines(steps=100, seconds_per_step=0.3)
    assert lines == [
        "move: 50/100 (50%), loss 0.5, 15 s left",
        "move: 100/100 (100%), loss 0.5, in 30 s",
    ]


def test_a_quick_loop_is_one_line():
    assert plain_lines(steps=3, seconds_per_step=0.1) == ["move: 3/3 (100%), loss 0.5, in 0.3 s"]


def test_a_resumed_loop_estimates_from_its_own_speed():
    lines = plain_lines(steps=100, seconds_per_step=1.0, start=70)
    assert lines[0] == "move: 85/100 (85%), loss 0.5, 15 s left"


def test_the_first_step_says_nothing_of_the_time_left():
    """It compiles for 16 seconds; the others take a second."""
    clock, output = Clock(), io.StringIO()
    with Progress(41, "move", console=Console(file=output, width=200), clock=clock) as progress:
        for step in range(1, 42):
            clock.now += 16.0 if step == 1 else 1.0
            progress.update(step)
    assert output.getvalue().splitlines() == [
        "move: 1/41 (2%)",
        "move: 16/41 (39%), 25 s left",
        "move: 31/41 (76%), 10 s left",
        "move: 41/41 (100%), in 56 s",
    ]


def test_a_terminal_gets_a_bar():
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=120)
    with Progress(10, "move", console=console) as progress:
        progress.update(4, loss=0.25)
    assert "4/10" in output.getvalue()
    assert "loss 0.25" in output.getvalue()


def test_a_single_step_is_shown_only_if_it_takes_its_time():
    """Kernels that are in the cache are loaded in a second, and not called compiled."""
    assert plain_lines(steps=1, seconds_per_step=1.0) == []
    assert plain_lines(steps=1, seconds_per_step=4.0) == ["move: 1/1 (100%), loss 0.5, in 4.0 s"]


@pytest.mark.parametrize("patience", [0.05, 60.0])
def test_on_a_terminal_too(monkeypatch: pytest.MonkeyPatch, patience: float):
    monkeypatch.setattr(progress, "_PATIENCE", patience)
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=120)
    with Progress(1, "move", console=console) as bar:
        deadline = time.monotonic() + 0.5 if patience > 1 else time.monotonic() + 10
        while "move" not in output.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
        appeared = "move" in output.getvalue()
        bar.advance()
    assert appeared == ("1/1" in output.getvalue()) == (patience < 1)


def test_disabled_is_silent():
    output = io.StringIO()
    with Progress(3, "move", enabled=False, console=Console(file=output)) as progress:
        progress.update(3, loss=1.0)
    assert output.getvalue() == ""


def test_an_empty_loop_is_done():
    assert plain_lines(steps=0, seconds_per_step=1.0) == ["move: 0/0 (100%), in 0.0 s"]
