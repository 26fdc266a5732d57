"""The verb train: a capture becomes a scene, in a run that can be stopped and resumed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fourfold.errors import UsageError
from fourfold.verbs.methods import changed, find_method
from fourfold.verbs.options import FootageOptions

if TYPE_CHECKING:
    from fourfold.capture import Capture
    from fourfold.training import Run


def train(
    method: str,
    capture: Capture | str | Path,
    *,
    out: str | Path,
    config: Any = None,
    overwrite: bool = False,
    capture_options: FootageOptions | None = None,
    **changes: Any,
) -> Run:
    """Train a method on a capture, or go on where a stopped training of the same settings was.

    Args:
        method: name of the method, such as "dreamscene4d".
        capture: an open capture, or the path of one, read with `capture_options`.
        out: the run's folder.
        config: the method's settings; `changes` are single ones given by name.
        overwrite: begin anew in a run that is there.

    Raises:
        InputError: the capture cannot be used, or lacks what the method needs.
        UsageError: `out` holds another run, or something else; unknown settings.
        OutputError: the run cannot be written.
        ResultError: the training ended with a scene that fails its checks.
    """
    from fourfold.verbs.captures import open_with, remember_options

    chosen = find_method(method)
    kind: Any = chosen.load("config")
    settings = kind() if config is None else config
    if not isinstance(settings, kind):
        raise UsageError(
            f"settings of another kind, {type(settings).__name__}",
            expected=kind.__name__,
        )
    settings = changed(settings, changes)
    capture, options = open_with(capture, capture_options)
    run = chosen.load("train")(capture, Path(out), settings, overwrite)
    remember_options(run, options)
    return run
