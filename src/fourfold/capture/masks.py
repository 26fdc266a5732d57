"""Object masks on disk: one picture per object, or label maps that hold several objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt32
from PIL import Image, ImageOps

from fourfold.capture.images import opened, require_size
from fourfold.errors import InputError

# 255 beside small ids means "unknown" (DAVIS, YouTube-VOS); beside larger ones it is an object.
_VOID = 255
_LARGEST_ID_BESIDE_VOID = 63
# A mask that was scaled or blurred is 0 or 255 nearly everywhere, with many values between.
_SOFT_SHARE = 0.9
_SOFT_VALUES = 8
# More colours than this are a photo or the noise of a lossy file.
_MAX_OBJECTS = 255


@dataclass(frozen=True)
class Labels:
    """The picture of a mask as numbers: grey values or palette indices, or 0xRRGGBB colours."""

    codes: UInt32[np.ndarray, "H W"]
    is_color: bool
    is_lossy: bool
    # number of a white pixel in grey pictures: 1, 255 or 65535
    white: int

    def foreground(self) -> Bool[np.ndarray, "H W"]:
        """Return where the mask is set, taking it as the mask of one object."""
        if self.is_color:
            return (self.codes != 0) if not self.is_lossy else _brightest(self.codes) > 127
        half = (self.white + 1) // 2
        if self.is_lossy or self.codes.max(initial=0) >= half:
            return self.codes >= half
        return self.codes != 0


@dataclass(frozen=True)
class LabelScheme:
    """Which numbers in the label maps of a clip are objects; `ids` None means one soft mask."""

    names: tuple[str, ...]
    ids: tuple[int, ...] | None
    is_color: bool

    def split(self, labels: Labels) -> Bool[np.ndarray, "K H W"]:
        """Return one mask per object."""
        if self.ids is None:
            return labels.foreground()[None]
        codes = labels.codes
        if self.is_color and not labels.is_color:
            codes = codes * 0x010101
        shape = (len(self.ids), *codes.shape)
        return np.stack([codes == i for i in self.ids]) if self.ids else np.zeros(shape, bool)


def read_labels(path: Path, size: tuple[int, int], frame: str) -> Labels:
    """Read a mask picture: 1, L, 16-bit, palette, RGB(A).

    Of a palette picture the indices count when its first colour is black (DAVIS), else its
    colours. An RGBA mask is read from its alpha when its colour is the same everywhere.

    Args:
        size: (width, height) that the frame has.

    Raises:
        InputError: not a whole picture, or of another size.
    """
    require_size(path, size, frame, "mask")
    with opened(path, frame) as image:
        lossy = image.format in {"JPEG", "MPO"}
        return _labels(ImageOps.exif_transpose(image), lossy)


def _labels(image: Image.Image, lossy: bool) -> Labels:
    if image.mode == "1":
        return Labels(np.asarray(image).astype(np.uint32), False, lossy, 1)
    if image.mode.startswith("I"):
        return Labels(np.asarray(image).astype(np.uint32), False, lossy, 65535)
    if image.mode == "P" and (image.getpalette() or [0, 0, 0])[:3] == [0, 0, 0]:
        return Labels(np.asarray(image).astype(np.uint32), False, lossy, 255)
    if image.mode == "L":
        return Labels(np.asarray(image).astype(np.uint32), False, lossy, 255)
    rgba = np.asarray(image.convert("RGBA")).astype(np.uint32)
    return _color_labels(rgba, lossy)


def _color_labels(rgba: UInt32[np.ndarray, "H W 4"], lossy: bool) -> Labels:
    red, green, blue, alpha = np.moveaxis(rgba, -1, 0)
    codes = (red << 16) | (green << 8) | blue
    if alpha.min() != alpha.max():
        if codes.min() == codes.max():
            return Labels(alpha, False, lossy, 255)
        codes = np.where(alpha > 127, codes, 0)
    if (red == green).all() and (green == blue).all():
        return Labels(codes & 0xFF, False, lossy, 255)
    return Labels(codes, True, lossy, 255)


def _brightest(codes: UInt32[np.ndarray, "H W"]) -> UInt32[np.ndarray, "H W"]:
    return np.maximum(np.maximum(codes >> 16, (codes >> 8) & 0xFF), codes & 0xFF)


def find_scheme(label_maps: Sequence[tuple[Path, Labels]]) -> LabelScheme:
    """Find out which objects the label maps of a clip hold, all frames looked at together.

    One value beside 0 is one object, whatever the value. Several are several objects, named by
    their number ("001"); colours of the DAVIS palette by their index, others by their hex code.
    255 beside small ids is "unknown" and no object.

    Raises:
        InputError: too many values for a label map.
    """
    is_color = any(labels.is_color for _, labels in label_maps)
    counts: dict[int, int] = {}
    for _, labels in label_maps:
        codes = labels.codes * 0x010101 if is_color and not labels.is_color else labels.codes
        for code, count in zip(*np.unique(codes, return_counts=True), strict=True):
            counts[int(code)] = counts.get(int(code), 0) + int(count)
    if _is_single(label_maps, counts, is_color):
        return LabelScheme(("001",), None, is_color)
    ids = sorted(set(counts) - {0} - _void(counts))
    if len(ids) > _MAX_OBJECTS:
        raise InputError(
            f"the masks hold {len(ids)} different values, too many for objects",
            path=label_maps[0][0].parent,
            expected="one colour or number per object, 0 (black) for the background",
            mend="Save label maps as PNG, not as JPEG, and scale them by nearest neighbour",
        )
    if is_color:
        ids.sort(key=lambda code: (_palette_index(code) or _MAX_OBJECTS + 1, code))
        return LabelScheme(tuple(_color_name(code) for code in ids), tuple(ids), True)
    return LabelScheme(tuple(f"{i:03d}" for i in ids), tuple(ids), False)


def _is_single(
    label_maps: Sequence[tuple[Path, Labels]], counts: dict[int, int], is_color: bool
) -> bool:
    if len(counts) - (0 in counts) == 1:
        return True
    if is_color:
        return False
    if all(labels.is_lossy for _, labels in label_maps):
        return True
    between = len(set(counts) - {0, _VOID})
    share = (counts.get(0, 0) + counts.get(_VOID, 0)) / sum(counts.values())
    return _VOID in counts and between > _SOFT_VALUES and share >= _SOFT_SHARE


def _void(counts: dict[int, int]) -> set[int]:
    others = set(counts) - {0, _VOID}
    return {_VOID} if others and max(others) <= _LARGEST_ID_BESIDE_VOID else set()


def _color_name(code: int) -> str:
    index = _palette_index(code)
    return f"{code:06x}" if index is None else f"{index:03d}"


def _palette_index(code: int) -> int | None:
    """Return the index of a colour in the palette of PASCAL VOC and DAVIS, None if not in it.

    The palette spreads the bits of the index: bit 3k + c of the index is bit 7 - k of channel c.
    """
    channels = [(code >> shift) & 0xFF for shift in (16, 8, 0)]
    index = 0
    for bit in range(8):
        index |= ((channels[bit % 3] >> (7 - bit // 3)) & 1) << bit
    spread = [0, 0, 0]
    for bit in range(8):
        spread[bit % 3] |= ((index >> bit) & 1) << (7 - bit // 3)
    return index if spread == channels else None
