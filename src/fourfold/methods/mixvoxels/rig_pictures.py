"""What a rig's cameras saw beside the scene and its parts, for people."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.evaluation import contact_sheet
from fourfold.exporters import color_depth
from fourfold.methods.mixvoxels.rig_scores import RigView
from fourfold.scene import has_parts, moving_part, still_part

ROWS = 12
"""Pictures of the input on the sheet at most, shared out among the cameras."""
FRAMES = 3
"""Of each camera at most."""
# Shares of the known depths at the ends of the colours.
_ENDS = (0.02, 0.98)


@torch.no_grad()
def picture_sheet(views: Sequence[RigView]) -> bytes:
    """Lay out truth, rendering, still part, moving part and depth of some frames, as a PNG."""
    views = views[:ROWS]
    count = min(FRAMES, max(ROWS // len(views), 1))
    rows = []
    for view in views:
        # the middles of equal parts of the clip
        frames = {int(view.num_frames * (index + 0.5) / count) for index in range(count)}
        rows += [_row(view, frame) for frame in sorted(frames)]
    return contact_sheet(rows)


def _row(view: RigView, frame: int) -> list[tuple[str, Float[Tensor, "H W 3"]]]:
    scene, camera, time = view.scene, view.camera(frame), float(frame)
    drawn = scene.render(camera, time, ("rgb", "depth"))
    row = [
        (f"{view.name}, frame {view.capture.frames[frame]}", view.image(frame)),
        ("rendering", drawn["rgb"].clamp(0, 1)),
    ]
    if has_parts(scene):
        row.append(("still", still_part(scene).render(camera, time)["rgb"].clamp(0, 1)))
        row.append(("moving", moving_part(scene).render(camera, time)["rgb"].clamp(0, 1)))
    return [*row, ("depth", _colored(drawn["depth"]))]


def _colored(depth: Float[Tensor, "H W"]) -> Float[Tensor, "H W 3"]:
    known = depth[depth.isfinite()]
    near, far = known.quantile(torch.tensor(_ENDS)).tolist() if len(known) else (1.0, 2.0)
    return color_depth(depth, near, max(far, near * 1.01))
