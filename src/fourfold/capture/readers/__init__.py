"""One reader per layout on disk, in the order in which they are asked.

A reader is a module with `LAYOUT`, `recognises(path)` and `read(path, options) -> Source`.
"""

from types import ModuleType

from fourfold.capture.readers import davis, dynamic_gaussians, frames, osn, own, transforms, video

READERS: tuple[ModuleType, ...] = (own, dynamic_gaussians, osn, transforms, davis, frames, video)
