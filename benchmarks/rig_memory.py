"""Train on a large rig and print the most memory that it took.

    python benchmarks/rig_memory.py [--cameras 20] [--frames 300] [--size 1352x1014] [--steps 50]
                                    [--geometry voxels|gaussians] [--preset small] [--json FILE]

Makes a rig in a temporary folder, smooth noise with a square that moves; every camera has a few
pictures, which its frames share as hard links, so that the rig is small on disk. Then trains a few
steps of every stage as `fourfold train mixvoxels` does. The memory is anonymous memory: mapped
frames are not counted.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path

import cv2
import numpy as np

from fourfold.capture import open_capture
from fourfold.methods.mixvoxels.config import MixVoxelsConfig, VoxelConfig
from fourfold.methods.mixvoxels.gaussian_config import GaussianConfig
from fourfold.methods.mixvoxels.train import train

PICTURES = 5
"""Pictures of a camera, one after the other and again."""
SPACING, PARALLAX = 0.1, 8
"""Distance of neighbouring cameras, and by how many pixels the wall moves between them."""


def make_rig(folder: Path, cameras: int, frames: int, size: tuple[int, int]) -> Path:
    """Film a wall of noise before which a square goes to and fro, with cameras in a row."""
    width, height = size
    random = np.random.default_rng(0)
    noise = random.random((height, width + PARALLAX * cameras, 3), dtype=np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    wall = 255 * (smooth - smooth.min()) / np.ptp(smooth)
    focal, rows = 1.1 * width, []
    for camera in range(cameras):
        pictures = folder / "frames" / f"cam{camera:02d}"
        pictures.mkdir(parents=True)
        for number in range(min(PICTURES, frames)):
            image = wall[:, PARALLAX * camera :][:, :width].astype(np.uint8)
            _draw_square(image, number, 2 * PARALLAX * camera)
            cv2.imwrite(str(pictures / f"{number:04d}.jpg"), image)
        for frame in range(PICTURES, frames):
            os.link(pictures / f"{frame % PICTURES:04d}.jpg", pictures / f"{frame:04d}.jpg")
        rows.append(_pose(camera, height, width, focal))
    np.save(folder / "poses_bounds.npy", np.stack(rows))
    return folder


def _draw_square(image: np.ndarray, number: int, shift: int) -> None:
    """Paint a square of a fifth of the height, at half the wall's distance."""
    height, width = image.shape[:2]
    side, left = height // 5, width // 3 + number * height // 10 - shift
    image[2 * side : 3 * side, max(left, 0) : left + side] = (40, 60, 220)


def _pose(camera: int, height: int, width: int, focal: float) -> np.ndarray:
    """Give the row of poses_bounds.npy of a camera in a row that looks straight ahead."""
    pose = np.zeros((3, 5))
    pose[:, :3] = [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]
    pose[0, 3] = camera * SPACING
    pose[:, 4] = height, width, focal
    distance = focal * SPACING / PARALLAX
    return np.append(pose.ravel(), [0.3 * distance, 1.5 * distance])


def main() -> None:
    """Make the rig, train, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cameras", type=int, default=20)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--size", default="1352x1014")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--geometry", choices=("voxels", "gaussians"), default="voxels")
    parser.add_argument("--preset", default="small")
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    width, height = map(int, chosen.size.split("x"))
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        rig = make_rig(Path(name) / "rig", chosen.cameras, chosen.frames, (width, height))
        config = MixVoxelsConfig(
            preset=chosen.preset,
            geometry=chosen.geometry,
            voxels=VoxelConfig(iterations=chosen.steps),
            gaussians=GaussianConfig(iterations=chosen.steps),
        )
        run = train(open_capture(rig, max_size=width), Path(name) / "run", config, False)
        record = {"cameras": chosen.cameras, "frames": chosen.frames, "size": chosen.size}
        record |= {"geometry": chosen.geometry, "preset": chosen.preset, "steps": chosen.steps}
        record |= {key: round(value, 1) for key, value in run.costs().items()}
        record |= {"laps": {key: round(value, 1) for key, value in run.stopwatch.laps.items()}}
    print(f"peak memory {record['peak_memory_mb']:.0f} MB, {record['seconds']:.0f} s")
    if chosen.json:
        chosen.json.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
