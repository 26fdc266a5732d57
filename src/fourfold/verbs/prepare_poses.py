"""The verb prepare poses: cameras, depth bounds and key points of views, into a folder of LLFF."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import arg

from fourfold.errors import InputError, UsageError
from fourfold.verbs.methods import changed
from fourfold.verbs.options import RigOptions

if TYPE_CHECKING:
    from fourfold.capture import Capture
    from fourfold.geometry import Camera

# Key points are found in pictures of this longer side, where the user says nothing.
_STILL_SIZE = 1600


@dataclass(frozen=True)
class PosesOptions:
    """How cameras and key points are found."""

    frame: Annotated[str | None, arg(metavar="NAME", help_behavior_hint="")] = None
    """Frame whose stills are used, of several cameras over time; the middle one by default."""
    seed: int = 0
    """The same seed gives the same result."""


@dataclass(frozen=True)
class PreparedPoses:
    """What `prepare_poses` wrote.

    Attributes:
        path: the folder: images, sparse/0, poses_bounds.npy, poses.json.
        how: "copied" from a COLMAP model, "triangulated" with known cameras, or "solved".
        frame: the stills' frame; None of pictures of one moment or one moving camera.
        key_points: view -> how many key points it has.
        points: how many points there are in all.
        error: mean distance between a point and where a view sees it, in pixels of the stills.
        left_out: pictures whose camera could not be found.
    """

    path: Path
    how: str
    frame: str | None
    key_points: dict[str, int]
    points: int
    error: float
    left_out: tuple[str, ...]


def prepare_poses(
    capture: Capture | str | Path,
    *,
    out: str | Path,
    options: PosesOptions | None = None,
    overwrite: bool = False,
    capture_options: RigOptions | None = None,
    **changes: Any,
) -> PreparedPoses:
    """Find what a rig or pictures of a still scene lack: cameras, depth bounds, key points.

    A COLMAP model is taken as it is. Where all cameras are known, key points are triangulated with
    them; else cameras are solved for (both need the extra `sfm`, pycolmap). `out` is then a
    capture itself (a COLMAP model, and `poses_bounds.npy` for LLFF, N3V and MixVoxels), and a
    folder for `--depth colmap:DIR`.

    Args:
        capture: an open capture, or the path of one, read with `capture_options`.
        out: the folder to write.
        options: how; `changes` are single options given by name.
        overwrite: replace what an earlier call wrote there.

    Raises:
        InputError: cameras cannot be found, or there are too few key points.
        UsageError: `out` is there and not to be overwritten, or is no folder of this verb.
        MissingDependencyError: pycolmap is not installed.
        OutputError: it cannot be written; what was there stays.
    """
    from fourfold.files import replace_folder
    from fourfold.verbs.captures import open_with
    from fourfold.verbs.poses_writing import write_poses

    chosen = changed(PosesOptions() if options is None else options, changes)
    target = Path(out)
    _check_target(target, overwrite)
    if capture_options is None and isinstance(capture, str | Path):
        capture_options = RigOptions()
    if capture_options is not None and capture_options.max_size is None:
        capture_options = replace(capture_options, max_size=_STILL_SIZE)
    opened, _ = open_with(capture, capture_options)
    _check_place(opened.path.resolve(), target.resolve())
    with replace_folder(target) as staging:
        prepared = write_poses(staging, opened, chosen)
    return replace(prepared, path=target)


def describe_poses(prepared: PreparedPoses) -> Mapping[str, Any]:
    """Describe what was prepared as `poses.json` says it."""
    facts = asdict(prepared)
    del facts["path"]
    return facts


def known_cameras(capture: Capture, frame: int) -> dict[str, Camera] | None:
    """Return each view's camera in a frame, None if any is unknown."""
    cameras = capture.posed_views(frame)
    return cameras if len(cameras) == len(capture.views) else None


def _check_target(target: Path, overwrite: bool) -> None:
    if not target.exists():
        return
    if not overwrite:
        raise UsageError("already there", path=target, mend="Choose another folder, or --overwrite")
    if not target.is_dir() or (any(target.iterdir()) and not (target / "poses.json").is_file()):
        raise UsageError(
            "is not a folder of prepared poses, and is left as it is",
            path=target,
            mend="Choose another --out",
        )


def _check_place(source: Path, target: Path) -> None:
    if source == target or target in source.parents:
        raise UsageError(
            "the capture itself would be overwritten", path=target, mend="Choose another --out"
        )


def chosen_frame(capture: Capture, name: str | None) -> int:
    """Return the frame whose stills are used.

    Raises:
        InputError: there is no frame of that name.
    """
    if name is None:
        return capture.num_frames // 2
    if name not in capture.frames:
        raise InputError(
            f"there is no frame {name!r}",
            path=capture.path,
            expected=f"names from {capture.frames[0]} to {capture.frames[-1]}",
        )
    return capture.frames.index(name)
