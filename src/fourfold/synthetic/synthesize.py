"""Film a stage and write it, with its truth, as a capture."""

from collections.abc import Callable
from os import PathLike
from pathlib import Path

import numpy as np

from fourfold.errors import UsageError
from fourfold.files import replace_folder
from fourfold.geometry import Camera
from fourfold.synthetic.footage import Filming
from fourfold.synthetic.landscape import Landscape
from fourfold.synthetic.landscape_synthesis import synthesize_landscape
from fourfold.synthetic.renderer import FilmedScene, load_mitsuba
from fourfold.synthetic.rig_stage import RigStage
from fourfold.synthetic.rig_synthesis import synthesize_rig
from fourfold.synthetic.rigid import RigidStage
from fourfold.synthetic.rigid_synthesis import synthesize_rigid
from fourfold.synthetic.scenes import scene_kind
from fourfold.synthetic.stage import Stage, world_camera
from fourfold.synthetic.truth import (
    NOVEL_VIEWS,
    TrackedPoints,
    choose_tracks,
    depth_order,
    observe_tracks,
    swung,
)
from fourfold.synthetic.writing import (
    DEPTH_UNIT,
    Storage,
    camera_json,
    write_depth,
    write_image,
    write_json,
    write_mask,
    write_tracks,
)

_VIEW = "main"


