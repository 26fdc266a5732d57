"""The focal length that a photo's EXIF tells."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

from fourfold.capture.images import has_exif, opened

# The diagonal of 36 mm x 24 mm film, to which "35 mm equivalent" refers (CIPA DCG-001).
FILM_DIAGONAL_MM = math.hypot(36.0, 24.0)
# Millimetres in EXIF's units of resolution: inch, centimetre, millimetre.
_UNITS_MM = {2: 25.4, 3: 10.0, 4: 1.0}
# Equivalent focal lengths beyond a fisheye's and a telescope's are errors of the file.
_EQUIVALENTS_MM = (5.0, 2500.0)


def film_focal(millimetres: float, size: tuple[int, int]) -> float:
    """Turn a 35 mm equivalent focal length into pixels of a picture of (width, height)."""
    return millimetres / FILM_DIAGONAL_MM * math.hypot(*size)


def exif_focal(path: Path, data: bytes | None = None) -> tuple[float, str] | None:
    """Read the focal length in pixels of the picture as stored, and where it stands in EXIF.

    The 35 mm equivalent comes first (by the diagonal, so crops of the aspect change little), then
    the lens's focal length with the sensor's resolution. None where EXIF has neither.

    Args:
        data: the picture's file, where it is embedded in the file at `path`.

    Raises:
        InputError: the file is not a readable picture.
    """
    with opened(path, data=data) as image:
        tags = _tags(image)
        size = image.size
    film = _number(tags, ExifTags.Base.FocalLengthIn35mmFilm)
    if film is not None and _EQUIVALENTS_MM[0] <= film <= _EQUIVALENTS_MM[1]:
        return film_focal(film, size), f"EXIF, {film:g} mm on 35 mm film"
    return _sensor_focal(tags, size)


def _sensor_focal(tags: Mapping[int, Any], size: tuple[int, int]) -> tuple[float, str] | None:
    focal = _number(tags, ExifTags.Base.FocalLength)
    resolution = _number(tags, ExifTags.Base.FocalPlaneXResolution)
    width = _number(tags, ExifTags.Base.ExifImageWidth) or float(size[0])
    unit = _UNITS_MM.get(int(tags.get(ExifTags.Base.FocalPlaneResolutionUnit, 2)))
    if focal is None or resolution is None or unit is None:
        return None
    sensor = width / resolution * unit
    pixels = focal / sensor * size[0]
    equivalent = pixels / math.hypot(*size) * FILM_DIAGONAL_MM
    if not _EQUIVALENTS_MM[0] <= equivalent <= _EQUIVALENTS_MM[1]:
        return None
    return pixels, f"EXIF, {focal:g} mm on a sensor {sensor:.1f} mm wide"


def _tags(image: Image.Image) -> Mapping[int, Any]:
    if not has_exif(image):
        return {}
    try:
        return image.getexif().get_ifd(ExifTags.IFD.Exif)
    except (ValueError, TypeError, KeyError, SyntaxError, struct.error):
        return {}  # a damaged EXIF says nothing; the pixels are whole


def _number(tags: Mapping[int, Any], tag: int) -> float | None:
    try:
        value = float(tags[tag])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return value if math.isfinite(value) and value > 0 else None
