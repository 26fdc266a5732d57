"""A COLMAP model worked out by hand: three cameras side by side, looking along +z at five points.

Camera k stands at (k, 0, 0). With a focal length of 10 and the axis at (8, 6), the point (x, y, z)
is seen at (8 + 10 (x - k) / z, 6 + 10 y / z).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

POINTS = ((0.0, 0.0, 5.0), (1.0, 1.0, 10.0), (2.0, -1.0, 10.0), (1.0, 0.0, 20.0), (1.5, 0.5, 5.0))
WIDTH, HEIGHT, FOCAL = 16, 12, 10.0


def pixel(camera: int, point: int) -> tuple[float, float]:
    """Give where a camera sees a point."""
    x, y, z = POINTS[point]
    return WIDTH / 2 + FOCAL * (x - camera) / z, HEIGHT / 2 + FOCAL * y / z


def write_text_model(
    folder: Path, names: Sequence[str], lens: str = f"SIMPLE_PINHOLE {WIDTH} {HEIGHT} 10 8 6"
) -> Path:
    """Write the model as text; picture k of `names` is camera k and sees all points."""
    folder.mkdir(parents=True)
    (folder / "cameras.txt").write_text(f"# a comment\n7 {lens}\n")
    lines = ["# a comment"]
    for k, name in enumerate(names):
        lines.append(f"{k + 1} 1 0 0 0 {-k} 0 0 7 {name}")
        seen = [(*pixel(k, i), 100 + i) for i in range(len(POINTS))]
        lines.append(" ".join(f"{x} {y} {key}" for x, y, key in [*seen, (3.0, 3.0, -1)]))
    (folder / "images.txt").write_text("\n".join(lines) + "\n")
    elements = " ".join(f"{k + 1} {{0}}" for k in range(len(names)))
    rows = [
        f"{100 + i} {x} {y} {z} 1 2 3 0.5 {elements.format(i)}"
        for i, (x, y, z) in enumerate(POINTS)
    ]
    (folder / "points3D.txt").write_text("\n".join(rows) + "\n")
    return folder


def write_pictures(folder: Path, names: Sequence[str], size: tuple[int, int] = (16, 12)) -> None:
    """Write a grey picture for each name."""
    for k, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((size[1], size[0], 3), 20 * k, np.uint8)).save(path)