def synthesize(
    scene: str,
    out: str | PathLike[str],
    *,
    width: int | None = None,
    height: int | None = None,
    frames: int | None = None,
    samples: int | None = None,
    seed: int = 0,
    storage: Storage | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Render a synthetic scene with Mitsuba and write it as a capture with its truth.

    Own scenes. The frames span the scene's whole time, however many they are. Deforming scenes
    are written in Fourfold's layout: images, masks of what is visible of each object, cameras;
    under `truth` z-depth and masks by rays through the pixels' centres, surface tracks, novel
    views at the same times, depth order. Rigid scenes are written in OSN's (`synthesize_rigid`),
    a landscape as a photo with a drawing (`synthesize_landscape`), what a rig films as frames per
    camera (`synthesize_rig`).

    Args:
        scene: a name in `SCENES`.
        out: the capture's folder; replaced when it is there, once the new one is whole.
        width, height: size of the images in pixels; the scene's own (`SCENES`) if None, and so
            for the next two.
        frames: number of frames; 1 of a landscape.
        samples: light paths per pixel; more are slower and leave less noise.
        seed: of textures, noise and the choice of tracks; on the same machine the same seed
            gives the same files, byte for byte.
        storage: how the files are stored; by default without loss, and all of them.
        progress: is called with the number of frames done and of all; of rigid scenes,
            landscapes and rigs, of pictures.

    Raises:
        UsageError: no such scene, a number is too small, or frames so few or small that an object
            of a rigid scene is in none, or many frames of a landscape.
        MissingDependencyError: Mitsuba is not installed.
        OutputError: it cannot be written; what was there stays.
    """
    kind = scene_kind(scene)
    filming = Filming(
        kind.width if width is None else width,
        kind.height if height is None else height,
        kind.frames if frames is None else frames,
        kind.samples if samples is None else samples,
        seed,
    )
    if min(filming.width, filming.height, filming.frames, filming.samples) < 1:
        raise UsageError("width, height, frames and samples must be 1 or more")
    if seed < 0:
        raise UsageError(f"the seed is {seed}", expected="0 or more")
    load_mitsuba()
    stage = kind.build(seed)
    if isinstance(stage, RigidStage):
        return synthesize_rigid(stage, out, filming, storage or Storage(), progress)
    if isinstance(stage, RigStage):
        return synthesize_rig(stage, out, filming, storage or Storage(), progress)
    if isinstance(stage, Landscape):
        if filming.frames != 1:
            raise UsageError(f"{filming.frames} frames of {scene}", expected="1: it is one photo")
        return synthesize_landscape(stage, out, filming, storage or Storage(), progress)
    return _synthesize_stage(stage, out, filming, storage or Storage(), progress)


def _synthesize_stage(
    stage: Stage,
    out: str | PathLike[str],
    filming: Filming,
    storage: Storage,
    progress: Callable[[int, int], None] | None,
) -> Path:
    with replace_folder(out) as folder:
        shoot = _Shoot(stage, folder, filming, storage)
        for frame in range(filming.frames):
            shoot.film(frame)
            if progress is not None:
                progress(frame + 1, filming.frames)
        shoot.finish()
    return Path(out)


class _Shoot:
    """Films frame after frame into a folder, and remembers what goes into files for all frames."""

    def __init__(self, stage: Stage, folder: Path, filming: Filming, storage: Storage) -> None:
        self.stage, self.folder, self.storage = stage, folder, storage
        self.size = (filming.width, filming.height)
        self.fps = filming.frames / stage.seconds
        self.names = [f"{frame:05d}" for frame in range(filming.frames)]
        self.samples, self.seed = filming.samples, filming.seed
        self.tracks: TrackedPoints = choose_tracks(stage, filming.seed)
        self.observed: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self.poses: dict[str, list[list[float]]] = {}
        self.novel: dict[str, dict] = {
            name: {"angle": angle, "frames": {}} for name, angle in NOVEL_VIEWS.items()
        }
        self.order: dict[str, list[str]] = {}

    def film(self, frame: int) -> None:
        """Film one frame: images, masks, truth."""
        time, name = frame / self.fps, self.names[frame]
        filmed = FilmedScene(self.stage, time)
        camera = world_camera(self.stage.viewpoint_at(time), *self.size)
        image = filmed.photograph(camera, self.samples, self._noise_seed(frame, 0))
        write_image(self.folder / "images" / name, image, self.storage)
        self.poses[name] = camera.camera_from_world.tolist()
        self._survey(frame, filmed, camera)
        points = self.tracks.positions(filmed.vertices)
        self.observed.append((points, *observe_tracks(filmed, camera, points)))
        if frame % self.storage.novel_every == 0:
            self._film_novel(frame, filmed, camera)

    def _survey(self, frame: int, filmed: FilmedScene, camera: Camera) -> None:
        name = self.names[frame]
        depth, actor = filmed.survey(camera)
        for k, member in enumerate(self.stage.actors):
            write_mask(self.folder / "masks" / member.name / f"{name}.png", actor == k)
        if frame % self.storage.depth_every == 0:
            write_depth(self.folder / "truth" / "depth" / f"{name}.png", depth)
        self.order[name] = depth_order(self.stage, depth, actor)

    def _film_novel(self, frame: int, filmed: FilmedScene, camera: Camera) -> None:
        name = self.names[frame]
        for k, (view, angle) in enumerate(NOVEL_VIEWS.items()):
            aside = swung(self.stage, camera, angle)
            image = filmed.photograph(aside, self.samples, self._noise_seed(frame, k + 1))
            write_image(self.folder / "truth" / "novel" / view / name, image, self.storage)
            self.novel[view]["frames"][name] = camera_json(aside)

    def _noise_seed(self, frame: int, view: int) -> int:
        return (self.seed * len(self.names) + frame) * (len(NOVEL_VIEWS) + 1) + view

    def finish(self) -> None:
        """Write the files that are about all frames."""
        width, height = self.size
        first = world_camera(self.stage.viewpoint_at(0.0), width, height)
        write_json(
            self.folder / "capture.json",
            {
                "format": "fourfold-capture",
                "version": 1,
                "fps": self.fps,
                "width": width,
                "height": height,
                "frames": self.names,
                "views": [_VIEW],
                "objects": [actor.name for actor in self.stage.actors],
                "depth_unit": DEPTH_UNIT,
            },
        )
        write_json(
            self.folder / "cameras.json",
            {"intrinsics": first.intrinsics.tolist(), "camera_from_world": {_VIEW: self.poses}},
        )
        self._finish_truth()

    def _finish_truth(self) -> None:
        truth = self.folder / "truth"
        write_json(truth / "novel.json", self.novel)
        write_json(truth / "order.json", self.order)
        points, pixels, visible = (np.stack(column) for column in zip(*self.observed, strict=True))
        write_tracks(
            truth / "tracks.npz",
            points=points.astype(np.float32),
            pixels=pixels.astype(np.float32),
            visible=visible,
            object=self.tracks.actor.astype(np.int32),
        )
