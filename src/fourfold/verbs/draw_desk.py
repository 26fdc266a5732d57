"""What the drawing page reads and writes: a photo, and the drawing on it as labelme's JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fourfold.capture.images import image_size, read_shrunk
from fourfold.capture.labelme import HINT, Drawing, looks_like_drawing, parse_drawing, read_drawing
from fourfold.capture.photo_files import Picture, find_photo
from fourfold.capture.regions import region_kind
from fourfold.capture.sizes import fit_size
from fourfold.errors import InputError, UsageError
from fourfold.files import write_atomic

# The page shows the photo no larger than this: browsers become slow beyond.
_SHOWN_SIZE = 2560
_QUALITY = 92
# The version of labelme whose JSON is written.
_LABELME = "5.5.0"


@dataclass
class DrawingDesk:
    """A photo on which is drawn.

    Attributes:
        picture: the photo.
        size: (width, height) of it, upright.
        out: the folder to write.
        drawing: what was drawn before, in the photo's pixels.
        saved: is given the JSON's path after each time it is saved.
        is_saved: the drawing is the one in `out`.
        notes: what a user should know, sentences.
    """

    picture: Picture
    size: tuple[int, int]
    out: Path
    drawing: Drawing
    saved: Callable[[Path], None]
    is_saved: bool = False
    notes: tuple[str, ...] = ()

    @staticmethod
    def open(photo: Path, out: Path, saved: Callable[[Path], None]) -> DrawingDesk:
        """Find a photo and what is drawn on it: in `out`, else beside the photo.

        Raises:
            InputError: they cannot be read, or do not belong together.
            UsageError: `out` is a file.
        """
        if out.is_file():
            raise UsageError("is a file", path=out, expected="a folder to write")
        found = find_photo(photo)
        size = image_size(found.picture.path, data=found.picture.data)
        earlier = out / f"{found.picture.path.stem}.json"
        notes = (*found.picture.notes, *found.notes)
        place, drawing = found.json, found.drawing
        is_saved = looks_like_drawing(earlier)
        if is_saved:
            place, drawing = earlier, read_drawing(earlier)
            notes = (f"the drawing {earlier} is gone on with",)
        drawing = Drawing({}, ()) if drawing is None else drawing.fitted(size, place)
        return DrawingDesk(
            found.picture, size, out, drawing, saved, is_saved, (*notes, *drawing.notes)
        )

    @property
    def file(self) -> Path:
        """The JSON that is written."""
        return self.out / f"{self.picture.path.stem}.json"

    def page_state(self) -> dict[str, Any]:
        """Give what the page begins with: the photo's size, and the shapes on it."""
        shapes = [
            {"label": name, "kind": region_kind(name), "points": outline.points.tolist()}
            for name, outlines in self.drawing.regions.items()
            for outline in outlines
            if outline.stroke is None
        ]
        shapes += [
            {"label": hint.name, "kind": HINT, "points": [hint.start, hint.end]}
            for hint in self.drawing.hints
        ]
        return {
            "photo": self.picture.path.stem,
            "width": self.size[0],
            "height": self.size[1],
            "shapes": shapes,
            "is_saved": self.is_saved,
            "notes": self.notes,
        }

    def shown_photo(self) -> bytes:
        """Give the photo as the page shows it: a JPEG, upright, of at most 2560 pixels."""
        size = fit_size(self.size, _SHOWN_SIZE)
        pixels = read_shrunk(self.picture.path, size, data=self.picture.data)
        stream = BytesIO()
        Image.fromarray(np.round(pixels * 255).astype(np.uint8)).save(
            stream, "JPEG", quality=_QUALITY
        )
        return stream.getvalue()

    def save(self, data: Any) -> Path:
        """Write the page's shapes as labelme's JSON, and the photo beside it; both whole or not.

        Raises:
            InputError: the shapes cannot be used; nothing is written.
            OutputError: it cannot be written; what was there stays.
        """
        shapes = data.get("shapes") if isinstance(data, dict) else None
        copy = self.out / self._copy_name()
        document = {
            "version": _LABELME,
            "flags": {},
            "shapes": shapes,
            "imagePath": copy.name,
            "imageData": None,
            "imageHeight": self.size[1],
            "imageWidth": self.size[0],
        }
        drawn = parse_drawing(document, self.file)
        if drawn.others or any(
            not isinstance(s.get("shape_type"), str) for s in document["shapes"]
        ):
            raise InputError("a shape of a kind that the page does not draw", path=self.file)
        document["shapes"] = [
            *(_as_labelme(s["label"], s["points"], s["shape_type"]) for s in document["shapes"]),
            *self._not_shown(),
        ]
        if copy.resolve() != self.picture.path.resolve():
            data = self.picture.data
            write_atomic(copy, self.picture.path.read_bytes() if data is None else data)
        written = write_atomic(self.file, json.dumps(document, indent=2) + "\n")
        self.is_saved = True
        self.saved(written)
        return written

    def state(self) -> str:
        """Say what has been saved so far."""
        return f"saved in {self.file}" if self.is_saved else "nothing was saved"

    def _not_shown(self) -> list[dict[str, Any]]:
        """Give what the page does not show, to be kept: strokes, and shapes with other labels."""
        strokes = [
            _as_labelme(name, outline.points, "linestrip")
            for name, outlines in self.drawing.regions.items()
            for outline in outlines
            if outline.stroke is not None
        ]
        return [*strokes, *self.drawing.others]

    def _copy_name(self) -> str:
        if self.picture.data is None:
            return self.picture.path.name
        with Image.open(BytesIO(self.picture.data)) as image:
            return f"{self.picture.path.stem}.{(image.format or 'png').lower()}"


def _as_labelme(label: str, points: Iterable[Sequence[float]], kind: str) -> dict[str, Any]:
    return {
        "label": label,
        "points": [[round(float(x), 2), round(float(y), 2)] for x, y in points],
        "group_id": None,
        "description": "",
        "shape_type": kind,
        "flags": {},
        "mask": None,
    }
