"""What mom takes from a capture: the photo, its regions and hints, its lens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.capture import Capture, Hint, require_one_view
from fourfold.errors import InputError
from fourfold.geometry import Camera

MOVING = "motion"
"""Beginning of the names of regions that move."""
_DRAW = "Draw them: fourfold prepare draw PHOTO --out DIR"


@dataclass(frozen=True)
class Photo:
    """A photo (H,W,3) in [0,1]; its camera, whose frame is the world; what was drawn on it."""

    image: Float[Tensor, "H W 3"]
    camera: Camera
    regions: Mapping[str, Bool[Tensor, "H W"]]
    hints: Sequence[Hint]
    field: Float[Tensor, "H W 2"] | None = None
    depth: Float[Tensor, "H W"] | None = None

    @property
    def moving_names(self) -> list[str]:
        """The names of the regions that move."""
        return [name for name in self.regions if name.startswith(MOVING)]

    @property
    def moving(self) -> Bool[Tensor, "R H W"]:
        """The masks of the regions that move."""
        return torch.stack([self.regions[name] for name in self.moving_names])


def read_photo(capture: Capture) -> Photo:
    """Read a photo, and check that something in it moves.

    Raises:
        InputError: it is a video or has several views, nothing is marked to move, or nothing says
            how.
    """
    require_one_view(capture)
    if capture.num_frames != 1:
        raise InputError(
            f"this has {capture.num_frames} frames",
            path=capture.path,
            expected="a single photo",
        )
    regions = dict(zip(capture.object_names, capture.masks(0), strict=True))
    moving = [mask for name, mask in regions.items() if name.startswith(MOVING)]
    if not any(bool(mask.any()) for mask in moving):
        raise InputError(
            "nothing in the photo is marked to move",
            path=capture.path,
            expected=f"regions labelled {MOVING}, or --masks MASK.png",
            mend=_DRAW,
        )
    field = capture.motion_field()
    if not capture.hints and field is None:
        raise InputError(
            "nothing says how the regions move",
            path=capture.path,
            expected="lines labelled hint, or --motion-field FILE",
            mend=_DRAW,
        )
    camera = capture.camera(0)
    assert camera is not None  # photos always have one
    still = Camera(torch.eye(4), camera.intrinsics, camera.width, camera.height)
    return Photo(capture.image(0), still, regions, capture.hints, field, capture.depth(0))
