"""Pictures on disk: any mode and depth of colour, upright, with errors that name the file."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from fourfold.errors import InputError

# EXIF orientations whose picture is stored lying on its side.
_SIDEWAYS = frozenset({5, 6, 7, 8})
# Where a PNG has its EXIF, by Pillow's names.
_PNG_EXIF = frozenset({"exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp"})
# What Pillow's decoders raise on damaged files.
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)


@contextmanager
def opened(
    path: Path, frame: str | None = None, data: bytes | None = None
) -> Iterator[Image.Image]:
    """Open a picture file; every way in which it can be damaged becomes an `InputError`.

    Args:
        data: the picture's file, where it is embedded in the file at `path`.

    Raises:
        InputError: the file is not there, empty, not a picture, cut off, or too large.
    """
    try:
        with Image.open(path if data is None else BytesIO(data)) as image:
            yield image
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        reason = (error.strerror or "cannot be read").lower()
        raise InputError(f"cannot read the picture: {reason}", path=path, frame=frame) from error
    except UnidentifiedImageError as error:
        empty = (path.stat().st_size if data is None else len(data)) == 0
        reason = "the file is empty (0 bytes)" if empty else "the file is not a picture"
        raise _damaged(reason, path, frame) from error
    except Image.DecompressionBombError as error:
        raise InputError(
            "the picture is too large to be safe", path=path, frame=frame, mend="Scale it down"
        ) from error
    except _DAMAGE as error:
        raise _damaged(f"the picture is damaged or cut off ({error})", path, frame) from error


def _damaged(reason: str, path: Path, frame: str | None) -> InputError:
    return InputError(
        reason,
        path=path,
        frame=frame,
        expected="a whole PNG, JPEG, WebP, TIFF or BMP file",
        mend="Copy the file again, or leave the frame out (remove the file, or use --frames)",
    )


def image_size(path: Path, frame: str | None = None, data: bytes | None = None) -> tuple[int, int]:
    """Read the (width, height) of a picture as it is to be shown, from its header alone.

    Raises:
        InputError: the file is not a readable picture.
    """
    with opened(path, frame, data) as image:
        width, height = image.size
        sideways = _orientation(image) in _SIDEWAYS
    return (height, width) if sideways else (width, height)


def has_exif(image: Image.Image) -> bool:
    """Say whether an opened picture may have EXIF before its pixels.

    Pillow decodes a whole PNG to look for EXIF behind the pixels, where nobody puts it.
    """
    return image.format != "PNG" or bool(_PNG_EXIF & set(image.info))


def _orientation(image: Image.Image) -> int | None:
    if not has_exif(image):
        return None
    return image.getexif().get(ExifTags.Base.Orientation)


def require_size(path: Path, size: tuple[int, int], frame: str, what: str = "picture") -> None:
    """Refuse a picture whose header says another size than (width, height).

    Raises:
        InputError: it is of another size, or not a readable picture.
    """
    found = image_size(path, frame)
    if found != size:
        raise InputError(
            f"the {what} is {found[0]}x{found[1]} pixels",
            path=path,
            frame=frame,
            expected=f"{size[0]}x{size[1]}, as the others",
            mend="Scale it (a mask by nearest neighbour), or leave the frame out with --frames",
        )


def has_alpha(path: Path, frame: str | None = None) -> bool:
    """Say from the header whether a picture can have transparent parts.

    Raises:
        InputError: the file is not a readable picture.
    """
    with opened(path, frame) as image:
        return _may_be_transparent(image)


def read_image(path: Path, frame: str | None = None) -> Float[np.ndarray, "H W 3"]:
    """Read a picture as RGB.

    Grey, palette, CMYK and 16-bit pictures are converted, the EXIF orientation is applied, and
    transparent parts are shown on white (as D-NeRF and Consistent4D show them).

    Returns:
        float32 in [0, 1], sRGB as stored, upright.

    Raises:
        InputError: the file is not a whole picture.
    """
    with opened(path, frame) as image:
        upright = ImageOps.exif_transpose(image)
        deep = _read_deep(upright)
        if deep is not None:
            return np.repeat(deep[..., None], 3, axis=2)
        if _may_be_transparent(upright):
            return over_white(np.asarray(upright.convert("RGBA")))
        return np.asarray(upright.convert("RGB"), dtype=np.float32) / 255


def read_shrunk(
    path: Path, size: tuple[int, int], frame: str | None = None, data: bytes | None = None
) -> Float[np.ndarray, "H W 3"]:
    """Read a picture as `read_image` does, shrunk to (width, height) by area averages.

    Made for photos of many megapixels: a JPEG is decoded at half, a quarter or an eighth of its
    size where that is still twice what is asked for, and nothing larger than its bytes is made of
    the full picture.

    Raises:
        InputError: the file is not a whole picture.
    """
    with opened(path, frame, data) as image:
        wanted = size[::-1] if _orientation(image) in _SIDEWAYS else size
        image.draft(None, (2 * wanted[0], 2 * wanted[1]))
        ImageOps.exif_transpose(image, in_place=True)
        deep = _read_deep(image)
        if deep is not None:
            return np.repeat(_shrunk(deep, size)[..., None], 3, axis=2)
        colors = _on_white(image) if _may_be_transparent(image) else _as_rgb(image)
        return _shrunk(np.asarray(colors), size).astype(np.float32) / 255


def _shrunk(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if values.shape[1::-1] == size:
        return values
    return cv2.resize(values, size, interpolation=cv2.INTER_AREA)


def _as_rgb(image: Image.Image) -> Image.Image:
    # Pillow copies a picture that it need not convert
    return image if image.mode == "RGB" else image.convert("RGB")


def _may_be_transparent(image: Image.Image) -> bool:
    return image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info


def _on_white(image: Image.Image) -> Image.Image:
    rgba = image.convert("RGBA")
    shown = Image.new("RGB", rgba.size, "white")
    shown.paste(rgba, mask=rgba.getchannel("A"))
    return shown


def read_alpha(path: Path, frame: str | None = None) -> Bool[np.ndarray, "H W"]:
    """Read where a picture is opaque: an alpha of more than one half.

    Raises:
        InputError: the file is not a whole picture, or has no alpha channel.
    """
    with opened(path, frame) as image:
        upright = ImageOps.exif_transpose(image)
        if not _may_be_transparent(upright):
            raise InputError(
                "the picture has no alpha channel, but the first frame has one",
                path=path,
                frame=frame,
                expected="RGBA pictures throughout",
            )
        return np.asarray(upright.convert("RGBA"))[..., 3] > 127


def over_white(rgba: UInt8[np.ndarray, "H W 4"]) -> Float[np.ndarray, "H W 3"]:
    """Show a picture with straight alpha on white; float32 in [0, 1]."""
    values = rgba.astype(np.float32) / 255
    alpha = values[..., 3:]
    return values[..., :3] * alpha + (1 - alpha)


def _read_deep(image: Image.Image) -> Float[np.ndarray, "H W"] | None:
    # Pillow keeps more than 8 bits only in grey pictures (16-bit RGB comes as its upper 8 bits),
    # and would clip, not scale, them when asked for RGB.
    if image.mode.startswith("I"):
        return np.clip(np.asarray(image).astype(np.float32) / 65535, 0, 1)
    if image.mode == "F":
        return np.clip(np.asarray(image, dtype=np.float32), 0, 1)
    return None
