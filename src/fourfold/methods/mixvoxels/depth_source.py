"""What `--depth` names: where it lies on disk, and what tells one state of it from another."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from fourfold.capture import Capture
from fourfold.capture.colmap_model import find_model, model_files
from fourfold.capture.depths import DEPTH_SUFFIXES
from fourfold.errors import InputError, UsageError
from fourfold.scene import Scene

STATIC, COLMAP, SWEEP = "static:", "colmap", "sweep"


def names_model(source: str) -> bool:
    """Say whether the source is a COLMAP model, the capture's own or one in a folder."""
    return source == COLMAP or source.startswith(COLMAP + ":")


def absolute_source(source: str) -> str:
    """Give the source with its path absolute, so that it means the same from any folder.

    >>> absolute_source("static:/runs/../still"), absolute_source("sweep"), absolute_source("")
    ('static:/still', 'sweep', '')
    """
    if source in ("", SWEEP, COLMAP):
        return source
    kind = next((kind for kind in (STATIC, COLMAP + ":") if source.startswith(kind)), "")
    return f"{kind}{Path(source.removeprefix(kind)).resolve()}"


def source_fingerprint(source: str, capture: Capture) -> str:
    """Return a hash over the names and contents of the files that the depths come from.

    Raises:
        InputError: they are not there.
    """
    digest = hashlib.sha256()
    for file in _files(source, capture):
        digest.update(f"{file.name} {file.stat().st_size}\n".encode())
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()[:32]


def _files(source: str, capture: Capture) -> Sequence[Path]:
    if source.startswith(STATIC):
        run = Path(source.removeprefix(STATIC))
        load_still_model(run)  # says what is wrong with it before a run is made
        return sorted((run / "scene").glob("*.*"))
    if names_model(source):
        return model_files(find_points(source, capture))
    if source in ("", SWEEP):  # made of the capture, which has its own fingerprint
        return ()
    return list(find_maps(Path(source), capture.train_views).values())


def load_still_model(run: Path) -> Scene:
    """Read the scene of a run of `--static`.

    Raises:
        InputError: there is none.
        UsageError: it is not of one still per camera.
    """
    if not (run / "scene").is_dir():
        raise InputError(
            "no scene in this run",
            path=run,
            mend="Train one: fourfold train mixvoxels CAPTURE --static --out RUN",
        )
    scene = Scene.load(run / "scene")
    if not scene.rig or scene.num_frames != 1:
        raise UsageError(
            "the run is not of one still per camera",
            path=run,
            mend="Train one: fourfold train mixvoxels CAPTURE --static --out RUN",
        )
    return scene


def find_points(source: str, capture: Capture) -> Path:
    """Find the COLMAP model of a source, the capture's own if it names no folder.

    Raises:
        InputError: there is none.
    """
    folder = source.removeprefix(COLMAP).removeprefix(":")
    place = find_model(Path(folder) if folder else capture.path)
    if place is None:
        raise InputError(
            "no COLMAP model with key points of the training cameras",
            path=Path(folder) if folder else capture.path,
            mend="Make one with fourfold prepare poses, and give --depth colmap:DIR",
        )
    return place


def find_maps(folder: Path, views: Sequence[str]) -> dict[str, Path]:
    """Find the first map in each camera's folder, or the one map named like the camera.

    Raises:
        InputError: there is no such folder, or no map in it.
    """
    if not folder.is_dir():
        raise InputError(
            "there is no such folder of depth maps",
            path=folder,
            expected="sweep, static:RUN, colmap, colmap:DIR or a folder",
        )
    found = {view: _map_file(folder, view) for view in views}
    maps = {view: file for view, file in found.items() if file is not None}
    if not maps:
        raise InputError(
            "no depth map of any training camera",
            path=folder,
            expected=f"{views[0]}/*.png or one map of that name",
        )
    return maps


def _map_file(folder: Path, view: str) -> Path | None:
    inside = sorted((folder / view).glob("*")) if (folder / view).is_dir() else []
    beside = [folder / f"{view}{suffix}" for suffix in sorted(DEPTH_SUFFIXES)]
    files = [file for file in (*inside, *beside) if file.suffix.lower() in DEPTH_SUFFIXES]
    return next((file for file in files if file.is_file()), None)
