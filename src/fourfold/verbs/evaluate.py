"""The verb eval: what a run's scene is worth, as figures and a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fourfold.verbs.methods import find_method

if TYPE_CHECKING:
    from fourfold.capture import Capture
    from fourfold.training import Run


def evaluate(
    run: Run | str | Path, capture: Capture | None = None, *, lpips: str | Path | None = None
) -> dict[str, float]:
    """Measure a run by its method's own protocol; writes `metrics.json` and `report.html` into it.

    Args:
        run: a run or its folder.
        capture: what it was trained on, where it has moved or was opened by hand.
        lpips: safetensors file of LPIPS's weights (see `fourfold.evaluation.Lpips.load`); without
            it the figures have no lpips.

    Returns:
        the figures, under the keys of docs/evaluation.md.

    Raises:
        InputError: no run, no scene in it, its capture is gone or was changed, or the weights
            cannot be read.
    """
    from fourfold.evaluation import Lpips
    from fourfold.verbs.captures import capture_of
    from fourfold.verbs.scenes import load_run, load_scene

    run = load_run(run)
    load_scene(run)  # say what is missing before the capture is read
    metric = None if lpips is None else Lpips.load(lpips)
    return find_method(run.method).load("evaluate")(run, capture or capture_of(run), metric)
