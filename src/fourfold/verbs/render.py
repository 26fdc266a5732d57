"""The verb render: a trained scene from any camera at any time, as videos."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import arg

from fourfold.errors import UsageError
from fourfold.verbs.methods import changed

if TYPE_CHECKING:
    from torch import Tensor

    from fourfold.scene import Scene
    from fourfold.training import Run
    from fourfold.verbs.camera_path import View
    from fourfold.verbs.drawing import Looks
    from fourfold.verbs.scale_choice import Choices

SWEEPS = ("orbit", "elevation")
SHIFTS = ("zoom-in", "side", "up-down", "circle")
PATHS = ("input", *SWEEPS, *SHIFTS)
OUTPUTS = ("rgb", "depth", "objects", "flow", "tracks")
# Frames that are drawn at once.
_AT_ONCE = 2
# Longer side of a grid's tiles, where nobody says and the frames are larger.
_TILE = 640


@dataclass(frozen=True)
class RenderOptions:
    """What to render, and how."""

    path: Annotated[str, arg(metavar="PATH")] = ""
    """Camera: input (as filmed), orbit (to both sides), elevation (up, down); zoom-in, side,
    up-down or circle (a little, for landscapes); or a camera file. orbit by default, circle for a
    scene that loops."""
    loop: bool = False
    """Make a video that goes on seamlessly where it ends: whole loops of the scene, and a path that
    comes back. For scenes that loop."""
    outputs: Annotated[str, arg(metavar="LIST")] = "rgb"
    """Some of rgb,depth,objects,flow,tracks: a video for each."""
    format: Literal["mp4", "gif", "png"] = "mp4"
    """Kind of file; png writes a folder of frames."""
    time: Annotated[str | None, arg(metavar="FIRST:LAST", help_behavior_hint="")] = None
    """Part of the clip in frames, or one moment (7.5), which is held; all of it by default."""
    angle: float = 45.0
    """How far orbit and elevation swing to each side, in degrees."""
    seconds: Annotated[float | None, arg(metavar="FLOAT", help_behavior_hint="")] = None
    """Length of orbit and elevation; by default the clip's own, slowed down to 4 s if shorter."""
    fps: Annotated[float | None, arg(metavar="FLOAT", help_behavior_hint="")] = None
    """Frames per second of the video; the capture's by default."""
    size: Annotated[int | None, arg(metavar="INT", help_behavior_hint="")] = None
    """Longer side of the video (of a grid: of a tile); that of the frames trained on by default."""
    scales: Annotated[
        str | None, arg(metavar="ID|random|grid|one|NAME=S,…", help_behavior_hint="")
    ] = None
    """Object scales: a sample's number, a random valid one, a grid (grid2x2, default 3x3) of
    samples, one (all 1), or given by name; a typical valid combination by default."""
    seed: Annotated[int | None, arg(metavar="INT", help_behavior_hint="")] = None
    """Seed of --scales random; another one each time by default."""


def render(
    run: Run | str | Path,
    options: RenderOptions | None = None,
    *,
    out: str | Path | None = None,
    progress: bool = True,
    **changes: Any,
) -> list[Path]:
    """Render a run's scene along a camera path, one video for each output.

    Args:
        run: a run or its folder.
        options: what to render; `changes` are single options given by name.
        out: folder for the videos; `renders/` in the run by default. They are named
            `<path>_<output>`, with the scales' name behind it where any are chosen.
        progress: show how far it is.

    Returns:
        the files (for png the folders), in the order of `outputs`.

    Raises:
        InputError: no run, no scene in it, or a camera file that cannot be read.
        UsageError: options that do not fit together.
        OutputError: it cannot be written; videos that were there stay.
    """
    from fourfold.exporters import open_video
    from fourfold.training import Progress
    from fourfold.verbs.scale_choice import choose_scales
    from fourfold.verbs.scenes import load_run, load_scene

    options = changed(RenderOptions() if options is None else options, changes)
    outputs = split_outputs(options.outputs)
    run = load_run(run)
    scene = load_scene(run)
    if not options.path:
        options = replace(options, path="orbit" if scene.period is None else "circle")
    fps = options.fps if options.fps is not None else scene.fps
    chosen = choose_scales(options.scales, scene, run, options.seed)
    if chosen.note and progress:
        print(f"note: {chosen.note}", file=sys.stderr)
    views = _views(scene, options, fps, len(chosen.choices))
    folder = Path(out) if out is not None else run.path / "renders"
    files = [_file(folder, options, output, chosen.suffix) for output in outputs]
    scenes, looks = _looks(scene, chosen, views, outputs, options.path == "input")
    with ExitStack() as stack:
        writers = [stack.enter_context(open_video(file, fps)) for file in files]
        bar = stack.enter_context(Progress(len(views), "rendering", enabled=progress))
        frames = stack.enter_context(
            _overlapping(
                lambda index: _draw(scenes, chosen, views, index, outputs, looks), len(views)
            )
        )
        for pictures in frames:
            for writer, output in zip(writers, outputs, strict=True):
                writer.add(pictures[output])
            bar.advance()
    return files


