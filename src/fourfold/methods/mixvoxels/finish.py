"""What becomes of the fit: pictures of it, and the scene."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate, normalize

import fourfold
from fourfold.geometry import Camera
from fourfold.methods.mixvoxels.config import MixVoxelsConfig
from fourfold.methods.mixvoxels.consensus import confirmed
from fourfold.methods.mixvoxels.fit import Fit, Layer
from fourfold.methods.mixvoxels.footage import Footage, moves
from fourfold.methods.mixvoxels.space_choice import clear_distance
from fourfold.scene import (
    BACKGROUND,
    Scene,
    SceneObject,
    StaticMotion,
    Volume,
    VolumeObject,
)
from fourfold.scene.parts import MOVING
from fourfold.training import to_plain

DRAWN_STEP = 0.5
"""Length of the pieces of rays in the scene, in voxels."""
SHOWN_ALPHA = 1e-3
"""Voxels of less alpha, with all their neighbours, are left out of the scene."""
SEEN_AT = 200
"""Longer side of the depth maps that say what still matter hides, in pixels."""


def volume_objects(fit: Fit) -> list[VolumeObject]:
    """Make objects of what was fitted: the still voxels are the background.

    Movers of which nothing is to be seen are none.
    """
    items = [_object(BACKGROUND, fit.still, fit)]
    if fit.moving is not None and bool(fit.moving.voxels.occupancy(SHOWN_ALPHA).any()):
        items.append(_object(MOVING, fit.moving, fit))
    return items


def finish_scene(
    objects: Sequence[SceneObject | VolumeObject],
    footage: Footage,
    config: MixVoxelsConfig,
    notes: Sequence[str],
) -> Scene:
    """Make the scene of its objects, with the cameras of the rig and what there is to know."""
    capture = footage.capture
    return Scene(
        objects=objects,
        cameras=footage.cameras[0],
        fps=capture.fps,
        up=_up(footage),
        rig=rig_cameras(footage),
        near=clear_distance(footage),
        provenance={
            "method": "mixvoxels",
            "trained_views": [capture.views[view] for view in footage.views],
            "notes": list(notes),
            "config": to_plain(config),
            "fourfold": fourfold.__version__,
        },
    )


def rig_cameras(footage: Footage) -> dict[str, list[Camera]]:
    """Give the capture's cameras by name, also those held out; one each where they stand still."""
    capture, rig = footage.capture, {}
    for view, name in enumerate(capture.views):
        found = [capture.camera(frame, view) for frame in footage.frames]
        cameras = [camera for camera in found if camera is not None]
        if len(cameras) < len(found):
            continue
        rig[name] = cameras if moves(cameras) else cameras[:1]
    return rig


def _object(name: str, layer: Layer, fit: Fit) -> VolumeObject:
    voxels = layer.voxels
    occupancy = voxels.occupancy(SHOWN_ALPHA)
    if not bool(occupancy[voxels.filled].all()):  # the voxels of a long clip are not copied idly
        voxels = voxels.pruned(occupancy)
    return VolumeObject(name, Volume(voxels, fit.space, occupancy, DRAWN_STEP), StaticMotion())


def _up(footage: Footage) -> Float[Tensor, " 3"]:
    """Take the mean of the directions that are up in the pictures."""
    downs = torch.stack([row[0].camera_from_world[1, :3] for row in footage.cameras])
    return normalize(-downs.mean(0), dim=0)


def _as_scene(fit: Fit, only_still: bool) -> Scene:
    layers = {BACKGROUND: fit.still}
    if fit.moving is not None and not only_still:
        layers[MOVING] = fit.moving
    items = [
        VolumeObject(
            name,
            Volume(
                layer.voxels,
                fit.space,
                torch.ones(1, 1, 1, dtype=torch.bool)
                if layer.occupancy is None
                else layer.occupancy,
                DRAWN_STEP,
            ),
            StaticMotion(),
        )
        for name, layer in layers.items()
    ]
    return Scene(objects=items, cameras=[Camera.from_fov(8, 8)])


@torch.no_grad()
def still_depths(fit: Fit, cameras: Sequence[Camera]) -> list[Float[Tensor, "H W"]]:
    """Draw the depth of the still voxels in every camera; NaN where nothing is."""
    scene = _as_scene(fit, only_still=True)
    return [scene.render(camera, 0.0, ("depth",))["depth"] for camera in cameras]


def still_surfaces(fit: Fit, cameras: Sequence[Camera]) -> list[Float[Tensor, "H W"]]:
    """Give the depth of the still voxels in every camera, in coarse pixels brought to its size.

    NaN where nothing is, and where no other camera confirms it: what one camera alone sees may be
    anywhere on its rays, also before what moves.
    """
    shrinks = [min(SEEN_AT / max(camera.width, camera.height), 1.0) for camera in cameras]
    small = [camera.scaled(shrink) for camera, shrink in zip(cameras, shrinks, strict=True)]
    drawn = still_depths(fit, small)
    sure = [confirmed(small, drawn, view, witnesses=1) for view in range(len(cameras))]
    sizes = [(camera.height, camera.width) for camera in cameras]
    pairs = zip(sure, sizes, strict=True)
    return [interpolate(depth[None, None], size)[0, 0] for depth, size in pairs]


@torch.no_grad()
def preview(
    fit: Fit, footage: Footage, frame: int, only_still: bool = False
) -> Float[Tensor, "H W 3"]:
    """Put a frame of the first training camera beside its drawing."""
    camera = footage.cameras[0][frame]
    drawn = _as_scene(fit, only_still).render(camera, float(frame))["rgb"]
    stored = footage.store.image(footage.frames[frame], footage.views[0])
    truth = torch.from_numpy(stored.copy()).float() / 255
    return torch.cat((truth, drawn), dim=1)
