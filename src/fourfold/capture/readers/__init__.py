"""One reader per layout on disk, in the order in which they are asked.

A reader is a module with `LAYOUT`, `recognises(path)` and `read(path, options) -> Source`; one with
`MAX_SIZE` has another working size by default than the rest.
"""

from types import ModuleType

from fourfold.capture.readers import (
    calibrated,
    colmap,
    davis,
    dynamic_gaussians,
    frames,
    llff,
    osn,
    own,
    photo,
    rig,
    transforms,
    video,
)

READERS: tuple[ModuleType, ...] = (
    own,
    dynamic_gaussians,
    osn,
    transforms,
    calibrated,
    rig,
    colmap,
    llff,
    photo,
    davis,
    frames,
    video,
)
