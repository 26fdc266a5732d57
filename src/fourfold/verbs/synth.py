"""The verb synth: a made-up scene with exact truth, rendered by an independent renderer."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fourfold.errors import UsageError
from fourfold.verbs.methods import changed


@dataclass(frozen=True)
class SynthOptions:
    """Size and length of a synthetic capture."""

    width: int = 480
    """Width of the frames in pixels."""
    height: int = 300
    """Height of the frames in pixels."""
    frames: int = 24
    """Number of frames, spread over the scene's duration."""
    samples: int = 64
    """Light paths per pixel: more take longer and leave less noise."""
    seed: int = 0
    """Seed of textures and noise."""


def synth(
    scene: str,
    *,
    out: str | Path,
    options: SynthOptions | None = None,
    overwrite: bool = False,
    progress: bool = True,
    **changes: Any,
) -> Path:
    """Render a synthetic scene as a capture, with its truth (depth, tracks, novel views).

    Needs the extra `synthetic` (Mitsuba).

    Args:
        scene: its name, such as "juggler".
        out: folder of the capture.
        options: size and length; `changes` are single options given by name.
        overwrite: replace what is there.
        progress: show how far it is.

    Raises:
        UsageError: no such scene, or `out` is there and not to be overwritten.
        MissingDependencyError: Mitsuba is not installed.
        OutputError: it cannot be written; what was there stays.
    """
    from fourfold.synthetic import synthesize
    from fourfold.training import Progress

    options = changed(SynthOptions() if options is None else options, changes)
    if Path(out).exists() and not overwrite:
        raise UsageError("already there", path=out, mend="Choose another folder, or --overwrite")
    with Progress(options.frames, f"rendering {scene}", enabled=progress) as bar:
        return synthesize(
            scene, out, progress=lambda done, total: bar.update(done), **asdict(options)
        )
