"""`capture.json`, the head of a capture in our own layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fourfold.capture.cameras import read_json
from fourfold.errors import InputError

FORMAT = "fourfold-capture"
VERSION = 1


def read_meta(file: Path) -> dict[str, Any]:
    """Read and check `capture.json`.

    Raises:
        InputError: another format, a later version, or keys missing.
    """
    meta = read_json(file)
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise InputError("not a capture of Fourfold", path=file, expected=f'"format": "{FORMAT}"')
    if meta.get("version") != VERSION:
        raise InputError(
            f"the capture has version {meta.get('version')}",
            path=file,
            expected=f"version {VERSION}",
            mend="Use the release of Fourfold that wrote it",
        )
    missing = {"fps", "width", "height", "frames", "views", "objects"} - set(meta)
    if missing:
        raise InputError(f"keys are missing: {', '.join(sorted(missing))}", path=file)
    for key in ("fps", "width", "height"):
        if not isinstance(meta[key], int | float) or not meta[key] > 0:
            raise InputError(f"{key} is {meta[key]!r}", path=file, expected="a number above 0")
    for key in ("frames", "views", "objects"):
        names = meta[key]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InputError(f"{key} is not a list of names", path=file, expected='["…", …]')
    return meta


def view_folder(channel: Path, views: tuple[str, ...], view: str) -> Path:
    """Return where a view's files lie: in the channel's folder, or below it if views are many."""
    return channel if len(views) == 1 else channel / view
