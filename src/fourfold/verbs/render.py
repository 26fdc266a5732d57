"""The verb render: a trained scene from any camera at any time, as videos."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    from fourfold.verbs.shots import Shot

PARTS = ("static", "moving")
OUTPUTS = ("rgb", "depth", "objects", "flow", "tracks", *PARTS)
# Frames that are drawn at once.
_AT_ONCE = 2


@dataclass(frozen=True)
class RenderOptions:
    """What to render, and how."""

    path: Annotated[str, arg(metavar="PATH")] = ""
    """Camera: input (as filmed), orbit (to both sides), elevation (up, down); zoom-in, side,
    up-down or circle (a little, for landscapes); spiral, circle or bullet-time (which holds the
    middle moment, or --time) about several cameras; or a camera file. By default spiral for a
    scene of several cameras, circle for one that loops, orbit for others."""
    camera: Annotated[str, arg(metavar="NAME|all")] = ""
    """Instead of a path: what this camera of several saw, over time; all of them with all."""
    loop: bool = False
    """Make a video that goes on seamlessly where it ends: whole loops of the scene, and a path that
    comes back. For scenes that loop."""
    outputs: Annotated[str, arg(metavar="LIST")] = "rgb"
    """Some of rgb,depth,objects,flow,tracks: a video for each. Of scenes with a still and a moving
    part also static (one picture where the camera stands still) and moving (before white)."""
    format: Literal["mp4", "gif", "png"] = "mp4"
    """Kind of file; png writes a folder of frames."""
    time: Annotated[str | None, arg(metavar="FIRST:LAST", help_behavior_hint="")] = None
    """Part of the clip in frames, or one moment (7.5), which is held; all of it by default."""
    angle: float = 45.0
    """How far orbit and elevation swing to each side, in degrees."""
    seconds: Annotated[float | None, arg(metavar="FLOAT", help_behavior_hint="")] = None
    """Length of a path other than input; by default the clip's own, slowed down to 4 s if shorter
    (of bullet-time 0.4 s for each camera)."""
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
    """Render a run's scene along a camera path or as its cameras saw it; a video for each output.

    Args:
        run: a run or its folder.
        options: what to render; `changes` are single options given by name.
        out: folder for the videos; `renders/` in the run by default. They are named
            `<path>_<output>` or `<camera>_<output>`, with the scales' name behind it where any
            are chosen.
        progress: show how far it is.

    Returns:
        the files (for png the folders), camera by camera, in the order of `outputs`; a picture
        of what stands still comes first.

    Raises:
        InputError: no run, no scene in it, or a camera file that cannot be read.
        UsageError: options that do not fit together.
        OutputError: it cannot be written; videos that were there stay.
    """
    from fourfold.evaluation import encode_image
    from fourfold.files import write_atomic
    from fourfold.verbs.scale_choice import choose_scales
    from fourfold.verbs.scenes import load_run, load_scene
    from fourfold.verbs.shots import find_shots

    options = changed(RenderOptions() if options is None else options, changes)
    outputs = split_outputs(options.outputs)
    run = load_run(run)
    scene = load_scene(run)
    _check_parts(scene, outputs)
    fps = options.fps if options.fps is not None else scene.fps
    chosen = choose_scales(options.scales, scene, run, options.seed)
    if chosen.note and progress:
        print(f"note: {chosen.note}", file=sys.stderr)
    folder = Path(out) if out is not None else run.path / "renders"
    files = []
    for shot in find_shots(scene, options, fps, len(chosen.choices)):
        film = _film(scene, chosen, shot, outputs)
        names = {output: f"{shot.name}_{output}{chosen.suffix}" for output in outputs}
        if shot.stands_still and "static" in names:
            # what stands still before a camera that does is one picture
            files.append(folder / f"{names.pop('static')}.png")
            write_atomic(files[-1], encode_image(film.draw(0, ["static"])["static"], "PNG"))
        ending = "" if options.format == "png" else f".{options.format}"
        videos = {output: folder / f"{name}{ending}" for output, name in names.items()}
        if videos:
            _write_videos(film, videos, fps, progress)
        files += videos.values()
    return files


@dataclass(frozen=True)
class _Film:
    """A shot with all that its frames are drawn from."""

    scenes: Sequence[Scene]
    looks: Sequence[Looks]
    labels: Sequence[str]
    columns: int
    views: Sequence[View]

    def draw(self, index: int, outputs: Sequence[str]) -> dict[str, Tensor]:
        """Draw one frame of each output: the picture, or those of several choices as tiles."""
        from fourfold.verbs.drawing import draw_view
        from fourfold.verbs.tiles import tile

        pairs = zip(self.scenes, self.looks, strict=True)
        pictures = [draw_view(scene, self.views, index, outputs, look) for scene, look in pairs]
        if len(pictures) == 1:
            return pictures[0]
        return {
            output: tile([picture[output] for picture in pictures], self.labels, self.columns)
            for output in outputs
        }


def _film(scene: Scene, chosen: Choices, shot: Shot, outputs: Sequence[str]) -> _Film:
    """Give the scene at each choice of scales, and looks whose colours mean the same in all."""
    from fourfold.verbs.drawing import prepare

    scenes = [scene.with_scales(choice.scales) for choice in chosen.choices]
    looks = [prepare(scaled, shot.views, outputs) for scaled in scenes]
    near, far = min(look.near for look in looks), max(look.far for look in looks)
    flow = max(look.largest_flow for look in looks)
    looks = [replace(look, near=near, far=far, largest_flow=flow) for look in looks]
    return _Film(
        scenes, looks, [choice.label for choice in chosen.choices], chosen.columns, shot.views
    )


def _write_videos(film: _Film, files: Mapping[str, Path], fps: float, progress: bool) -> None:
    from fourfold.exporters import open_video
    from fourfold.training import Progress

    outputs, count = list(files), len(film.views)
    with ExitStack() as stack:
        writers = [stack.enter_context(open_video(file, fps)) for file in files.values()]
        bar = stack.enter_context(Progress(count, "rendering", enabled=progress))
        frames = stack.enter_context(_overlapping(lambda i: film.draw(i, outputs), count))
        for pictures in frames:
            for writer, output in zip(writers, outputs, strict=True):
                writer.add(pictures[output])
            bar.advance()


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


def _check_parts(scene: Scene, outputs: Sequence[str]) -> None:
    from fourfold.scene import has_parts

    asked = [output for output in outputs if output in PARTS]
    if asked and not has_parts(scene):
        raise UsageError(
            f"no {', '.join(asked)} in a scene of {', '.join(scene.object_names)}",
            expected=f"some of {', '.join(name for name in OUTPUTS if name not in PARTS)}",
        )
