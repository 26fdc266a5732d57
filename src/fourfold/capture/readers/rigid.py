"""Rigid bodies beside a capture of any layout with one view."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from fourfold.capture.bodies import RigidBody
from fourfold.capture.body_files import read_bodies
from fourfold.capture.names import natural_key
from fourfold.capture.source import Source
from fourfold.errors import InputError
from fourfold.geometry import Camera, invert_rigid


def with_bodies(source: Source, folder: Path) -> Source:
    """Return the source with the rigid bodies of a folder, and the background's cameras.

    The intrinsics are the folder's where it stores them, else those that the source has; a lens
    distortion stays the source's.

    Raises:
        InputError: the bodies do not fit the capture, or nothing says the intrinsics.
    """
    view = source.views[0]
    known = sorted(source.known_frames or source.frames, key=natural_key)
    size = source.sizes[view]
    found = read_bodies(folder, source.objects, known, size, source.frames)
    cameras, unposed = _cameras(source, found.bodies[0], found.intrinsics, folder)
    return replace(
        source,
        bodies=found.bodies,
        bodies_folder=folder,
        cameras=cameras,
        unposed=unposed,
        files=(*source.files, *found.files),
        notes=(*source.notes, *found.notes),
    )


def _cameras(
    source: Source,
    background: RigidBody,
    intrinsics: Float[Tensor, "3 3"] | None,
    folder: Path,
) -> tuple[dict[tuple[str, str], Camera], frozenset[tuple[str, str]]]:
    view = source.views[0]
    size = source.sizes[view]
    cameras, unposed = {}, set()
    for index, frame in enumerate(source.frames):
        key = (view, frame)
        given = source.cameras.get(key)
        pose = background.object_from_camera.get(index)
        if pose is None:
            unposed.add(key)
            if given is not None:
                cameras[key] = given
        elif given is not None and (given.distortion is not None or intrinsics is None):
            cameras[key] = given.moved(invert_rigid(pose))
        elif intrinsics is not None:
            cameras[key] = Camera(invert_rigid(pose), intrinsics, *size)
        else:
            raise InputError(
                "the bodies have poses, but nothing says the camera's focal length",
                path=folder,
                expected='"intrinsics" in bodies.json',
                mend="Give a camera file with --cameras as well",
            )
    return cameras, frozenset(unposed)
