"""A run and the scene in it, checked before anything is made of them."""

from __future__ import annotations

from pathlib import Path

from fourfold.errors import InputError, ResultError
from fourfold.files import recover_folder
from fourfold.scene import Scene
from fourfold.training import Run


def load_run(run: Run | str | Path) -> Run:
    """Open a run by its folder; a run stays what it is.

    Raises:
        InputError: the folder is not a run.
    """
    return run if isinstance(run, Run) else Run.load(run)


def load_scene(run: Run) -> Scene:
    """Load a run's scene.

    Raises:
        InputError: there is none yet, or it is damaged.
        ResultError: it is empty.
    """
    recover_folder(run.scene_folder)
    if not run.scene_folder.is_dir():
        raise InputError(
            "no scene in this run yet",
            path=run.path,
            mend="Give the command that started it again without --stages: it goes on where it was",
        )
    scene = Scene.load(run.scene_folder)
    if not scene.num_gaussians + scene.num_voxels:
        raise ResultError(f"{run.scene_folder}: the scene is empty.")
    return scene
