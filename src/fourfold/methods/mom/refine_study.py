"""What the stage refine draws and compares: colours that change in time, seen in the photo."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.evaluation import psnr
from fourfold.geometry import Camera, project_points
from fourfold.methods.mom.config import MOMConfig, RefineConfig
from fourfold.methods.mom.loop import FAST, count_cycles
from fourfold.methods.mom.photo import Photo
from fourfold.methods.mom.refine_targets import PathTargets, Targets, given_targets
from fourfold.methods.mom.state import State
from fourfold.scene import Appearance, LoopMotion, Scene, SceneObject

MEASURED = 8
"""Frames, evenly spaced, on which before and after are compared."""
MARGIN = 24
"""Pixels drawn around the moving regions: what blending looks at, and footprints reach over."""


@dataclass(frozen=True, eq=False)
class Study:
    """What is drawn and compared: the part of the photo's view around all that moves.

    `scene` holds only what is seen there, and each looping object's `Appearance`, whose
    coefficients are optimised. `mask` (h,w) marks the moving regions in `camera`'s picture, which
    is the part `box` of the photo.
    """

    scene: Scene
    camera: Camera
    mask: Bool[Tensor, "h w"]
    box: tuple[slice, slice]
    targets: Targets

    @property
    def coefficients(self) -> list[Float[Tensor, "N R 4"]]:
        """What is optimised, by object."""
        changes = [item.appearance for item in self.scene.gaussian_objects]
        return [change.coefficients for change in changes if change is not None]

    def target(self, frame: int) -> Float[Tensor, "h w 3"]:
        """Give what the picture of a frame should be."""
        return self.targets(frame)[self.box]

    def draw(self, frame: int) -> Float[Tensor, "h w 3"]:
        """Draw a frame; differentiable in the coefficients."""
        # Changed once: the scene would do so for each of its pictures, and again in the gradient.
        objects = [_changed(item, float(frame)) for item in self.scene.gaussian_objects]
        return replace(self.scene, objects=objects).render(self.camera, float(frame))["rgb"]

    @torch.no_grad()
    def score(self) -> float:
        """Give the mean PSNR inside the moving regions over the measured frames, in dB."""
        frames, period = [], round(self.scene.period or 0)
        count = min(MEASURED, period)
        for place in range(count):
            frame = (2 * place + 1) * period // (2 * count)
            frames.append(float(psnr(self.draw(frame).clamp(0, 1), self.target(frame), self.mask)))
        return fmean(frames)


def _changed(item: SceneObject, time: float) -> SceneObject:
    if item.appearance is None:
        return item
    return replace(item, geometry=item.appearance.apply(item.geometry, time), appearance=None)


def ready_scene(scene: Scene, config: MOMConfig) -> Scene:
    """Give looping objects the animator's speed, and an appearance that does not change yet."""
    period = config.loop.frames
    objects = []
    for item in scene.objects:
        if isinstance(item.motion, LoopMotion):
            motion = _at_speed(item.motion, config)
            turns = [1, 2] if config.refine.animator else []
            cycles = int(motion.cycles.amax())
            change = loop_appearance(len(item.geometry), period, [*turns, cycles, 2 * cycles])
            item = replace(item, motion=motion, appearance=change)
        objects.append(item)
    return replace(scene, objects=objects)


def _at_speed(motion: LoopMotion, config: MOMConfig) -> LoopMotion:
    """Scale the speed; the sub-loops are counted anew, so that no path becomes too long."""
    if config.refine.flow_scale == 1.0:
        return motion
    velocity = config.refine.flow_scale * motion.velocity
    speeds = torch.linalg.vector_norm(velocity[motion.presence > 0], dim=-1)
    cycles = count_cycles(float(speeds.quantile(FAST)), config.loop)
    return replace(motion, velocity=velocity, cycles=torch.full_like(motion.cycles, cycles))


def loop_appearance(count: int, period: int, turns: Sequence[int]) -> Appearance:
    """Make a change of colour and opacity in time that is zero, to be learnt.

    Each number of `turns` in a period gives two basis functions, sin and 1 - cos. They are zero
    at time 0, to the bit, whatever is learnt: the scene at rest is not changed. They are periodic:
    the loop stays closed.

    Args:
        count: of Gaussians.
        period: in whole frames.
    """
    times = torch.arange(period + 1, dtype=torch.float64)
    # Whole turns are taken away first: frame `period` is frame 0 to the bit.
    angles = [2 * math.pi * ((turn * times) % period) / period for turn in dict.fromkeys(turns)]
    basis = torch.stack([wave for a in angles for wave in (a.sin(), 1.0 - a.cos())], dim=-1)
    return Appearance(times.float(), basis.float(), torch.zeros(count, basis.shape[1], 4))


def make_study(scene: Scene, state: State, photo: Photo, config: RefineConfig) -> Study:
    """Choose the part of the photo's view to draw, what is seen in it, and its targets.

    Raises:
        UsageError: there is no such animator, or what it gives does not fit.
        InputError: a folder's pictures do not fit.
    """
    assert state.motion is not None
    mask = state.motion.masks.any(0)
    box = _box(mask)
    rows, columns = box
    size = columns.stop - columns.start, rows.stop - rows.start
    camera = photo.camera.cropped(columns.start, rows.start, *size)
    motions = [item.motion for item in scene.objects if isinstance(item.motion, LoopMotion)]
    if config.animator:
        frames = round(scene.period or 0)
        targets = given_targets(config.animator, photo, mask, state.motion.velocity, frames)
    else:
        targets = PathTargets(photo, motions)
    objects = [_seen(item, camera) for item in scene.gaussian_objects]
    part = replace(scene, objects=[item for item in objects if len(item.geometry)])
    return Study(part, camera, mask[box], box, targets)


def _box(mask: Bool[Tensor, "H W"]) -> tuple[slice, slice]:
    """Give the rows and columns around a mask, with a margin where there is room."""
    spans = []
    for axis in (1, 0):
        places = torch.nonzero(mask.any(axis))[:, 0]
        first, last = int(places[0]) - MARGIN, int(places[-1]) + 1 + MARGIN
        spans.append(slice(max(first, 0), min(last, mask.shape[1 - axis])))
    return spans[0], spans[1]


def _seen(item: SceneObject, camera: Camera) -> SceneObject:
    """Leave out what stands still beyond the picture; what loops may come in, and stays."""
    if item.appearance is not None:
        return item
    pixels, depth = project_points(camera, item.geometry.means)
    most = pixels.new_tensor([camera.width, camera.height]) + MARGIN
    near = ((pixels > -MARGIN) & (pixels < most)).all(-1) & (depth > 0)
    return replace(item, geometry=item.geometry.select(near))
