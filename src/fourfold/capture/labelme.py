"""Drawings on a photo as labelme's JSON: outlines of regions, and lines as motion hints."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from fourfold.capture.cameras import read_json
from fourfold.capture.hints import Hint
from fourfold.capture.regions import REGION_KINDS, Outline, region_kind
from fourfold.capture.sizes import same_aspect
from fourfold.errors import InputError

HINT = "hint"
_LINES = frozenset({"line", "linestrip"})
# Width of lines in labelme's own masks, in pixels of the photo.
_STROKE = 10.0
_CIRCLE_POINTS = 64
# A drawing program may put points on the border or just beyond it.
_BORDER = 1.0
_EXPECTED = 'labelme\'s JSON: "shapes", each with "label", "points" and "shape_type"'


@dataclass(frozen=True, eq=False)
class Drawing:
    """What is drawn on a photo, in pixels of the size that the drawing was made for.

    Attributes:
        regions: name -> its outlines, in the order in which the names appear.
        hints: the arrows.
        size: (width, height) of the photo it was made for; None where not said.
        image_path: of the photo, relative to the JSON; None where not said.
        image_data: the photo's file in base64; None where not embedded.
        others: shapes with other labels, as the JSON has them.
        notes: what a user should know, sentences.
    """

    regions: dict[str, tuple[Outline, ...]]
    hints: tuple[Hint, ...]
    size: tuple[int, int] | None = None
    image_path: str | None = None
    image_data: str | None = None
    others: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()

    def fitted(self, size: tuple[int, int], path: Path) -> Drawing:
        """Give the drawing in pixels of a photo of (width, height).

        Raises:
            InputError: it was made for a photo of another aspect.
        """
        made_for = self.size or size
        if not same_aspect(made_for, size):
            raise InputError(
                f"the JSON is of another photo: it says {made_for[0]}x{made_for[1]} pixels",
                path=path,
                expected=f"the photo's {size[0]}x{size[1]}, or the same aspect",
                mend="Give the photo that was drawn on, or draw again (fourfold prepare draw)",
            )
        if made_for == size:
            return replace(self, notes=(*self.notes, *self._outside(size)))
        factors = size[0] / made_for[0], size[1] / made_for[1]
        note = f"the drawing was made at {made_for[0]}x{made_for[1]} and is scaled to the photo"
        scaled = replace(
            self,
            regions={n: tuple(o.resized(*factors) for o in r) for n, r in self.regions.items()},
            hints=tuple(hint.resized(*factors) for hint in self.hints),
            others=tuple(_resized(shape, factors) for shape in self.others),
            size=size,
            notes=(*self.notes, note),
        )
        return replace(scaled, notes=(*scaled.notes, *scaled._outside(size)))

    def _outside(self, size: tuple[int, int]) -> list[str]:
        """Say what lies outside the photo."""
        notes = []
        for name, outlines in self.regions.items():
            points = np.concatenate([outline.points for outline in outlines])
            if (points < -_BORDER).any() or (points > np.add(size, _BORDER)).any():
                notes.append(f"the region {name} reaches beyond the photo and is cut there")
        for hint in self.hints:
            if not all(0 <= x <= side for x, side in zip(hint.start, size, strict=True)):
                notes.append(f"the hint {hint.name} starts outside the photo")
        return notes


def looks_like_drawing(path: Path) -> bool:
    """Say whether a JSON file holds shapes, without reading all of it as JSON."""
    return path.suffix.lower() == ".json" and path.is_file() and b'"shapes"' in path.read_bytes()


def read_drawing(path: Path) -> Drawing:
    """Read labelme's JSON: polygons, rectangles, circles, line strips, and lines as hints.

    Labels that begin with motion, sky, ground, water or vertical name regions (one label, one
    region), those that begin with hint name hints; what has another label is left out with a note.

    Raises:
        InputError: not such a file, or a shape in it cannot be used.
    """
    return parse_drawing(read_json(path), path)


def parse_drawing(data: Any, path: Path) -> Drawing:
    """Read what labelme's JSON holds; `path` is named in errors.

    Raises:
        InputError: as `read_drawing`.
    """
    shapes = data.get("shapes") if isinstance(data, dict) else None
    if not isinstance(shapes, list):
        raise InputError("not a drawing on a photo", path=path, expected=_EXPECTED)
    regions: dict[str, tuple[Outline, ...]] = {}
    hints: list[Hint] = []
    others: list[dict[str, Any]] = []
    for index, shape in enumerate(shapes):
        label, kind, points = _read_shape(shape, index, path)
        if label.startswith(HINT):
            hints.append(_hint(label, kind, points, path))
        elif region_kind(label) is not None:
            regions[label] = (*regions.get(label, ()), _outline(label, kind, points, path))
        else:
            others.append(shape)
    return Drawing(
        regions=regions,
        hints=tuple(hints),
        size=_size(data, path),
        image_path=_text(data, "imagePath"),
        image_data=_text(data, "imageData"),
        others=tuple(others),
        notes=_notes_on_others(others),
    )


def _notes_on_others(others: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    kinds = ", ".join((*REGION_KINDS, HINT))
    labels = Counter(str(shape["label"]) for shape in others)
    return tuple(
        f"{count} shapes labelled {label!r} are left out: not one of {kinds}"
        for label, count in labels.items()
    )


def _read_shape(shape: Any, index: int, path: Path) -> tuple[str, str, Float[np.ndarray, "P 2"]]:
    label = shape.get("label") if isinstance(shape, dict) else None
    if not isinstance(label, str):
        raise InputError(f"shape {index} has no label", path=path, expected=_EXPECTED)
    label = label.strip().lower()
    try:
        points = np.array(shape.get("points"), dtype=np.float64)
    except (TypeError, ValueError):
        points = np.empty(0)
    if points.ndim != 2 or points.shape[-1] != 2 or not np.isfinite(points).all():
        raise InputError(
            f"the points of shape {index} ({label!r}) are not readable",
            path=path,
            expected="a list of [x, y]",
        )
    # labelme of before 2019 wrote no type
    kind = shape.get("shape_type") or ("line" if len(points) == 2 else "polygon")
    return label, str(kind), points


def _resized(shape: dict[str, Any], factors: tuple[float, float]) -> dict[str, Any]:
    points = [[x * factors[0], y * factors[1]] for x, y in shape["points"]]
    return {**shape, "points": points}


def _hint(label: str, kind: str, points: Float[np.ndarray, "P 2"], path: Path) -> Hint:
    if kind not in _LINES or len(points) != 2:
        raise InputError(
            f"the hint {label!r} is a {kind} of {len(points)} points",
            path=path,
            expected="a line of two points: where the matter is, and where it goes",
            mend="Draw it as a line, or take the label hint off it",
        )
    (x, y), (to_x, to_y) = points.tolist()
    try:
        return Hint(label, (x, y), (to_x, to_y))
    except ValueError as error:
        raise InputError(
            str(error),
            path=path,
            expected="a line from where the matter is to where it goes",
            mend="Remove it, or draw it longer",
        ) from error


def _outline(label: str, kind: str, points: Float[np.ndarray, "P 2"], path: Path) -> Outline:
    count = len(points)
    if kind == "polygon" and count >= 3:
        return Outline(points)
    if kind == "rectangle" and count == 2:
        (x0, y0), (x1, y1) = points
        return Outline(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]))
    if kind == "rectangle" and count == 4:
        return Outline(points)
    if kind == "circle" and count == 2:
        return Outline(_circle(points[0], math.dist(*points.tolist())))
    if kind in _LINES and count >= 2:
        return Outline(points, stroke=_STROKE)
    raise InputError(
        f"the region {label!r} is a {kind} of {count} points",
        path=path,
        expected="a polygon of three points or more (or a rectangle, circle or line strip)",
        mend="Draw it again as a polygon, or remove it",
    )


def _circle(center: Float[np.ndarray, "2"], radius: float) -> Float[np.ndarray, "P 2"]:
    angles = np.linspace(0, 2 * np.pi, _CIRCLE_POINTS, endpoint=False)
    return center + radius * np.stack((np.cos(angles), np.sin(angles)), axis=1)


def _size(data: dict[str, Any], path: Path) -> tuple[int, int] | None:
    width, height = data.get("imageWidth"), data.get("imageHeight")
    if width is None or height is None:
        return None
    if not all(isinstance(side, int) and side > 0 for side in (width, height)):
        raise InputError(
            f"the photo's size is {width!r} x {height!r}",
            path=path,
            expected="imageWidth and imageHeight in pixels",
        )
    return width, height


def _text(data: dict[str, Any], key: str) -> str | None:
    value = data.get(key)
    return value if isinstance(value, str) and value else None
