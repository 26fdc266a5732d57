"""Layouts "davis" and "dreamscene4d": `JPEGImages`, `Annotations`, `Inpainted*`; or `<name>_mask`.

The path may be the root, or the folder of one video inside it (`<root>/JPEGImages/<video>`, with
DAVIS's resolution folder between or not).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from fourfold.capture.images import read_image, require_size
from fourfold.capture.mask_files import read_mask
from fourfold.capture.names import has_images, list_folders, list_images, match_frame
from fourfold.capture.readers.folder import read_picture_folder
from fourfold.capture.readers.frames import with_masks
from fourfold.capture.source import ImageLoader, MaskLoader, ReadOptions, Source
from fourfold.errors import InputError

LAYOUT = "davis"
LAYOUT_INPAINTED = "dreamscene4d"
_IMAGES = "JPEGImages"


def recognises(path: Path) -> bool:
    """Say whether the path is a DAVIS root, a video in one, or a video beside its masks."""
    if not path.is_dir():
        return False
    return (path / _IMAGES).is_dir() or _IMAGES in path.parts or _beside(path) is not None


def read(path: Path, options: ReadOptions) -> Source:
    """Read one video of a DAVIS or DreamScene4D folder, with the masks that are there.

    Raises:
        InputError: several videos to choose from, or files that are damaged or do not fit.
    """
    beside = _beside(path)
    if beside is not None:
        return with_masks(read_picture_folder(beside[0], LAYOUT, options), beside[1])
    root, video = _find_video(path)
    source = read_picture_folder(root / _IMAGES / video, LAYOUT, options)
    if (root / "Annotations" / video).is_dir():
        source = with_masks(source, root / "Annotations" / video)
    return _with_inpainted(source, root, video)


def _beside(path: Path) -> tuple[Path, Path] | None:
    """Find a folder `<name>` beside `<name>_mask`: the path itself, or the one pair inside it."""
    if has_images(path):
        masks = path.with_name(f"{path.name}_mask")
        return (path, masks) if masks.is_dir() else None
    inside = {p.name: p for p in list_folders(path)}
    pairs = [(p, inside[f"{n}_mask"]) for n, p in inside.items() if f"{n}_mask" in inside]
    return pairs[0] if len(pairs) == 1 and has_images(pairs[0][0]) else None


def _find_video(path: Path) -> tuple[Path, Path]:
    """Return the root and the video's path below `JPEGImages`."""
    if not (path / _IMAGES).is_dir():
        at = len(path.parts) - 1 - path.parts[::-1].index(_IMAGES)
        root, inside = Path(*path.parts[:at]), Path(*path.parts[at + 1 :])
        if has_images(path):
            return root, inside
        return root, _only_video(path, root / _IMAGES)
    return path, _only_video(path / _IMAGES, path / _IMAGES)


def _only_video(folder: Path, images: Path) -> Path:
    if has_images(folder):
        return folder.relative_to(images)
    near = list_folders(folder)
    videos = [p for p in near if has_images(p)]
    videos += [q for p in near if not has_images(p) for q in list_folders(p) if has_images(q)]
    if len(videos) == 1:
        return videos[0].relative_to(images)
    if not videos:
        raise InputError("there are no pictures", path=folder, expected="<video>/<frame>.jpg")
    names = ", ".join(str(p.relative_to(folder)) for p in videos[:8])
    more = "" if len(videos) <= 8 else f" and {len(videos) - 8} more"
    raise InputError(
        f"there are {len(videos)} videos: {names}{more}",
        path=folder,
        expected="one",
        mend=f"Give the path of one, for example {videos[0]}",
    )


def _with_inpainted(source: Source, root: Path, video: Path) -> Source:
    images, masks = root / "InpaintedImages" / video, root / "InpaintedMasks" / video
    if not (images.is_dir() and masks.is_dir()):
        return source
    inpainted: dict[tuple[str, str], tuple[ImageLoader, MaskLoader]] = {}
    files: list[Path] = []
    for name in source.objects:
        for frame, pair in _pairs(images / name, masks / name, source).items():
            image, mask = pair
            size = source.sizes[source.views[0]]
            require_size(image, size, frame)
            require_size(mask, size, frame, "mask")
            inpainted[name, frame] = (
                partial(read_image, image, frame),
                partial(read_mask, mask, size, frame),
            )
            files += pair
    if not inpainted:
        return source
    return replace(
        source, layout=LAYOUT_INPAINTED, inpainted=inpainted, files=(*source.files, *files)
    )


def _pairs(images: Path, masks: Path, source: Source) -> dict[str, tuple[Path, Path]]:
    """Return image and mask of the selected frames that have both; some demos have only a few."""
    if not (images.is_dir() and masks.is_dir()):
        return {}
    wanted = frozenset(source.frames)
    mask_of = {match_frame(name, wanted): path for name, path in list_images(masks).items()}
    image_of = {match_frame(name, wanted): path for name, path in list_images(images).items()}
    return {f: (image_of[f], mask_of[f]) for f in source.frames if f in image_of and f in mask_of}
