"""The verb demo: the embedded example from its frames to a video and a report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from fourfold.errors import InputError
from fourfold.verbs.methods import find_method

if TYPE_CHECKING:
    from fourfold.training import Run


@dataclass(frozen=True)
class DemoResult:
    """What the demo made: the run, the rendered videos, the report, the figures."""

    run: Run
    videos: tuple[Path, ...]
    report: Path
    metrics: dict[str, float]


def demo(
    method: str = "dreamscene4d",
    *,
    out: str | Path = "runs/demo",
    overwrite: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> DemoResult:
    """Train a method on the small example that comes with it, render an orbit, and measure it.

    Args:
        method: name of the method.
        out: the run's folder; a demo that was stopped goes on.
        overwrite: begin anew.
        say: is told, in words, what comes next.

    Raises:
        UsageError: `out` holds another run.
        OutputError: it cannot be written.
    """
    from fourfold.verbs.evaluate import evaluate
    from fourfold.verbs.options import InputOptions
    from fourfold.verbs.render import render
    from fourfold.verbs.train import train

    chosen = find_method(method)
    capture = example_path(chosen.example)
    say(f"training {method} on the embedded example {chosen.example}")
    how = InputOptions(**chosen.demo_input)
    run = train(method, capture, out=out, overwrite=overwrite, capture_options=how, **chosen.demo)
    say("rendering it")
    videos = render(run, outputs="rgb", **chosen.demo_render)
    say("measuring it")
    metrics = evaluate(run)
    return DemoResult(run, tuple(videos), run.report_path, metrics)


def example_path(name: str) -> Path:
    """Find an embedded example by its name.

    Raises:
        InputError: this installation has none of that name.
    """
    folder = Path(str(files("fourfold"))) / "data" / "demo" / name
    if not folder.is_dir():
        raise InputError("the embedded example is not there", path=folder, mend="Install again")
    return folder
