"""Read single-view layouts of files: pictures of one folder, with what lies beside them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from fourfold.capture.images import has_alpha, image_size, read_alpha, read_image, require_size
from fourfold.capture.names import frame_times, list_images
from fourfold.capture.source import ReadOptions, Source
from fourfold.errors import InputError

# DAVIS's rate; folders of pictures do not say theirs.
DEFAULT_FPS = 24.0
MAIN_VIEW = "main"
ALPHA_OBJECT = "001"


def read_picture_folder(folder: Path, layout: str, options: ReadOptions) -> Source:
    """Read the pictures directly in a folder as the frames of one view.

    When the first selected picture has parts that are transparent, alpha is the mask of one
    object.

    Raises:
        InputError: no pictures, damaged ones, or pictures of different sizes.
    """
    return source_of_pictures(list_images(folder), folder, layout, options)


def source_of_pictures(
    paths: dict[str, Path], place: Path, layout: str, options: ReadOptions
) -> Source:
    """Read pictures, given by frame name in order, as the frames of one view.

    Raises:
        InputError: as `read_picture_folder`.
    """
    if not paths:
        raise InputError("there are no pictures", path=place, expected="PNG or JPEG frames")
    selection = options.selection
    frames = selection.pick(list(paths), place)
    times, note = frame_times(frames, (options.fps or DEFAULT_FPS) / selection.step)
    size = common_size({frame: paths[frame] for frame in frames})
    opaque = not is_transparent(paths[frames[0]], frames[0])
    masks = {} if opaque else {(MAIN_VIEW, f): partial(alpha_mask, paths[f], f) for f in frames}
    return Source(
        layout=layout,
        views=(MAIN_VIEW,),
        frames=frames,
        timestamps=times,
        fps=(options.fps or DEFAULT_FPS) / selection.step,
        fps_assumed=options.fps is None,
        sizes={MAIN_VIEW: size},
        images={(MAIN_VIEW, f): partial(read_image, paths[f], f) for f in frames},
        objects=() if opaque else (ALPHA_OBJECT,),
        masks=masks,
        known_frames=frozenset(paths),
        image_files={(MAIN_VIEW, frame): paths[frame] for frame in frames},
        files=tuple(paths[frame] for frame in frames),
        notes=() if note is None else (note,),
    )


def common_size(paths: dict[str, Path]) -> tuple[int, int]:
    """Return the (width, height) that all pictures have, from their headers.

    Raises:
        InputError: a picture is damaged or of another size than the first.
    """
    first = next(iter(paths))
    size = image_size(paths[first], first)
    for frame, path in paths.items():
        require_size(path, size, frame)
    return size


def is_transparent(path: Path, frame: str) -> bool:
    """Say whether parts of a picture are transparent (an opaque alpha channel is no mask).

    Raises:
        InputError: the file is not a whole picture.
    """
    return has_alpha(path, frame) and not bool(read_alpha(path, frame).all())


def alpha_mask(path: Path, frame: str) -> np.ndarray:
    """Read alpha as the masks (1, H, W) of one object.

    Raises:
        InputError: the file is not a whole picture, or has no alpha.
    """
    return read_alpha(path, frame)[None]
