"""Optical flow of each object between the trained frames that show it, as a training target."""

from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.estimators import estimate_object_flow
from fourfold.methods.dreamscene4d.clip import Clip


@dataclass(frozen=True)
class FlowTarget:
    """Where an object's pixels of one frame are in the next: (H,W,2) pixels, and where known."""

    next_frame: int
    flow: Float[Tensor, "H W 2"]
    valid: Bool[Tensor, "H W"]


class ObjectFlows:
    """Flows of objects from each frame to the next that shows them, estimated when first asked."""

    def __init__(self, clip: Clip) -> None:
        self._clip = clip
        self._known: dict[tuple[int, int, int], FlowTarget] = {}

    def between(self, index: int, frame: int, other: int) -> FlowTarget:
        """Return the flow of an object from one frame to another."""
        key = (index, frame, other)
        if key not in self._known:
            clip = self._clip
            found = estimate_object_flow(
                clip.image(frame),
                clip.image(other),
                clip.masks[frame, index],
                clip.masks[other, index],
            )
            self._known[key] = FlowTarget(other, found.flow, found.valid)
        return self._known[key]

    def onward(self, index: int, frame: int) -> FlowTarget | None:
        """Return the flow to the next trained frame that shows the object, if there is one."""
        later = [t for t in self._clip.visible_frames(index) if t > frame]
        return self.between(index, frame, later[0]) if later else None
