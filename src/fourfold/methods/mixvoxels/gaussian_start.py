"""The first Gaussians: still ones where cameras agree on depth, moving ones in the movers' hull."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from scipy.spatial import KDTree
from torch import Tensor

from fourfold.geometry import unproject_pixels
from fourfold.methods.mixvoxels.gaussian_depth import sweep_depths
from fourfold.methods.mixvoxels.gaussian_lenses import room_before
from fourfold.methods.mixvoxels.hull import Silhouettes, carve, paint
from fourfold.methods.mixvoxels.shots import Shots
from fourfold.scene import Gaussians, SpacetimeMotion
from fourfold.training import Progress, generator

OPACITY = 0.6
"""Opacity of first Gaussians: most of them are about right."""
STILL_SHARE, MOVING_SHARE = 0.4, 0.3
"""Shares of all Gaussians there may be that the first ones take; the rest grows."""
MOST_KEYS = 16
"""Frames, evenly spread, in which moving Gaussians start."""
DURATION = 0.5
"""Standard deviation in time of a first Gaussian, in distances between these frames."""
OVERLAP = 0.6
"""Standard deviation of a first Gaussian, in distances to its neighbours."""
REACH = 0.25
"""Movers may be beyond what stands still by this share of its extent, on every side."""
LEAST_CONFIRMED = 0.02
"""Share of pixels with a depth that cameras agree on, below which Gaussians start anywhere."""
OUTLIERS = 0.005
"""Share of the still points, at either end of each axis, that does not count for the extent."""


class Start(NamedTuple):
    """The first Gaussians of the background and of what moves, and the motion of the latter.

    `confirmed`: share of the pixels whose still depth cameras agree on.
    """

    background: Gaussians
    moving: Gaussians
    motion: SpacetimeMotion
    confirmed: float

    @property
    def at_random(self) -> bool:
        """Whether so little is confirmed that the still ones start at random depths."""
        return self.confirmed < LEAST_CONFIRMED


@dataclass(frozen=True, eq=False)
class Cloud:
    """Points with colours in [0, 1] and the distance to their neighbours."""

    points: Float[Tensor, "N 3"]
    colors: Float[Tensor, "N 3"]
    spacings: Float[Tensor, " N"]


def start_gaussians(shots: Shots, max_gaussians: int, seed: int, progress: Progress) -> Start:
    """Make the first Gaussians from the pictures alone. Own; see the modules it calls.

    `progress` counts views and then key frames: `start_steps` of them.
    """
    depths = sweep_depths(shots, progress)
    confirmed = float(torch.cat([depth.isfinite().flatten() for depth in depths]).float().mean())
    places = depths
    if confirmed < LEAST_CONFIRMED:
        places = _random_depths(shots, depths, generator(seed, "depths"))
    still = _still_cloud(shots, places, int(STILL_SHARE * max_gaussians), seed)
    keys, gap = key_frames(shots.num_frames)
    most = int(MOVING_SHARE * max_gaussians) // len(keys)
    clouds = []
    low, high = _extent(shots, still.points)
    for frame in keys:
        silhouettes = Silhouettes(shots, frame, depths)
        cells, size = carve(silhouettes, low, high)
        colors, shown = paint(silhouettes, cells, torch.full((len(cells),), size))
        shown &= room_before(shots.lenses, cells) > 0
        clouds.append(
            _thin(cells[shown], colors[shown], size, most, generator(seed, "hull", frame))
        )
        progress.advance()
    centers = [
        torch.full((len(cloud.points),), float(t)) for t, cloud in zip(keys, clouds, strict=True)
    ]
    moving = Gaussians.cat([_gaussians(cloud) for cloud in clouds])
    motion = SpacetimeMotion(
        moving.means,
        torch.cat(centers),
        torch.full((len(moving),), DURATION * gap).log(),
        torch.zeros(len(moving), 3),
    )
    return Start(_gaussians(still), moving, motion, confirmed)


def start_steps(shots: Shots) -> int:
    """Give how far the progress of `start_gaussians` counts."""
    return shots.num_views + len(key_frames(shots.num_frames)[0])


def key_frames(num_frames: int) -> tuple[list[int], float]:
    """Choose frames, evenly spread, and give the distance between two.

    >>> key_frames(3), key_frames(64)[0][:3]
    (([0, 1, 2], 1.0), [2, 6, 10])
    """
    count = min(num_frames, MOST_KEYS)
    gap = num_frames / count
    return [int((index + 0.5) * gap) for index in range(count)], gap


def _random_depths(
    shots: Shots, depths: list[Float[Tensor, "h w"]], random: torch.Generator
) -> list[Float[Tensor, "h w"]]:
    """Draw depths that nobody knows, evenly in 1/z: where all is guessed, the fit sorts it out."""
    drawn = []
    for (near, far), depth in zip(shots.bounds, depths, strict=True):
        share = torch.rand(depth.shape, generator=random)
        drawn.append(1 / (share / near + (1 - share) / far))
    return drawn


def _still_cloud(shots: Shots, depths: list[Float[Tensor, "h w"]], most: int, seed: int) -> Cloud:
    """Take the pixels of confirmed depth, some of them, as points."""
    points, colors = [], []
    for view, depth in enumerate(depths):
        height, width = depth.shape
        camera = shots.cameras[view].resized(width, height)
        known = depth.isfinite()
        pixels = camera.pixel_grid()[known]
        points.append(unproject_pixels(camera, pixels, depth[known]))
        whole = torch.from_numpy(shots.still[view]).float() / 255
        scale = pixels.new_tensor([whole.shape[1] / width, whole.shape[0] / height])
        x, y = (pixels * scale).long().unbind(1)
        colors.append(whole[y, x])
    together, painted = torch.cat(points), torch.cat(colors)
    free = room_before(shots.lenses, together) > 0
    together, painted = together[free], painted[free]
    kept = torch.randperm(len(together), generator=generator(seed, "still"))[:most]
    chosen = together[kept]
    return Cloud(chosen, painted[kept], _neighbour_distances(chosen))


def _thin(
    points: Float[Tensor, "N 3"],
    colors: Float[Tensor, "N 3"],
    size: float,
    most: int,
    random: torch.Generator,
) -> Cloud:
    kept = torch.randperm(len(points), generator=random)[:most]
    spacing = size * (len(points) / max(len(kept), 1)) ** 0.5
    return Cloud(points[kept], colors[kept], torch.full((len(kept),), spacing))


def _neighbour_distances(points: Float[Tensor, "N 3"]) -> Float[Tensor, " N"]:
    """Give the mean distance to the three nearest others, as 3DGS does."""
    distances, _ = KDTree(points.numpy()).query(points.numpy(), k=4)
    mean = torch.from_numpy(distances[:, 1:]).mean(1).float()
    # where many views pick the same place: not smaller than a tenth of the usual
    return mean.clamp(0.1 * float(mean.median()), 10 * float(mean.median()))


def _gaussians(cloud: Cloud) -> Gaussians:
    return Gaussians.from_colors(
        cloud.points,
        cloud.colors,
        OVERLAP * cloud.spacings[:, None],
        torch.full((len(cloud.points),), OPACITY),
    )


def _extent(
    shots: Shots, points: Float[Tensor, "N 3"]
) -> tuple[Float[Tensor, " 3"], Float[Tensor, " 3"]]:
    """Give the corners of the box in which something may move."""
    ordered, last = points.sort(0).values, len(points) - 1
    low, high = ordered[int(OUTLIERS * last)], ordered[int((1 - OUTLIERS) * last)]
    margin = REACH * (high - low)
    return low - margin, high + margin
