"""Time the occlusion accuracy of combinations of object scales: look-ups against brute force.

    python benchmarks/scales.py [CAPTURE...] [--combinations N] [--json FILE]

CAPTURE is a synthetic one in OSN's layout that brings the true layer of every body
(`fourfold synth tabletop --out DIR`). Without any, discs before a wall are drawn: 4 and 9 bodies in
24 frames of 160x120. Columns: contested pixels; seconds to collect them, to look the accuracy of
all combinations up, to tell which are valid, to compute it by brute force (on a part of them,
scaled up) and to draw 1000 valid ones; the largest difference between look-ups and brute force and
the bound on it; the share of the box that is valid, the precision and recall of the computed set,
and the share of the drawn ones that brute force calls valid.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from fourfold.capture import open_capture
from fourfold.scene import ContestCollector, Contests, ScaleSet, brute_force_accuracy

Layers = tuple[tuple[str, ...], list[tuple[float, float]], list[torch.Tensor], list[torch.Tensor]]
Result = TypeVar("Result")

# Brute force is timed on so many combinations, and compared on them.
BRUTE = 50_000
SAMPLES = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the occlusion accuracy of scales.")
    parser.add_argument("captures", nargs="*", type=Path)
    parser.add_argument("--combinations", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path, help="write all figures here")
    arguments = parser.parse_args()
    scenes = {path.name: _true_layers(path) for path in arguments.captures}
    scenes = scenes or {f"discs, {bodies} bodies": _discs(bodies) for bodies in (4, 9)}
    measured = {name: _measure(scene, arguments.combinations) for name, scene in scenes.items()}
    print(_table(measured))
    if arguments.json:
        arguments.json.write_text(json.dumps(measured, indent=2) + "\n")


def _measure(scene: Layers, combinations: int) -> dict[str, float]:
    names, ranges, depths, labels = scene
    _warm_up(scene)
    collect, contests = _timed(lambda: _collect(scene))
    scale_set = ScaleSet(names, tuple(ranges), contests)
    places = torch.rand(
        combinations, len(ranges), generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    scales = scale_set.scales_at(places).float()
    look_up, accuracy = _timed(lambda: scale_set.accuracy(scales))
    tell, found = _timed(lambda: scale_set.contains(scales))
    part = scales[:BRUTE]
    brute, exact = _timed(lambda: brute_force_accuracy(depths, labels, part))
    draw, drawn = _timed(lambda: scale_set.sample(SAMPLES))
    valid = exact > scale_set.tolerance
    both = float((valid & found[:BRUTE]).sum())
    drawn_right = brute_force_accuracy(depths, labels, drawn.scales) > scale_set.tolerance
    return {
        "pixels": float(contests.counts.max(dim=1).values.sum()),
        "collect_s": collect,
        "look_up_s": look_up,
        "tell_s": tell,
        "brute_force_s": brute * combinations / len(part),
        "draw_s": draw,
        "difference": float((accuracy[:BRUTE] - exact).abs().max()),
        "error_bound": contests.error_bound,
        "share": float(valid.float().mean()),
        "precision": both / max(float(found[:BRUTE].sum()), 1.0),
        "recall": both / max(float(valid.sum()), 1.0),
        "drawn_valid": float(drawn_right.float().mean()),
    }


def _warm_up(scene: Layers) -> None:
    """Have the kernels compiled before anything is timed."""
    names, ranges, depths, labels = scene
    ones = torch.ones(4, len(ranges))
    brute_force_accuracy(depths[:1], labels[:1], ones)
    ScaleSet(names, tuple(ranges), _collect(scene)).contains(ones)


def _collect(scene: Layers) -> Contests:
    names, ranges, depths, labels = scene
    collector = ContestCollector(names, ranges)
    for frame in zip(depths, labels, strict=True):
        collector.add(*frame)
    return collector.finish()


def _timed(work: Callable[[], Result]) -> tuple[float, Result]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def _true_layers(path: Path) -> Layers:
    """Read the true layers of a synthetic capture, in the units of its bodies."""
    capture = open_capture(path)
    truth = capture.rigid_truth
    if truth is None or (scales := truth.scales()) is None:
        raise SystemExit(f"{path}: no true layers and scales here")
    depths, labels = [], []
    for frame in range(capture.num_frames):
        layers, seen = truth.layers(frame), truth.labels(frame)
        if layers is None or seen is None:
            raise SystemExit(f"{path}: no true layers here")
        depths.append((layers / scales[:, None, None]).float())
        labels.append(seen)
    ranges = [body.scale_range or (1.0, 1.0) for body in capture.bodies[1:]]
    return tuple(body.name for body in capture.bodies), ranges, depths, labels


def _discs(bodies: int, frames: int = 24, height: int = 120, width: int = 160) -> Layers:
    """Draw slanted discs that drift across one another before a slanted wall."""
    rng = np.random.default_rng(bodies)
    y, x = np.mgrid[0:height, 0:width]
    phase, pace = rng.uniform(0, 2 * np.pi, (2, bodies)), rng.uniform(0.3, 0.9, (2, bodies))
    radius = height * (0.25 if bodies < 6 else 0.17)
    depths, labels = [], []
    for frame in range(frames):
        layers = np.full((bodies, height, width), np.nan, np.float32)
        layers[0] = 6.0 - 2.0 * y / height
        for body in range(1, bodies):
            turn = phase[:, body] + 2 * np.pi * pace[:, body] * frame / frames
            u, v = (
                x - width * (0.5 + 0.35 * np.sin(turn[0])),
                y - height * (0.5 + 0.3 * np.cos(turn[1])),
            )
            depth = 1.6 + 1.2 * body / bodies + 0.003 * u - 0.004 * v
            layers[body] = np.where(u**2 + v**2 < radius**2, depth, np.nan)
        depths.append(torch.from_numpy(layers))
        labels.append(torch.from_numpy(np.nanargmin(layers, axis=0)))
    names = ("background", *(f"disc {body}" for body in range(1, bodies)))
    return names, [(0.3, 1.7)] * (bodies - 1), depths, labels


def _table(measured: dict[str, dict[str, float]]) -> str:
    columns = list(next(iter(measured.values())))
    lines = ["| scene | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, values in measured.items():
        cells = " | ".join(f"{values[column]:.4g}" for column in columns)
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
