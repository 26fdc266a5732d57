"""The verb synth: a made-up scene with exact truth, rendered by an independent renderer."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import arg

from fourfold.errors import UsageError
from fourfold.verbs.methods import changed


@dataclass(frozen=True)
class SynthOptions:
    """Size and length of a synthetic capture; left out, they are the scene's own.

    juggler is 480x300, valley 640x360, arena 192x144, the others are 160x120; valley is one photo,
    arena has 12 frames, the others 24.
    """

    width: Annotated[int | None, arg(metavar="INT", help_behavior_hint="")] = None
    """Width of the frames in pixels: 480 for juggler, 640 for valley, 192 for arena, 160 for
    the others."""
    height: Annotated[int | None, arg(metavar="INT", help_behavior_hint="")] = None
    """Height of the frames in pixels: 300 for juggler, 360 for valley, 144 for arena, 120 for
    the others."""
    frames: Annotated[int | None, arg(metavar="INT", help_behavior_hint="")] = None
    """Number of frames, spread over the scene's duration: 24; arena 12, valley 1."""
    samples: Annotated[int | None, arg(metavar="INT", help_behavior_hint="")] = None
    """Light paths per pixel, more take longer and leave less noise: 64; crowd 36, valley 25,
    arena 24, gnome 16."""
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
    """Render a synthetic scene as a capture, with its truth.

    `juggler` is for `dreamscene4d`: deforming objects, with depth, tracks and novel views.
    `tabletop` (3 rigid objects), `crowd` (8) and `gnome` (one video of which 50 scenes are the
    truth) are for `osn`: its layout, with bodies, test views and the layers of all objects.
    `valley` is for `mom`: a photo with regions and hints, with depth, motion and views.
    `arena` is for `mixvoxels`: eleven cameras' frames and poses, with depth and what moves. Needs
    the extra `synthetic` (Mitsuba).

    Args:
        scene: its name.
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
    with ExitStack() as stack:
        bars: list[Progress] = []

        def show(done: int, total: int) -> None:
            # only the scene knows how many pictures it takes
            if not bars:
                bar = Progress(total, f"rendering {scene}", enabled=progress)
                bars.append(stack.enter_context(bar))
            bars[0].update(done)

        return synthesize(scene, out, progress=show, **asdict(options))
