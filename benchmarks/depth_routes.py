"""What supervision by depth gives with few cameras: four routes on the synthetic arena.

    python benchmarks/depth_routes.py [--seeds 3] [--json FILE] [--out DIR]

Three training cameras, cam00 held out, the same iterations: without depth, with that of a still
model of one picture per camera, with the key points of a COLMAP model of those pictures, and with
the true depth. A route's share is how much of the way from none to the truth it goes.
"""

import argparse
import json
import tempfile
from pathlib import Path
from statistics import mean

import fourfold as ff
from fourfold.methods.mixvoxels.config import MixVoxelsConfig, VoxelConfig
from fourfold.verbs.demo import example_path

FEW = "cam02,cam05,cam08"
FIGURES = ("psnr", "psnr_static", "depth_error")


def main() -> None:
    """Train all routes with all seeds, and print their means."""
    arguments = parse()
    arena = example_path("arena")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(arguments.out or scratch)
        still, points = prepare(arena, folder, arguments)
        routes = {
            "none": "",
            "static": f"static:{still}",
            "colmap": f"colmap:{points}",
            "truth": str(arena / "truth" / "depth"),
        }
        found = {
            name: [measure(arena, folder / f"{name}-{seed}", depth, seed, arguments)
                   for seed in range(arguments.seeds)]
            for name, depth in routes.items()
        }  # fmt: skip
    table = {
        name: {key: mean(run[key] for run in runs) for key in FIGURES}
        for name, runs in found.items()
    }
    show(table)
    if arguments.json:
        arguments.json.write_text(json.dumps({"means": table, "runs": found}, indent=2))


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Compare routes to depth with three cameras.")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=600)
    parser.add_argument("--resolution", type=int, default=128)
    parser.add_argument("--out", type=Path, help="keep the runs in this folder")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def settings(arguments: argparse.Namespace) -> VoxelConfig:
    """Give what all runs share."""
    return VoxelConfig(iterations=arguments.iterations, resolution=arguments.resolution)


def prepare(arena: Path, folder: Path, arguments: argparse.Namespace) -> tuple[Path, Path]:
    """Train the still model and triangulate key points, on one picture of every camera."""
    still, points = folder / "still", folder / "points"
    capture = ff.open_capture(arena, fps=15.0)
    config = MixVoxelsConfig(static=True, voxels=settings(arguments))
    ff.train("mixvoxels", capture, out=still, config=config)
    if not points.exists():
        ff.prepare_poses(capture, out=points)
    return still, points


def measure(
    arena: Path, out: Path, depth: str, seed: int, arguments: argparse.Namespace
) -> dict[str, float]:
    """Train on the three cameras, and measure in the one held out."""
    capture = ff.open_capture(arena, fps=15.0, train_cameras=FEW)
    config = MixVoxelsConfig(depth=depth, seed=seed, voxels=settings(arguments))
    return ff.eval(ff.train("mixvoxels", capture, out=out, config=config), capture)


def show(table: dict[str, dict[str, float]]) -> None:
    """Print the figures, and how far each route goes."""
    print(f"{'depth':8} {'psnr':>7} {'share':>6} {'static':>7} {'error':>7} {'share':>6}")
    for name, row in table.items():
        shares = [
            (row[key] - table["none"][key]) / (table["truth"][key] - table["none"][key])
            for key in ("psnr", "depth_error")
        ]
        print(
            f"{name:8} {row['psnr']:7.2f} {shares[0]:6.0%} {row['psnr_static']:7.2f} "
            f"{row['depth_error']:7.4f} {shares[1]:6.0%}"
        )


if __name__ == "__main__":
    main()
