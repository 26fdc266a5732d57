"""Photograph a landscape and write it, drawn on and with its truth, as a photo's capture."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float

from fourfold.files import replace_folder
from fourfold.geometry import Camera
from fourfold.synthetic.drawing import Line, hint, labelme, outlines, place_hint
from fourfold.synthetic.footage import Filming
from fourfold.synthetic.landscape import RIVER, Landscape, Scenery, photo_pose
from fourfold.synthetic.landscape_views import PHOTO, landscape_cameras
from fourfold.synthetic.renderer import FilmedScene
from fourfold.synthetic.stage import UP, to_world
from fourfold.synthetic.writing import Storage, camera_json, write_image, write_json, write_mask

# The matter is moved by so many frames in the truth's views.
TIMES = (0.0, 4.0, 8.0)
SKY = "sky"
# vertices of land and water per pixel of the photo, one way
_VERTICES_PER_PIXEL = 1.4
# Land farther away than this stands upright.
_MOUNTAINS = 50.0
# Hints on the river: one in each of these ranges of depth, near to far; on the sky one in each of
# so many ranges of columns.
_HINT_DEPTHS = (1.5, 2.6, 3.6, 5.0, 7.0, 10.0, 15.0, 24.0)
_HINT_COLUMNS = 3


@dataclass(frozen=True)
class LandscapeMaps:
    """What is true of every pixel of the photo, at its centre; in the photo's frame.

    Attributes:
        depth: z, infinite in the sky.
        motion: velocity in pixels per frame, 0 where nothing moves.
        scene_flow: velocity in units per frame; NaN in the sky, which has no distance.
        regions: what is seen, by name.
    """

    depth: Float[np.ndarray, "H W"]
    motion: Float[np.ndarray, "H W 2"]
    scene_flow: Float[np.ndarray, "H W 3"]
    regions: dict[str, Bool[np.ndarray, "H W"]]


def count_views(storage: Storage) -> int:
    """Count the pictures that are rendered."""
    return len(TIMES[:: storage.novel_every]) * 8


def synthesize_landscape(
    landscape: Landscape,
    out: str | PathLike[str],
    filming: Filming,
    storage: Storage,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Photograph a landscape and write the photo, the drawing on it, its camera and its truth.

    The photo's camera is the world of all files. The truth's views are those of
    `landscape_cameras` at all `TIMES`; their depth does not change with time. With
    `storage.compact` numbers are stored in 16 bits.

    Raises:
        OutputError: it cannot be written; what was there stays.
    """
    scenery = Scenery(landscape, filming.width, filming.height, 1 / _VERTICES_PER_PIXEL)
    with replace_folder(out) as folder:
        shoot = _Shoot(scenery, folder, filming, storage)
        for done in shoot.film():
            if progress is not None:
                progress(done, shoot.total)
    return Path(out)


class _Shoot:
    """Photographs a landscape into a folder."""

    def __init__(self, scenery: Scenery, folder: Path, filming: Filming, storage: Storage) -> None:
        self.scenery, self.folder = scenery, folder
        self.filming, self.storage = filming, storage
        self.times = TIMES[:: storage.novel_every]
        self.still = FilmedScene(scenery.stage_at(0.0), 0.0)
        self.maps = survey_landscape(scenery, self.still)
        self.cameras = landscape_cameras(scenery.camera, self.maps.depth)
        self.total = len(self.times) * len(self.cameras)

    def film(self) -> Iterator[int]:
        """Take all pictures, and give how many are done after each."""
        self._write_maps()
        done = 0
        for time in self.times:
            stage = self.scenery.stage_at(time)
            filmed = self.still if time == 0.0 else FilmedScene(stage, 0.0)
            for view, camera in self.cameras.items():
                self._photograph(filmed, camera, view, time)
                done += 1
                yield done
        self._write_truth()

    def _photograph(self, filmed: FilmedScene, camera: Camera, view: str, time: float) -> None:
        light = filmed.photograph(camera, self.filming.samples, self.filming.seed)
        truth = self.folder / "truth"
        if view == PHOTO and time == 0.0:
            self._write_input(write_image(self.folder / "photo", light, self.storage))
        else:
            write_image(truth / "views" / view / f"{time:03.0f}", light, self.storage)
        if time == 0.0 and view != PHOTO and self._keeps_depth(view):
            depth, actor = filmed.survey(camera)
            self._write_numbers(truth / "views" / view / "depth.npz", depth=_seen(depth, actor))

    def _keeps_depth(self, view: str) -> bool:
        return list(self.cameras).index(view) % self.storage.depth_every == 0

    def _write_numbers(self, path: Path, **arrays: np.ndarray) -> None:
        kind = np.float16 if self.storage.compact else np.float32
        path.parent.mkdir(parents=True, exist_ok=True)
        smaller: dict[str, Any] = {name: a.astype(kind) for name, a in arrays.items()}
        np.savez_compressed(path, **smaller)

    def _write_input(self, photo: Path) -> None:
        """Write the drawing on the photo, and its camera."""
        size = self.filming.width, self.filming.height
        drawn = labelme(photo.name, size, draw(self.scenery, self.maps))
        (self.folder / "photo.json").write_text(json.dumps(drawn) + "\n", encoding="utf-8")
        pose = {"main": {"photo": torch.eye(4).tolist()}}
        camera = {
            "width": size[0],
            "height": size[1],
            "intrinsics": self.scenery.camera.intrinsics.tolist(),
            "camera_from_world": pose,
        }
        write_json(self.folder / "cameras.json", camera)

    def _write_maps(self) -> None:
        truth = self.folder / "truth"
        depth = np.where(np.isfinite(self.maps.depth), self.maps.depth, 0.0)
        self._write_numbers(truth / "depth.npz", depth=depth)
        flow = np.nan_to_num(self.maps.scene_flow, nan=0.0)
        self._write_numbers(truth / "motion.npz", motion=self.maps.motion, scene_flow=flow)
        for name, mask in self.maps.regions.items():
            write_mask(truth / "masks" / f"{name}.png", mask)

    def _write_truth(self) -> None:
        truth = self.folder / "truth"
        up = self.scenery.camera.camera_from_world[:3, :3] @ torch.tensor(UP)
        world = self.scenery.camera.world_from_camera
        cameras = {
            view: camera_json(camera.moved(camera.camera_from_world @ world))
            for view, camera in self.cameras.items()
        }
        write_json(
            truth / "landscape.json",
            {
                "format": "fourfold-landscape-truth",
                "version": 1,
                "width": self.filming.width,
                "height": self.filming.height,
                "up": up.tolist(),
                "regions": list(self.maps.regions),
                "times": list(self.times),
                "cameras": cameras,
            },
        )
        about = files("fourfold.synthetic") / "landscape_truth.md"
        (truth / "README.md").write_text(about.read_text(encoding="utf-8"), encoding="utf-8")


