"""Which picture of a COLMAP model is which view: by name, else in natural order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fourfold.capture.names import natural_key
from fourfold.errors import InputError


def picture_names(names: Sequence[str]) -> list[str]:
    """Give each picture of a model one short name: its file's, else its folder's, else both.

    >>> picture_names(["cam00.png", "cam01.png"])
    ['cam00', 'cam01']
    >>> picture_names(["cam00/0150.png", "cam01/0150.png"])
    ['cam00', 'cam01']
    """
    paths = [Path(name.replace("\\", "/")) for name in names]
    choices = (
        [path.stem for path in paths],
        [path.parent.name for path in paths],
        ["_".join(path.with_suffix("").parts) for path in paths],
    )
    return next((found for found in choices if len(set(found)) == len(found)), choices[-1])


def match_views(
    names: Sequence[str], views: Sequence[str], path: Path
) -> tuple[dict[str, int], str | None]:
    """Find each view's picture of a model.

    Names decide where all of one side are on the other. Where they do not fit (LLFF's tools, for
    one, number the pictures anew) and there are as many pictures as views, natural order does:
    then a single name that happens to fit must not count.

    Returns:
        View name -> place in `names`, in the order of the views; and a note for the user.

    Raises:
        InputError: neither fits.
    """
    place = {name: index for index, name in enumerate(picture_names(names))}
    known = [view for view in views if view in place]
    if known and len(known) in (len(views), len(place)):
        return {view: place[view] for view in known}, None
    if len(names) != len(views):
        raise InputError(
            f"the {len(names)} pictures of the model ({some_names(names)}) are not the "
            f"{len(views)} views ({some_names(views)})",
            path=path,
            expected="the same names",
            mend="Name the pictures as the model does",
        )
    ordered = sorted(place, key=natural_key)
    paired = zip(sorted(views, key=natural_key), ordered, strict=True)
    matched = {view: place[name] for view, name in paired}
    pairs = [f"{view} is {names[matched[view]]}" for view in views]
    note = f"the COLMAP model has other names; in natural order {some_names(pairs)}"
    return {view: matched[view] for view in views}, note


def some_names(names: Sequence[str], most: int = 5) -> str:
    """List names for a message, the first few of many."""
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")
