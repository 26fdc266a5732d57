"""A view of a fit: background and objects in one picture, with whose each pixel is."""

from dataclasses import dataclass
from itertools import accumulate

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.geometry import Camera, project_points
from fourfold.methods.dreamscene4d.clip import Clip
from fourfold.methods.dreamscene4d.fit import Fit
from fourfold.methods.dreamscene4d.flows import FlowTarget, ObjectFlows
from fourfold.methods.dreamscene4d.trainable import TrainableObject
from fourfold.methods.dreamscene4d.views import View
from fourfold.scene import Gaussians
from fourfold.splat import Rasterization, rasterize


@dataclass(frozen=True)
class Drawing:
    """A picture whose channels are colour, one weight per object, and the flow where it is used.

    ``drawn`` are the indices of the objects in it, ``counts`` the Gaussians of the background and
    of each drawn object, ``fronts`` those of the objects' visible sides, which come first;
    ``targets`` the flow that each drawn object should have.
    """

    picture: Rasterization
    num_objects: int
    drawn: list[int]
    names: list[str]
    counts: list[int]
    fronts: list[int]
    targets: list[FlowTarget | None]

    @property
    def colors(self) -> Float[Tensor, "H W 3"]:
        return self.picture.image[..., :3]

    @property
    def weights(self) -> Float[Tensor, "H W K"]:
        """Each object's share of each pixel."""
        return self.picture.image[..., 3 : 3 + self.num_objects]

    @property
    def flow(self) -> Float[Tensor, "H W 2"] | None:
        """Pixels to the next frame that shows the object, if it was drawn."""
        flow = self.picture.image[..., 3 + self.num_objects :]
        return flow if flow.shape[-1] else None

    def front_slices(self) -> dict[str, slice]:
        """Return where each drawn object's visible side lies among the Gaussians."""
        spans = zip(self.names, accumulate(self.counts), self.fronts, strict=False)
        return {name: slice(start, start + count) for name, start, count in spans}


def draw_background(fit: Fit, camera: Camera, view: View) -> Float[Tensor, "H W 3"]:
    """Splat the background alone; differentiable in it and in the camera's correction."""
    pose = fit.camera_from_world(view.frame)
    return _splat(Gaussians(**fit.background), [], pose, camera, fit.background_color).image


def draw_view(
    fit: Fit,
    clip: Clip,
    cameras: list[Camera],
    view: View,
    flows: ObjectFlows | None = None,
    alone: bool = False,
) -> Drawing:
    """Splat everything that a frame shows; differentiable in the objects, not the background.

    Seen through an object that is not quite opaque, the background would take on its colours.
    ``alone`` leaves out all objects but the one that the view is about.
    """
    frame, owners = view.frame, list(fit.objects)
    drawn = [index for index in range(len(owners)) if frame in clip.visible_frames(index)]
    if alone:
        drawn = [index for index in drawn if index == view.index]
    moving = [fit.objects[owners[index]] for index in drawn]
    parts = [Gaussians(**fit.background).detach()]
    parts += [each.at(float(frame), fit.skinnings[each.name]) for each in moving]
    counts = [len(part) for part in parts]
    targets = [None if flows is None else flows.onward(index, frame) for index in drawn]
    channels = [_one_hot(counts, drawn, clip.num_objects)]
    if any(target is not None for target in targets):
        channels.append(_flow_channels(fit, cameras, frame, parts, moving, targets))
    pose = fit.camera_from_world(frame).detach()
    whole, camera = Gaussians.cat(parts), view.camera(cameras[frame])
    picture = _splat(whole, channels, pose, camera, fit.background_color)
    fronts = [len(each.surface["means"]) for each in moving]
    names = [each.name for each in moving]
    return Drawing(picture, clip.num_objects, drawn, names, counts, fronts, targets)


def _splat(
    whole: Gaussians,
    channels: list[Tensor],
    pose: Float[Tensor, "4 4"],
    camera: Camera,
    color: Float[Tensor, " 3"],
) -> Rasterization:
    colors = torch.cat([whole.colors(), *channels], 1)
    return rasterize(
        whole.means,
        whole.quaternions,
        whole.scales,
        whole.opacities,
        colors,
        pose,
        camera.intrinsics,
        camera.width,
        camera.height,
        background=torch.nn.functional.pad(color, (0, colors.shape[1] - 3)),
    )


def _one_hot(counts: list[int], drawn: list[int], num_objects: int) -> Float[Tensor, "N K"]:
    """Mark each Gaussian's object; the background, which comes first, has none."""
    owners = torch.zeros(sum(counts), num_objects)
    for index, start, count in zip(drawn, accumulate(counts), counts[1:], strict=False):
        owners[start : start + count, index] = 1.0
    return owners


def _flow_channels(
    fit: Fit,
    cameras: list[Camera],
    frame: int,
    parts: list[Gaussians],
    moving: list[TrainableObject],
    targets: list[FlowTarget | None],
) -> Float[Tensor, "N 2"]:
    """Compute how many pixels each Gaussian moves until the next frame that shows its object."""
    channels = [parts[0].means.new_zeros(len(parts[0]), 2)]
    for part, each, target in zip(parts[1:], moving, targets, strict=True):
        if target is None:
            channels.append(part.means.new_zeros(len(part), 2))
            continue
        rest = each.prior(each.front).means.detach()
        later = each.current_motion().move_points(
            rest, float(target.next_frame), fit.skinnings[each.name]
        )
        here, _ = project_points(_posed(fit, cameras, frame), part.means)
        there, _ = project_points(_posed(fit, cameras, target.next_frame), later)
        channels.append(there - here)
    return torch.cat(channels)


def _posed(fit: Fit, cameras: list[Camera], frame: int) -> Camera:
    return cameras[frame].moved(fit.camera_from_world(frame).detach())
