"""The verb export: a trained scene in the formats of other tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fourfold.errors import UsageError

if TYPE_CHECKING:
    from fourfold.scene import Scene
    from fourfold.training import Run

ExportFormat = Literal["ply", "tracks", "cameras"]


def export(
    run: Run | str | Path,
    format: ExportFormat = "ply",
    *,
    out: str | Path | None = None,
    progress: bool = True,
) -> Path:
    """Write a run's scene in another tool's format, in the coordinates of its capture.

    Where many scales of the objects are valid, it is written at a typical combination.

    Args:
        run: a run or its folder.
        format: "ply" (a folder of 3DGS files, one per frame), "tracks" (an .npz of points of the
            objects over time) or "cameras" (transforms.json and a COLMAP text model).
        out: the file or folder; `export/` in the run by default.
        progress: show how far it is.

    Returns:
        what was written.

    Raises:
        InputError: no run, or no scene in it.
        OutputError: it cannot be written; what was there stays.
        ResultError: there is nothing to track.
    """
    from fourfold import exporters
    from fourfold.training import Progress
    from fourfold.verbs.scenes import load_run, load_scene

    names = {"ply": "ply", "tracks": "tracks.npz", "cameras": "cameras"}
    if format not in names:
        raise UsageError(f"unknown format {format!r}", expected=f"one of {', '.join(names)}")
    run = load_run(run)
    scene = load_scene(run).at_typical_scales()
    target = Path(out) if out is not None else run.path / "export" / names[format]
    if format == "ply":
        with Progress(scene.num_frames, "exporting", enabled=progress) as bar:
            return exporters.write_ply_sequence(target, scene, bar.update)
    if format == "tracks":
        tracks = exporters.track_points(scene)
        return exporters.write_tracks(target, tracks, scene.normalization)
    return _write_cameras(target, scene)


def _write_cameras(target: Path, scene: Scene) -> Path:
    """Write the capture's cameras: of a rig each by its name, once if it stands still."""
    from fourfold.exporters import write_cameras

    if not scene.rig:
        names = [f"{index:05d}.png" for index in range(scene.num_frames)]
        return write_cameras(target, scene.cameras, names, scene.fps, scene.normalization)
    cameras, names, frames = [], [], []
    for view, path in scene.rig.items():
        for frame, camera in enumerate(path):
            cameras.append(camera)
            names.append(f"{view}.png" if len(path) == 1 else f"{view}/{frame:05d}.png")
            frames.append(frame)
    return write_cameras(target, cameras, names, scene.fps, scene.normalization, frames)
