"""Which files belong to a photo: the picture, the drawing on it, a mask and a motion field."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path

from fourfold.capture.labelme import Drawing, looks_like_drawing, read_drawing
from fourfold.capture.motion_files import MOTION_SUFFIXES
from fourfold.capture.names import IMAGE_SUFFIXES, list_images
from fourfold.errors import InputError

_MASK_ENDING = "_mask"


@dataclass(frozen=True)
class Picture:
    """A photo's file, or the JSON in which its bytes are embedded."""

    path: Path
    data: bytes | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class PhotoFiles:
    """A picture and what is drawn on it.

    Attributes:
        picture: the photo.
        json: where its drawing is, or would be.
        drawing: what is drawn, in pixels of its own size; None where there is no drawing.
        notes: what a user should know, sentences.
    """

    picture: Picture
    json: Path
    drawing: Drawing | None
    notes: tuple[str, ...] = ()


def find_photo(path: Path) -> PhotoFiles:
    """Find a photo and its drawing from either of them, or from a folder with the two.

    Raises:
        InputError: there is no photo, or the drawing is damaged.
    """
    if not path.exists():
        raise InputError("there is no such file or folder", path=path)
    file = path if path.is_file() else photo_in_folder(path)
    if file is None:
        raise InputError("there is no photo with a drawing", path=path, expected="a picture")
    if file.suffix.lower() == ".json":
        drawing = read_drawing(file)
        return PhotoFiles(_picture_of(file, drawing), file, drawing)
    drawn = file.with_suffix(".json")
    if not looks_like_drawing(drawn):
        return PhotoFiles(Picture(file), drawn, None)
    note = f"the drawing {drawn.name} beside the photo is used"
    return PhotoFiles(Picture(file), drawn, read_drawing(drawn), (note,))


def _picture_of(file: Path, drawing: Drawing) -> Picture:
    """Find the photo of a drawing: where it says, else beside it, else embedded in it."""
    named = drawing.image_path
    if named is not None:
        place = file.parent / named.replace("\\", "/")
        if place.is_file():
            return Picture(place)
    beside = [file.with_suffix(ending) for ending in sorted(IMAGE_SUFFIXES)]
    found = next((place for place in beside if place.is_file()), None)
    lost = "" if named is None else f"there is no {named}, which the drawing names: "
    if found is not None:
        return Picture(found, notes=(f"{lost}{found.name} is taken",) if lost else ())
    if drawing.image_data is not None:
        note = f"{lost}the photo that is embedded in the JSON is taken"
        return Picture(file, _decoded(drawing.image_data, file), (note,))
    raise InputError(
        "the photo of the drawing is missing",
        path=file,
        expected=named or f"{file.stem}.png or .jpg beside it",
        mend="Put the photo beside the JSON, under the same name",
    )


def _decoded(text: str, file: Path) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise InputError(f"the embedded photo is damaged ({error})", path=file) from error


def mask_beside(base: Path) -> Path | None:
    """Find the mask of a photo or its JSON: as labelme exports it, or as StyleCineGAN names it."""
    exported = base.with_name(f"{base.stem}_json") / "mask.png"
    plain = base.with_name(f"{base.stem}{_MASK_ENDING}.png")
    return next((mask for mask in (exported, plain) if mask.is_file()), None)


def motion_beside(base: Path) -> Path | None:
    """Find the motion field of a photo or its JSON, as StyleCineGAN names it."""
    files = (base.with_name(f"{base.stem}_motion{ending}") for ending in MOTION_SUFFIXES)
    return next((file for file in files if file.is_file()), None)


def photo_in_folder(folder: Path) -> Path | None:
    """Find the one drawing in a folder, or the photo that has a mask or a motion field beside it.

    A folder with other pictures too holds frames, not a photo.
    """
    if not folder.is_dir():
        return None
    pictures = list_images(folder)
    photos = [
        place
        for name, place in pictures.items()
        if not (name.endswith(_MASK_ENDING) and name.removesuffix(_MASK_ENDING) in pictures)
    ]
    if len(photos) > 1:
        return None
    drawings = [place for place in sorted(folder.glob("*.json")) if looks_like_drawing(place)]
    if len(drawings) == 1:
        return drawings[0]
    has_more = photos and (mask_beside(photos[0]) or motion_beside(photos[0]))
    return photos[0] if has_more else None