def survey_landscape(scenery: Scenery, filmed: FilmedScene) -> LandscapeMaps:
    """Measure depth, motion and regions at the centres of the photo's pixels."""
    depth, actor = filmed.survey(scenery.camera)
    sky = actor < 0
    depth = np.where(sky, np.inf, depth)
    regions = {name: actor == k for k, name in enumerate(scenery.names)} | {SKY: sky}
    scene_flow = np.zeros((*depth.shape, 3))
    scene_flow[sky] = np.nan
    motion = np.zeros((*depth.shape, 2))
    pixels = scenery.camera.pixel_grid().double().numpy()
    motion[sky] = scenery.cloud_velocity(pixels[sky])
    river = regions[RIVER]
    motion[river], scene_flow[river] = river_motion(scenery, pixels[river])
    return LandscapeMaps(depth, motion, scene_flow, regions)


def river_motion(
    scenery: Scenery, pixels: Float[np.ndarray, "N 2"]
) -> tuple[Float[np.ndarray, "N 2"], Float[np.ndarray, "N 3"]]:
    """Give the velocity of the water seen at pixels: in pixels and in units, per frame.

    The rays are met with the plane of the water. The velocity in the photo is the derivative of
    the projection: f (V_x - x V_z / z) / z, and so for y.
    """
    camera = scenery.camera
    photo_from_stage = photo_pose(camera)
    intrinsics = camera.intrinsics.double().numpy()
    rays = (pixels - intrinsics[:2, 2]) / np.diag(intrinsics)[:2]
    rays = np.concatenate((rays, np.ones_like(rays[:, :1])), 1)
    directions = rays @ photo_from_stage[:3, :3]
    position = to_world(camera.position.double().numpy())
    z = -position[1] / directions[:, 1]
    points = position + z[:, None] * directions
    flow = scenery.river_velocity(points) @ photo_from_stage[:3, :3].T
    slide = flow[:, :2] - rays[:, :2] * flow[:, 2:]
    return slide * np.diag(intrinsics)[:2] / z[:, None], flow


def draw(scenery: Scenery, maps: LandscapeMaps) -> list[dict[str, Any]]:
    """Draw the regions, and hints on what moves, near and far."""
    land = maps.regions["land"]
    areas = {
        "motion_river": maps.regions[RIVER],
        "motion_clouds": maps.regions[SKY],
        "sky": maps.regions[SKY],
        "vertical_mountains": land & (maps.depth > _MOUNTAINS),
        "vertical_trees": maps.regions["trees"],
        "vertical_rocks": maps.regions["rocks"],
    }
    shapes = [shape for label, mask in areas.items() for shape in outlines(label, mask)]
    return shapes + [hint(k, line) for k, line in enumerate(_hint_lines(scenery, maps))]


def _hint_lines(scenery: Scenery, maps: LandscapeMaps) -> Iterator[Line]:
    river, sky = maps.regions[RIVER], maps.regions[SKY]
    bands = [river & (maps.depth >= a) & (maps.depth < b) for a, b in pairwise(_HINT_DEPTHS)]
    flowing = [
        place_hint(band, river, lambda pixels: river_motion(scenery, pixels)[0]) for band in bands
    ]
    columns = np.arange(sky.shape[1]) * _HINT_COLUMNS // sky.shape[1]
    drifting = [
        place_hint(sky & (columns == k), sky, scenery.cloud_velocity) for k in range(_HINT_COLUMNS)
    ]
    return (line for line in (*flowing, *drifting) if line is not None)


def _seen(depth: Float[np.ndarray, "H W"], actor: np.ndarray) -> Float[np.ndarray, "H W"]:
    """Take the sky's panel for what it is: nothing."""
    return np.where(actor < 0, 0.0, depth)
