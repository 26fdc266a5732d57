"""What a training of voxels is made from: space, still pictures, what changes, known depths."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.capture import FrameStore
from fourfold.fields import Space
from fourfold.methods.mixvoxels.config import MixVoxelsConfig
from fourfold.methods.mixvoxels.depth_targets import DepthTargets, read_depth_targets
from fourfold.methods.mixvoxels.footage import Footage, changing_pixels
from fourfold.methods.mixvoxels.space_choice import choose_space, nearest_distance
from fourfold.methods.mixvoxels.step import PixelSource
from fourfold.training import Progress

STILL_SHARE = 0.4
"""Share of the iterations in which the still voxels are fitted alone."""


@dataclass(frozen=True)
class Material:
    """All that a training needs beside its fit; the same for every stage.

    `say` is told what there is to know about the result.
    """

    footage: Footage
    config: MixVoxelsConfig
    say: Callable[[str], None]

    @cached_property
    def space(self) -> Space:
        """Where the voxels are."""
        return choose_space(self.footage, self.config.voxels.space)

    @cached_property
    def deviations(self) -> list[Float[Tensor, "H W"]]:
        """How much each pixel of each view changes over time."""
        if self.footage.num_frames == 1:
            sizes = self.footage.sizes.tolist()
            return [torch.zeros(height, width) for width, height in sizes]
        views, found = self.footage.views, []
        with Progress(len(views), "what changes") as bar:
            for view in views:
                found.append(torch.from_numpy(self.footage.store.deviation(view)))
                bar.advance()
        return found

    @cached_property
    def changing(self) -> list[Bool[Tensor, "H W"]]:
        """Which pixels of each view change over time."""
        return changing_pixels(self.deviations, self.config.voxels.variation_threshold)

    @cached_property
    def changes(self) -> bool:
        """Whether any pixel of any view changes over time."""
        return any(bool(mask.any()) for mask in self.changing)

    @cached_property
    def still_steps(self) -> int:
        """How many steps the still voxels are fitted alone: all where no pixel changes."""
        share = STILL_SHARE if self.changes else 1.0
        return max(int(share * self.config.size.iterations), 1)

    @cached_property
    def still_images(self) -> list[Float[Tensor, "H W 3"]]:
        """Each view without what moves."""
        store, target = self.footage.store, self.config.voxels.still_target
        if self.footage.num_frames == 1:
            target = str(self.footage.frames[0])
        views, images = self.footage.views, []
        with Progress(len(views), "what stands still") as bar:
            for view in views:
                images.append(torch.from_numpy(_still_image(store, view, target)))
                bar.advance()
        return images

    @cached_property
    def targets(self) -> DepthTargets | None:
        """Known depths."""
        return read_depth_targets(self.footage, self.config, self.changing, self.say)

    @cached_property
    def pixels(self) -> PixelSource:
        """What rays are drawn from."""
        near = nearest_distance(self.footage)
        return PixelSource(self.footage, near, self.changing, self.targets, self.still_images)


def _still_image(store: FrameStore, view: int, target: str) -> Float[np.ndarray, "H W 3"]:
    if target.isdigit():
        frame = min(int(target), store.num_frames - 1)
        return store.image(frame, view).astype(np.float32) / 255
    return store.mean(view) if target == "mean" else store.median(view).astype(np.float32) / 255
