"""The frames a scene is trained on, in memory: images, masks, and what is measured on masks."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from fourfold.capture import Capture, require_masks
from fourfold.errors import InputError
from fourfold.estimators import grow_mask

SMALLEST_OBJECT = 12
"""Pixels below which a mask is taken for noise and the object for absent."""
HALO = 3
"""Pixels around objects that count neither as object nor as background."""
RESERVED = ("background", "cameras")
"""Names of what is fitted beside the objects."""
BORDER = 2
"""Pixels from the edge of the picture within which a mask counts as cut off."""


@dataclass(frozen=True)
class Hidden:
    """What a given inpainting shows of an object where others hide it: image and hidden pixels."""

    image: UInt8[Tensor, "H W 3"]
    mask: Bool[Tensor, "H W"]


@dataclass(frozen=True)
class Clip:
    """Images (T,H,W,3) uint8 and visible masks (T,K,H,W) of one view.

    ``trained`` names the frames that may be looked at; images and masks of all other frames are
    blank, so nothing can leak from them.
    """

    images: UInt8[Tensor, "T H W 3"]
    masks: Bool[Tensor, "T K H W"]
    overlap: Bool[Tensor, "T H W"]
    trained: tuple[int, ...]
    object_names: tuple[str, ...]
    hidden: dict[tuple[int, int], Hidden] = field(default_factory=dict)
    """Inpainted parts by (frame, object), where the capture brings them."""

    @property
    def num_frames(self) -> int:
        return len(self.images)

    @property
    def num_objects(self) -> int:
        return self.masks.shape[1]

    @property
    def height(self) -> int:
        return self.images.shape[1]

    @property
    def width(self) -> int:
        return self.images.shape[2]

    def image(self, frame: int) -> Float[Tensor, "H W 3"]:
        """Return a frame as float in [0,1]."""
        return self.images[frame].float() / 255

    def smooth_image(self, frame: int) -> Float[Tensor, "H W 3"]:
        """Return a frame blurred over 5 pixels, for matching colours."""
        image = self.image(frame).permute(2, 0, 1)[None]
        smooth = torch.nn.functional.avg_pool2d(image, 5, 1, 2, count_include_pad=False)
        return smooth[0].permute(1, 2, 0)

    @cached_property
    def areas(self) -> Float[Tensor, "T K"]:
        """Visible pixels of each object in each frame."""
        return self.masks.flatten(2).sum(-1).float()

    @cached_property
    def free(self) -> Bool[Tensor, "T H W"]:
        """Pixels of the background, away from the blurred rims of objects."""
        return torch.stack([~grow_mask(masks.any(0), HALO) for masks in self.masks])

    @cached_property
    def _visible(self) -> list[list[int]]:
        large = (self.areas >= SMALLEST_OBJECT).tolist()
        return [[t for t in self.trained if large[t][k]] for k in range(self.num_objects)]

    def visible_frames(self, index: int) -> list[int]:
        """Return the trained frames in which an object is visible."""
        return self._visible[index]

    def centroid(self, frame: int, index: int) -> Float[Tensor, " 2"]:
        """Return the mean pixel (x, y) of a mask."""
        y, x = torch.nonzero(self.masks[frame, index], as_tuple=True)
        return torch.stack([x.float().mean(), y.float().mean()]) + 0.5

    def cut_off(self, frame: int, index: int) -> bool:
        """Tell whether a mask reaches the edge of the picture."""
        mask = self.masks[frame, index]
        inner = mask[BORDER:-BORDER, BORDER:-BORDER]
        return bool(mask.sum() > inner.sum())

    def touched(self, frame: int, index: int) -> bool:
        """Tell whether another object's mask touches this one, so that it may be partly hidden."""
        mask = self.masks[frame, index][None, None].float()
        grown = torch.nn.functional.max_pool2d(mask, 5, 1, 2)[0, 0] > 0
        other = self.masks[frame].clone()
        other[index] = False
        return bool((grown & other.any(0)).sum() > 0.1 * self.areas[frame, index].sqrt())


def read_clip(capture: Capture, trained: Sequence[int], view: int = 0) -> Clip:
    """Read the trained frames of a capture.

    Raises:
        InputError: without masks, where a mask is empty in every trained frame, or where an object
            has a name that means something else.
    """
    require_masks(capture)
    _check_names(capture)
    shape = (len(capture.frames), capture.height, capture.width)
    images = torch.zeros(*shape, 3, dtype=torch.uint8)
    masks = torch.zeros(shape[0], len(capture.object_names), *shape[1:], dtype=torch.bool)
    for frame in trained:
        images[frame] = (capture.image(frame, view) * 255).round().to(torch.uint8)
        masks[frame] = capture.masks(frame, view)
    clip = Clip(
        images,
        masks,
        masks.sum(1) > 1,
        tuple(trained),
        tuple(capture.object_names),
        _read_hidden(capture, trained, masks),
    )
    for index, name in enumerate(clip.object_names):
        if not clip.visible_frames(index):
            raise InputError(
                f"object '{name}' is empty in every trained frame",
                path=capture.path,
                expected=f"at least {SMALLEST_OBJECT} mask pixels in one frame",
                mend="Remove this object's masks, or choose other frames with --frames.",
            )
    return clip


def _check_names(capture: Capture) -> None:
    for name in set(capture.object_names) & set(RESERVED):
        raise InputError(
            f"an object is named '{name}', which is something else here",
            path=capture.path,
            mend="Rename the folder of its masks.",
        )
    for name in capture.object_names:
        if name.startswith("[") or name == "{}":
            raise InputError(
                f"an object is named '{name}', which a checkpoint cannot hold",
                path=capture.path,
                expected="a name that does not begin with a bracket",
                mend="Rename the folder of its masks.",
            )


def _read_hidden(
    capture: Capture, trained: Sequence[int], masks: Bool[Tensor, "T K H W"]
) -> dict[tuple[int, int], Hidden]:
    """Read inpainted images, and keep what they add: re-encoding spoils what was visible."""
    hidden = {}
    for frame in trained:
        for index in range(masks.shape[1]):
            found = capture.inpainted(frame, index)
            if found is None:
                continue
            image, whole = found
            added = whole & ~masks[frame, index]
            if added.any():
                hidden[frame, index] = Hidden((image * 255).round().to(torch.uint8), added)
    return hidden
