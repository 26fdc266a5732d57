"""Scenes on disk: `scene.json` for the structure, `tensors.safetensors` for the numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from fourfold.errors import InputError, ResultError
from fourfold.files import recover_folder, replace_folder
from fourfold.geometry import Camera
from fourfold.scene.appearance import Appearance
from fourfold.scene.gaussians import Gaussians
from fourfold.scene.motion import Motion
from fourfold.scene.rendering import EPS2D, NEAR
from fourfold.scene.scale_set import restore_scale_set, scale_set_structure, scale_set_tensors
from fourfold.scene.scene import Scene
from fourfold.scene.scene_object import SceneObject
from fourfold.scene.volume import Volume, VolumeObject

FORMAT = "fourfold-scene"
VERSION = 1
STRUCTURE_FILE = "scene.json"
TENSORS_FILE = "tensors.safetensors"

_MEND = "Take the scene from a backup, or train again"


def save_scene(scene: Scene, folder: str | Path) -> None:
    """Write a scene into a folder, whole or not at all; what was there is replaced.

    Raises:
        OutputError: it cannot be written.
        ResultError: the scene holds NaN or infinite numbers.
    """
    tensors = _collect_tensors(scene)
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise ResultError(f"the scene is not saved: {name} holds NaN or infinite numbers")
    structure = json.dumps(_structure(scene), indent=2, allow_nan=False)
    with replace_folder(folder) as staging:
        (staging / STRUCTURE_FILE).write_text(structure + "\n", encoding="utf-8")
        (staging / TENSORS_FILE).write_bytes(save(tensors))


def load_scene(folder: str | Path) -> Scene:
    """Read a scene that `save_scene` wrote.

    Raises:
        InputError: no scene there, a newer format, or a damaged file; names the file.
    """
    folder = Path(folder)
    recover_folder(folder)
    structure = _read_structure(folder / STRUCTURE_FILE)
    tensors = _read_tensors(folder / TENSORS_FILE)
    try:
        return _build(structure, tensors)
    except KeyError as error:
        reason = f"{error.args[0]!r} is missing"
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        reason = str(error)
    raise InputError(f"the scene is damaged: {reason}", path=folder, mend=_MEND)


def _collect_tensors(scene: Scene) -> dict[str, Tensor]:
    tensors = {
        "up": scene.up,
        "background_color": scene.background_color,
        "normalization": scene.normalization,
        **_camera_tensors("cameras.", scene.cameras),
    }
    for number, cameras in enumerate(scene.rig.values()):
        tensors |= _camera_tensors(f"rig.{number}.", cameras)
    for number, item in enumerate(scene.objects):
        groups = {"motion": item.motion.tensors()}
        if isinstance(item, VolumeObject):
            groups["volume"] = item.volume.tensors()
        else:
            groups["geometry"] = item.geometry.tensors()
        if item.appearance is not None:
            groups["appearance"] = item.appearance.tensors()
        for group, members in groups.items():
            for name, tensor in members.items():
                tensors[f"objects.{number}.{group}.{name}"] = tensor
    if scene.scale_set is not None:
        for name, tensor in scale_set_tensors(scene.scale_set).items():
            tensors[f"scale_set.{name}"] = tensor
    # safetensors refuses tensors that share memory
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}


def _structure(scene: Scene) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "fps": scene.fps,
        "period": scene.period,
        "eps2d": scene.eps2d,
        "near": scene.near,
        "cameras": _camera_entries(scene.cameras),
        "rig": [
            {"name": name, "cameras": _camera_entries(cameras)}
            for name, cameras in scene.rig.items()
        ],
        "objects": [
            {
                "name": item.name,
                "motion": item.motion.config(),
                "appearance": item.appearance is not None,
                "scale_range": item.scale_range,
                "volume": item.volume.config() if isinstance(item, VolumeObject) else None,
            }
            for item in scene.objects
        ],
        "provenance": dict(scene.provenance),
        "scale_set": None if scene.scale_set is None else scale_set_structure(scene.scale_set),
    }


def _camera_tensors(prefix: str, cameras: Sequence[Camera]) -> dict[str, Tensor]:
    return {
        prefix + "camera_from_world": torch.stack([c.camera_from_world for c in cameras]),
        prefix + "intrinsics": torch.stack([c.intrinsics for c in cameras]),
    }


def _camera_entries(cameras: Sequence[Camera]) -> list[dict[str, Any]]:
    return [{"width": c.width, "height": c.height, "distortion": c.distortion} for c in cameras]


def _read_structure(path: Path) -> dict[str, Any]:
    try:
        structure = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise InputError("no scene here", path=path, mend="Give the folder of a scene") from None
    except (ValueError, OSError) as error:
        raise InputError(f"cannot read the scene: {error}", path=path, mend=_MEND) from error
    if not isinstance(structure, dict) or structure.get("format") != FORMAT:
        raise InputError("not a scene", path=path, expected=f'"format": "{FORMAT}"')
    if structure.get("version") != VERSION:
        raise InputError(
            f"the scene has format version {structure.get('version')}",
            path=path,
            expected=f"version {VERSION}",
            mend="Use the version of Fourfold that wrote it",
        )
    return structure


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        tensors = load(path.read_bytes())
    except (SafetensorError, OSError) as error:
        raise InputError(f"cannot read the tensors: {error}", path=path, mend=_MEND) from error
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise InputError(f"{name} holds NaN or infinite numbers", path=path, mend=_MEND)
    return tensors


def _build(structure: Mapping[str, Any], tensors: dict[str, Tensor]) -> Scene:
    scales = structure.get("scale_set")  # scenes of version 0.1 have none
    return Scene(
        objects=[
            _build_object(entry, tensors, f"objects.{number}.")
            for number, entry in enumerate(structure["objects"])
        ],
        cameras=_build_cameras(structure["cameras"], tensors, "cameras."),
        rig={
            entry["name"]: _build_cameras(entry["cameras"], tensors, f"rig.{number}.")
            for number, entry in enumerate(structure.get("rig", []))  # version 0.1 has none
        },
        fps=structure["fps"],
        period=structure["period"],
        eps2d=structure.get("eps2d", EPS2D),  # scenes of version 0.1 have none
        near=structure.get("near", NEAR),  # nor this
        up=_shaped(tensors, "up", (3,)),
        background_color=_shaped(tensors, "background_color", (3,)),
        provenance=dict(structure["provenance"]),
        normalization=_shaped(tensors, "normalization", (4, 4)),
        scale_set=None
        if scales is None
        else restore_scale_set(scales, _group(tensors, "scale_set.")),
    )


def _build_object(
    entry: Mapping[str, Any], tensors: Mapping[str, Tensor], prefix: str
) -> SceneObject | VolumeObject:
    bounds = entry["scale_range"]
    scale_range = None if bounds is None else (bounds[0], bounds[1])
    motion = Motion.restore(entry["motion"], _group(tensors, prefix + "motion."))
    if entry.get("volume") is not None:  # scenes of version 0.1 have none
        volume = Volume.restore(entry["volume"], _group(tensors, prefix + "volume."))
        return VolumeObject(entry["name"], volume, motion, scale_range)
    appearance = None
    if entry["appearance"]:
        appearance = Appearance(**_group(tensors, prefix + "appearance."))
    gaussians = Gaussians(**_group(tensors, prefix + "geometry."))
    return SceneObject(entry["name"], gaussians, motion, appearance, scale_range)


def _build_cameras(
    entries: Sequence[Mapping[str, Any]], tensors: Mapping[str, Tensor], prefix: str
) -> list[Camera]:
    count = len(entries)
    poses = _shaped(tensors, prefix + "camera_from_world", (count, 4, 4))
    intrinsics = _shaped(tensors, prefix + "intrinsics", (count, 3, 3))
    return [
        Camera(
            pose,
            matrix,
            entry["width"],
            entry["height"],
            None if entry["distortion"] is None else tuple(entry["distortion"]),
        )
        for entry, pose, matrix in zip(entries, poses, intrinsics, strict=True)
    ]


def _group(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _shaped(tensors: Mapping[str, Tensor], name: str, shape: tuple[int, ...]) -> Tensor:
    tensor = tensors[name]
    if tuple(tensor.shape) != shape:
        raise ValueError(f"{name} has shape {tuple(tensor.shape)}, not {shape}")
    return tensor
