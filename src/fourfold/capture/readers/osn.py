"""Layout "osn": `images_train`, `segm_sam` or `segm_train`, `transforms_train.json`; bodies.

OSN's `indoor`, and its real data sets `dynamic_scene`, `multimotion`, `iphone` and `kitti`. Its
preprocessed folder (`sam_raft`, `sam_raft01`, ...) holds the rigid bodies; the cameras are then
those of the background, else those of the file. The depths beside it are truth, no input.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fourfold.capture.body_head import body_names, find_bodies_folder
from fourfold.capture.label_maps import find_label_maps, label_loaders, read_label_map
from fourfold.capture.names import has_images, list_images
from fourfold.capture.osn_transforms import OsnTransforms, read_osn_transforms
from fourfold.capture.readers.folder import MAIN_VIEW, source_of_pictures
from fourfold.capture.readers.rigid import with_bodies
from fourfold.capture.source import ReadOptions, Source
from fourfold.geometry import Camera, invert_rigid

LAYOUT = "osn"
_IMAGES = "images_train"
_TRANSFORMS = "transforms_train.json"
# The masks that a method is given come before the true ones.
_LABELS = ("segm_sam", "segm_train")


def recognises(path: Path) -> bool:
    """Say whether the folder has training pictures, their poses and their label maps."""
    labels = any((path / name).is_dir() for name in _LABELS)
    return labels and (path / _TRANSFORMS).is_file() and has_images(path / _IMAGES)


def read(path: Path, options: ReadOptions) -> Source:
    """Read the training frames of an OSN capture, its masks, and its rigid bodies if there.

    Raises:
        InputError: files are missing or damaged, or do not fit together.
    """
    pictures = list_images(path / _IMAGES)
    source = source_of_pictures(pictures, path / _IMAGES, LAYOUT, options)
    transforms = read_osn_transforms(path / _TRANSFORMS)
    bodies = find_bodies_folder(path)
    source = replace(
        source,
        cameras=_cameras(source, transforms, tuple(pictures)),
        files=(*source.files, transforms.path),
        rigid_truth_folder=path,
    )
    source = _with_labels(source, path, transforms, bodies)
    return source if bodies is None else with_bodies(source, bodies)


def _cameras(
    source: Source, transforms: OsnTransforms, pictures: tuple[str, ...]
) -> dict[tuple[str, str], Camera]:
    size = source.sizes[MAIN_VIEW]
    poses, intrinsics = transforms.by_picture(_IMAGES, pictures), transforms.intrinsics(size)
    return {
        (MAIN_VIEW, frame): Camera(invert_rigid(poses[frame].world_from_camera), intrinsics, *size)
        for frame in source.frames
    }


def _with_labels(
    source: Source, path: Path, transforms: OsnTransforms, bodies: Path | None
) -> Source:
    folder = next(path / name for name in _LABELS if (path / name).is_dir())
    paths = find_label_maps(folder, source.frames, source.known_frames)
    size = source.sizes[MAIN_VIEW]
    if bodies is not None:
        names = body_names(bodies)[1:]
    else:
        count = _num_objects(paths, size, transforms)
        names = tuple(f"{index:03d}" for index in range(1, count + 1))
    loaders = label_loaders(paths, source.frames, size, len(names))
    return replace(
        source,
        objects=names,
        masks={(MAIN_VIEW, frame): loader for frame, loader in loaders.items()} if names else {},
        files=(*source.files, *(paths[frame] for frame in source.frames)),
    )


def _num_objects(paths: dict[str, Path], size: tuple[int, int], transforms: OsnTransforms) -> int:
    stored = transforms.poses[0].world_from_object if transforms.poses else None
    if stored is not None:
        return len(stored) - 1
    return int(max(read_label_map(path, size, frame).max() for frame, path in paths.items()))
