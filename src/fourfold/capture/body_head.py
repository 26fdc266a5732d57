"""The head of a folder of rigid bodies: which bodies and frames it has, and its camera."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.capture.bodies import BACKGROUND
from fourfold.capture.cameras import read_json
from fourfold.capture.names import match_frame
from fourfold.errors import InputError

FORMAT = "fourfold-bodies"
VERSION = 1
HEAD = "bodies.json"
ANEW = "Make the folder anew with `fourfold prepare sfm`"


def is_bodies_folder(folder: Path) -> bool:
    """Say whether a folder holds rigid bodies."""
    return (folder / "poses" / "pose0.npy").is_file()


def find_bodies_folder(folder: Path) -> Path | None:
    """Find the folder of bodies directly in a folder, OSN's own names first; None without one."""
    if not folder.is_dir():
        return None
    names = ["sam_raft", "sam_raft01", *sorted(inside.name for inside in folder.iterdir())]
    return next((folder / name for name in names if is_bodies_folder(folder / name)), None)


def body_names(folder: Path) -> tuple[str, ...]:
    """Return the names of the bodies in a folder: as its head says, else "001", "002", ...

    Raises:
        InputError: the head is damaged.
    """
    head = read_head(folder)
    if head is not None:
        return tuple(head["bodies"])
    return (BACKGROUND, *(f"{index:03d}" for index in range(1, _count_poses(folder))))


def read_head(folder: Path) -> dict[str, Any] | None:
    """Read and check `bodies.json`; None in a folder of the original's, which has none.

    Raises:
        InputError: not a folder of bodies, another format or version, or a head that does not fit
            the files beside it.
    """
    file = folder / HEAD
    if not file.is_file():
        if not is_bodies_folder(folder):
            raise InputError(
                "not a folder of rigid bodies",
                path=folder,
                expected="poses/pose0.npy, depth/depth0.npy, ...",
                mend="Make one with `fourfold prepare sfm`",
            )
        return None
    head = read_json(file)
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise InputError("not the head of a folder of bodies", path=file, expected=FORMAT)
    if head.get("version") != VERSION:
        raise InputError(
            f"the bodies have version {head.get('version')}",
            path=file,
            expected=f"version {VERSION}",
            mend="Use the release of Fourfold that wrote it",
        )
    _check_head(head, file)
    return head


def _check_head(head: dict[str, Any], file: Path) -> None:
    for key, first in (("bodies", BACKGROUND), ("frames", None)):
        names = head.get(key)
        proper = isinstance(names, list) and all(isinstance(name, str) for name in names)
        if (
            not proper
            or not names
            or len(set(names)) < len(names)
            or names[0] != (first or names[0])
        ):
            expected = f"a list of names, each once{', background first' if first else ''}"
            raise InputError(f"{key} is {names!r}", path=file, expected=expected, mend=ANEW)
    for key in ("width", "height"):
        if type(head.get(key)) is not int or head[key] < 1:
            raise InputError(
                f"{key} is {head.get(key)!r}", path=file, expected="a whole number", mend=ANEW
            )
    stored = _count_poses(file.parent)
    if stored != len(head["bodies"]):
        raise InputError(
            f"there are poses of {stored} bodies",
            path=file.parent / "poses",
            expected=f"{len(head['bodies'])}, as {HEAD} names",
            mend=ANEW,
        )


def _count_poses(folder: Path) -> int:
    names = [path.name for path in folder.glob("poses/pose*.npy")]
    return sum(re.fullmatch(r"pose\d+\.npy", name) is not None for name in names)


def order_of_bodies(folder: Path, object_names: Sequence[str]) -> list[int]:
    """Return the number in the folder of the background and of each object.

    Raises:
        InputError: the folder has other bodies than the capture.
    """
    wanted = [BACKGROUND, *object_names]
    stored = list(body_names(folder))
    if (folder / HEAD).is_file() and set(stored) == set(wanted):
        return [stored.index(name) for name in wanted]
    if (folder / HEAD).is_file() or len(stored) != len(wanted):
        raise InputError(
            f"the folder has the bodies {', '.join(stored)}",
            path=folder,
            expected=f"those of the capture: {', '.join(wanted)}",
            mend="Give the bodies that were made from these masks",
        )
    return list(range(len(wanted)))


def positions_of_frames(
    folder: Path, head: dict[str, Any] | None, known: Sequence[str], frames: Sequence[str]
) -> list[int | None]:
    """Return where each of `frames` stands in the folder's arrays, None where it is not there.

    Raises:
        InputError: the folder has a frame that is not among the `known` ones.
    """
    if head is None:
        order = {name: index for index, name in enumerate(known)}
        return [order[frame] for frame in frames]
    place: dict[str, int] = {}
    for index, name in enumerate(head["frames"]):
        frame = match_frame(name, frozenset(known))
        if frame is None:
            raise InputError(
                "the bodies have a frame that the capture has not",
                path=folder / HEAD,
                frame=name,
                expected=f"a name such as {known[0]}",
            )
        place[frame] = index
    return [place.get(frame) for frame in frames]


def stored_intrinsics(
    folder: Path, head: dict[str, Any], size: tuple[int, int]
) -> Float[Tensor, "3 3"] | None:
    """Return the intrinsics in pixels of (width, height); None where they are not stored.

    Raises:
        InputError: they are no pinhole's.
    """
    stored = head.get("intrinsics")
    if stored is None:
        return None
    try:
        matrix = torch.tensor(stored, dtype=torch.float32)
    except (TypeError, ValueError):
        matrix = torch.zeros(0)
    pinhole = matrix.shape == (3, 3) and bool(matrix.isfinite().all())
    if not pinhole or not (matrix.diagonal() > 0).all() or matrix[2].tolist() != [0.0, 0.0, 1.0]:
        raise InputError(
            f"the intrinsics are {stored}",
            path=folder / HEAD,
            expected="[[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in pixels",
            mend=ANEW,
        )
    return matrix * torch.tensor([[size[0] / head["width"]], [size[1] / head["height"]], [1.0]])