@contextmanager
def _overlapping(
    draw: Callable[[int], dict[str, Tensor]], count: int
) -> Iterator[Iterator[dict[str, Tensor]]]:
    """Draw frames in their order, a few at once: much of a frame keeps one core busy only."""
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="fourfold-render") as pool:
        waiting: deque[Future[dict[str, Tensor]]] = deque()

        def frames() -> Iterator[dict[str, Tensor]]:
            for index in range(count):
                waiting.append(pool.submit(draw, index))
                if len(waiting) > _AT_ONCE:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

        try:
            yield frames()
        finally:
            pool.shutdown(cancel_futures=True)


def _looks(
    scene: Scene, chosen: Choices, views: list[View], outputs: Sequence[str], follow_input: bool
) -> tuple[list[Scene], list[Looks]]:
    """Give the scene at each choice of scales, and looks whose colours mean the same in all."""
    from fourfold.verbs.drawing import prepare

    scenes = [scene.with_scales(choice.scales) for choice in chosen.choices]
    looks = [prepare(scaled, views, outputs, follow_input) for scaled in scenes]
    near, far = min(look.near for look in looks), max(look.far for look in looks)
    flow = max(look.largest_flow for look in looks)
    return scenes, [replace(look, near=near, far=far, largest_flow=flow) for look in looks]


def _draw(
    scenes: list[Scene],
    chosen: Choices,
    views: list[View],
    index: int,
    outputs: Sequence[str],
    looks: list[Looks],
) -> dict[str, Tensor]:
    """Draw one frame of each output: the picture, or those of several choices as tiles."""
    from fourfold.verbs.drawing import draw_view
    from fourfold.verbs.tiles import tile

    pairs = zip(scenes, looks, strict=True)
    pictures = [draw_view(scaled, views, index, outputs, look) for scaled, look in pairs]
    if len(pictures) == 1:
        return pictures[0]
    labels = [choice.label for choice in chosen.choices]
    return {
        output: tile([picture[output] for picture in pictures], labels, chosen.columns)
        for output in outputs
    }


def split_outputs(text: str) -> tuple[str, ...]:
    """Read a comma list of outputs.

    >>> split_outputs("rgb, depth")
    ('rgb', 'depth')

    Raises:
        UsageError: none, or an unknown one.
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = [name for name in names if name not in OUTPUTS]
    if unknown or not names:
        what = f"unknown output {', '.join(unknown)}" if unknown else "no output asked for"
        raise UsageError(what, expected=f"some of {', '.join(OUTPUTS)}")
    return names


def _views(scene: Scene, options: RenderOptions, fps: float, num_tiles: int) -> list[View]:
    from fourfold.verbs.camera_file import file_path
    from fourfold.verbs.camera_path import (
        input_path,
        landscape_views,
        loop_times,
        parse_times,
        resize_views,
        sweep_path,
        sweep_times,
    )

    _check(options, fps)
    first, last = parse_times(options.time, scene.num_frames)
    times = [first + step for step in range(int(last - first) + 1)]
    spread = sweep_times(first, last, fps, options.seconds)
    if options.loop:
        times = spread = loop_times(scene, fps, options.seconds)
    if options.path == "input":
        views = input_path(scene, times)
    elif options.path in SWEEPS:
        views = sweep_path(scene, spread, options.angle, options.path)
    elif options.path in SHIFTS:
        views = landscape_views(scene, spread, options.path, options.loop)
    else:
        views = file_path(Path(options.path), scene, times)
    size = options.size
    if size is None and num_tiles > 1:
        size = min(max(views[0].camera.width, views[0].camera.height), _TILE)
    return views if size is None else resize_views(views, size)


def _check(options: RenderOptions, fps: float) -> None:
    if options.path not in PATHS and not Path(options.path).is_file():
        raise UsageError(
            f"no camera path {options.path!r}", expected=f"{', '.join(PATHS)} or a camera file"
        )
    if options.loop and options.time is not None:
        raise UsageError("--loop with --time", expected="one of them: a loop is all of the time")
    if not fps > 0:
        raise UsageError(f"{fps:g} frames per second", expected="a positive number")
    if options.size is not None and options.size < 16:
        raise UsageError(f"a video of {options.size} pixels", expected="16 or more")
    if options.seconds is not None and not options.seconds > 0:
        raise UsageError(f"a video of {options.seconds:g} seconds", expected="a positive number")
    if not 0 < abs(options.angle) <= 180:
        raise UsageError(f"a swing of {options.angle:g} degrees", expected="up to 180")


def _file(folder: Path, options: RenderOptions, output: str, suffix: str) -> Path:
    path = options.path if options.path in PATHS else "path"
    ending = "" if options.format == "png" else f".{options.format}"
    return folder / f"{path}_{output}{suffix}{ending}"
