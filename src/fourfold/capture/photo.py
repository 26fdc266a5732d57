"""A photo that is in memory as a capture."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.capture.capture import Capture
from fourfold.capture.hints import HINT_FPS, Hint
from fourfold.capture.motion_files import MotionField
from fourfold.capture.photo_channels import (
    LAYOUT,
    MAX_SIZE,
    VIEW,
    frame_key,
    with_default_camera,
    with_field,
    with_fov,
    with_masks,
    with_moving_region,
)
from fourfold.capture.regions import REGION_KINDS, Outline, region_kind
from fourfold.capture.sizes import fit_size, scale_mask
from fourfold.capture.source import Source
from fourfold.errors import InputError, UsageError
from fourfold.geometry import Camera

Arrow = tuple[tuple[float, float], tuple[float, float]]
Region = Float[np.ndarray, "P 2"] | Bool[Tensor, "H W"]


def photo_capture(
    image: Float[Tensor, "H W 3"],
    regions: Mapping[str, Region] | None = None,
    hints: Sequence[Arrow] = (),
    *,
    camera: Camera | None = None,
    depth: Float[Tensor, "H W"] | None = None,
    motion_field: Float[Tensor, "H W 2"] | None = None,
    fov: float | None = None,
    max_size: int = MAX_SIZE,
) -> Capture:
    """Make a capture of a photo without files.

    Args:
        image: RGB in [0, 1], upright.
        regions: name -> outline (pixels x, y, the centre of the first pixel at 0.5) or mask; names
            begin with motion, sky, ground, water or vertical.
        hints: arrows (start, end), pixels: what is at the start moves a fiftieth of it per frame at
            30 frames per second.
        camera: in the photo's pixels, standing in the origin; from `fov` by default.
        depth: z along the camera's axis, NaN where unknown.
        motion_field: pixels per frame, in the place of hints or beside them.
        fov: vertical field of view in degrees; that of a 26 mm lens on 35 mm film by default.
        max_size: longer side in pixels to which a larger photo is shrunk.

    Raises:
        InputError: a region, hint or map does not fit the photo.
        UsageError: a camera and a field of view; options out of range.
    """
    pixels = np.ascontiguousarray(torch.as_tensor(image).numpy(), dtype=np.float32)
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise InputError(f"the image has shape {pixels.shape}", expected="(height, width, 3)")
    if max_size < 1:
        raise UsageError(f"the maximal size is {max_size}", expected="a number of pixels from 1 up")
    if camera is not None and fov is not None:
        raise UsageError("a camera and a field of view", expected="one of them")
    size = (pixels.shape[1], pixels.shape[0])
    source = Source(
        layout=LAYOUT,
        views=(VIEW,),
        frames=("photo",),
        timestamps=(0.0,),
        fps=HINT_FPS,
        sizes={VIEW: size},
        images={(VIEW, "photo"): lambda: pixels},
        known_frames=frozenset({"photo"}),
        hints=_hints(hints),
    )
    source = _with_regions(source, regions or {}, fit_size(size, max_size))
    arrays = {"depth": depth, "motion field": motion_field}
    maps = {name: _map(value, size, name) for name, value in arrays.items() if value is not None}
    if depth is not None:
        source = replace(source, depth={frame_key(source): lambda: maps["depth"]})
    if motion_field is not None:
        field = MotionField(maps["motion field"], stretched=False)
        source = with_moving_region(with_field(source, field, "given"), max_size)
    if camera is not None:
        source = replace(source, cameras={frame_key(source): camera.resized(*size)})
    else:
        source = with_fov(source, fov) if fov is not None else with_default_camera(source)
    stamp = _digest(pixels, maps, regions or {}, source)
    return Capture(Path("photo"), replace(source, settings=(*source.settings, stamp)), max_size)


def _with_regions(
    source: Source,
    regions: Mapping[str, Region],
    working: tuple[int, int],
) -> Source:
    size = source.sizes[VIEW]
    factors = working[0] / size[0], working[1] / size[1]
    masks = []
    for name, region in regions.items():
        if region_kind(name) is None:
            raise InputError(
                f"there is no kind of region {name!r}",
                expected=f"a name that begins with {', '.join(REGION_KINDS)}",
            )
        values = np.asarray(region)
        if values.dtype == bool and values.shape == (size[1], size[0]):
            masks.append(scale_mask(values, working))
        elif values.ndim == 2 and values.shape[1] == 2 and len(values) >= 3:
            outline = Outline(values.astype(np.float64)).resized(*factors)
            masks.append(outline.fill(working))
        else:
            raise InputError(
                f"the region {name!r} is an array of {values.dtype} and shape {values.shape}",
                expected=f"3 points x, y or more, or a mask of {size[1]} rows x {size[0]} columns",
            )
    if not masks:
        return source
    return with_masks(source, tuple(regions), lambda: np.stack(masks))


def _hints(
    arrows: Sequence[Arrow],
) -> tuple[Hint, ...]:
    hints = []
    for index, ((x, y), (to_x, to_y)) in enumerate(arrows):
        try:
            name = f"hint_{index}"
            hints.append(Hint(name, (float(x), float(y)), (float(to_x), float(to_y))))
        except ValueError as error:
            raise InputError(str(error), expected="an arrow from one point to another") from error
    return tuple(hints)


def _map(values: Tensor, size: tuple[int, int], name: str) -> np.ndarray:
    array = np.ascontiguousarray(torch.as_tensor(values).numpy(), dtype=np.float32)
    channels = (2,) if name == "motion field" else ()
    if array.shape != (size[1], size[0], *channels):
        raise InputError(
            f"the {name} has shape {array.shape}",
            expected=str((size[1], size[0], *channels)),
        )
    if channels and not np.isfinite(array).all():
        raise InputError(f"the {name} has values that are not finite")
    return array


def _digest(
    pixels: np.ndarray,
    maps: Mapping[str, np.ndarray],
    regions: Mapping[str, object],
    source: Source,
) -> str:
    """Tell one photo in memory from another, as file times do for those on disk."""
    digest = hashlib.sha256(pixels.tobytes())
    arrays = {**maps, **{name: np.asarray(region) for name, region in regions.items()}}
    for name, array in arrays.items():
        digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
    camera = source.cameras[frame_key(source)]
    digest.update(repr((source.hints, camera.intrinsics.tolist())).encode())
    return digest.hexdigest()
