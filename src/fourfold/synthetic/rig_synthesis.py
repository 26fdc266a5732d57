"""Film a rig's stage and write it, with its truth, as frames per camera and `poses_bounds.npy`."""

from collections.abc import Callable, Iterator
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from fourfold.capture.poses_bounds_writing import poses_bounds_rows
from fourfold.files import replace_folder
from fourfold.synthetic.footage import Filming, noise_seeds
from fourfold.synthetic.renderer import FilmedScene
from fourfold.synthetic.rig_stage import RigStage
from fourfold.synthetic.stage import world_camera
from fourfold.synthetic.writing import (
    DEPTH_UNIT,
    Storage,
    camera_json,
    write_depth,
    write_image,
    write_json,
    write_mask,
)

# The bounds leave room before the nearest and behind the farthest surface.
_MARGIN = 0.05


def synthesize_rig(
    rig: RigStage,
    out: str | PathLike[str],
    filming: Filming,
    storage: Storage,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Film a rig's stage and write it in the layout of N3V and MixVoxels.

    `frames/<camera>/<frame>`, and `poses_bounds.npy` in LLFF's format; under `truth` the z-depth
    and the moving actors at the pixels' centres, and `rig.json`. With `storage.compact` depth is
    stored of the held-out camera in every `storage.depth_every`-th frame, of the others in the
    first frame.

    Raises:
        OutputError: it cannot be written; what was there stays.
    """
    with replace_folder(out) as folder:
        shoot = _Shoot(rig, folder, filming, storage)
        for done in shoot.film():
            if progress is not None:
                progress(done, shoot.total)
    return Path(out)


class _Shoot:
    """Films frame after frame with all cameras into a folder."""

    def __init__(self, rig: RigStage, folder: Path, filming: Filming, storage: Storage) -> None:
        self.rig, self.folder = rig, folder
        self.filming, self.storage = filming, storage
        self.cameras = {
            name: world_camera(viewpoint, filming.width, filming.height)
            for name, viewpoint in rig.viewpoints.items()
        }
        moving = [actor.name in rig.moving for actor in rig.stage.actors]
        # the last entry is for pixels without an actor, whose index is -1
        self.moving = np.array([*moving, False])
        self.frames = [f"{frame:04d}" for frame in range(filming.frames)]
        self.bounds = dict.fromkeys(self.cameras, (np.inf, 0.0))
        self.total = filming.frames * len(self.cameras)

    def film(self) -> Iterator[int]:
        """Film all frames with all cameras, and give how many pictures are done after each."""
        done, seeds = 0, noise_seeds(self.filming.seed)
        for frame in range(self.filming.frames):
            time = frame * self.rig.stage.seconds / self.filming.frames
            filmed = FilmedScene(self.rig.stage, time)
            for name, camera in self.cameras.items():
                light = filmed.photograph(camera, self.filming.samples, next(seeds))
                write_image(self._place("frames", name, frame), light, self.storage)
                self._survey(frame, name, *filmed.survey(camera))
                done += 1
                yield done
        self._write_cameras()
        self._write_truth()

    def _survey(
        self,
        frame: int,
        name: str,
        depth: Float[np.ndarray, "H W"],
        actor: Int[np.ndarray, "H W"],
    ) -> None:
        seen = depth[depth > 0]
        near, far = self.bounds[name]
        self.bounds[name] = min(near, float(seen.min())), max(far, float(seen.max()))
        moving: Bool[np.ndarray, "H W"] = self.moving[actor]
        write_mask(self._place("truth/moving", name, frame).with_suffix(".png"), moving)
        if self._keeps_depth(frame, name):
            write_depth(self._place("truth/depth", name, frame).with_suffix(".png"), depth)

    def _keeps_depth(self, frame: int, name: str) -> bool:
        if self.storage.compact and name != self.rig.held_out:
            return frame == 0
        return frame % self.storage.depth_every == 0

    def _place(self, what: str, name: str, frame: int) -> Path:
        return self.folder / what / name / self.frames[frame]

    def _write_cameras(self) -> None:
        bounds = [self._bounds(name) for name in self.cameras]
        rows = poses_bounds_rows(list(self.cameras.values()), bounds)
        np.save(self.folder / "poses_bounds.npy", rows, allow_pickle=False)

    def _bounds(self, name: str) -> tuple[float, float]:
        near, far = self.bounds[name]
        return near * (1 - _MARGIN), far * (1 + _MARGIN)

    def _write_truth(self) -> None:
        rig = self.rig
        cameras: dict[str, Any] = {
            name: camera_json(camera) for name, camera in self.cameras.items()
        }
        write_json(
            self.folder / "truth" / "rig.json",
            {
                "format": "fourfold-rig-truth",
                "version": 1,
                "width": self.filming.width,
                "height": self.filming.height,
                "fps": self.filming.frames / rig.stage.seconds,
                "frames": self.frames,
                "depth_unit": DEPTH_UNIT,
                "moving": [actor.name for actor in rig.stage.actors if actor.name in rig.moving],
                "held_out": rig.held_out,
                "few": list(rig.few),
                "cameras": cameras,
            },
        )
