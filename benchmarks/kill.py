"""Kill trainings at random moments, resume them, and compare their scenes with the whole one's.

    python benchmarks/kill.py [--times 20] [--seed 0] [--json FILE]

Trains the embedded example, made small, once in one go and then as often as asked for with
SIGKILL at a random moment, after which the same command resumes it. Scenes are compared byte by
byte, logs line by line (but for their seconds). Each attempt is a fork of this process that runs
`fourfold train`, so that torch is imported once. A checkpoint is written at every chance.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from fourfold.cli import main as fourfold
from fourfold.methods.dreamscene4d import evaluate, move, train  # noqa: F401 - imported for forks
from fourfold.verbs.demo import example_path

SMALL = "--max-size 96 --frames 0:5 --move.nodes 16 --move.iterations 200 "
SMALL += "--move.iterations-per-frame 0 --lift.gaussians-per-object 300 "
SMALL += "--lift.background-gaussians 1500"


def start(out: Path) -> int:
    """Start a training in a fork of this process and return its id."""
    sys.stdout.flush()  # or the fork would write what is left in the buffer, too
    child = os.fork()
    if child == 0:
        said = os.open(out.with_suffix(".txt"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(said, sys.stdout.fileno())
        os.dup2(said, sys.stderr.fileno())
        move.CHECKPOINT_SECONDS = 0.0
        words = ["train", "dreamscene4d", str(example_path("juggler")), "--out", str(out)]
        os._exit(fourfold([*words, *SMALL.split()]))
    return child


def finish(out: Path) -> float:
    """Train to the end and return how long it took."""
    began = time.perf_counter()
    status = os.waitpid(start(out), 0)[1]
    if status != 0:
        sys.exit(f"a training failed:\n{out.with_suffix('.txt').read_text()}")
    return time.perf_counter() - began


def kill(out: Path, seconds: float) -> bool:
    """Train, and kill the training after a while; False when it had ended before."""
    child = start(out)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1] != 0


def read_log(run: Path) -> list[dict[str, float]]:
    """Read a run's log without its seconds."""
    file = run / "log.jsonl"
    lines = file.read_text().split("\n")[:-1] if file.exists() else []
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]


def newest_checkpoint(run: Path) -> str:
    """Name the stage and step of the newest checkpoint."""
    names = sorted(path.name for path in (run / "checkpoints").glob("[0-9]*"))
    return " ".join(names[-1].split("-")[1:]) if names else "none"


def same_scene(run: Path, whole: Path) -> bool:
    """Compare scenes byte by byte."""
    files = ("scene/scene.json", "scene/tensors.safetensors")
    return all((run / name).read_bytes() == (whole / name).read_bytes() for name in files)


def measure(times: int, seed: int, folder: Path) -> dict[str, float]:
    """Print a line for each kill and return the counts."""
    whole = folder / "whole"
    finish(folder / "first")  # compiles the kernels
    duration = finish(whole)
    print(f"uninterrupted: {duration:.1f} s\n")
    print(
        f"{'kill':>4} {'after':>8} {'last logged':>12} {'checkpoint':>16} {'scene':>6} {'log':>5}"
    )
    moments, counts = random.Random(seed), {"kills": 0, "same_scene": 0, "same_log": 0}
    for number in range(1, times + 1):
        out, seconds, struck = folder / f"{number:03d}", 0.0, False
        while not struck:  # one that ended before it was struck does not count
            out = out.with_name(f"{out.name}x") if out.exists() else out
            seconds = moments.uniform(0.0, duration)
            struck = kill(out, seconds)
        logged, checkpoint = read_log(out), newest_checkpoint(out)
        finish(out)
        scene, log = same_scene(out, whole), read_log(out) == read_log(whole)
        counts["kills"] += 1
        counts["same_scene"] += scene
        counts["same_log"] += log
        last = f"step {logged[-1]['step']}" if logged else "nothing"
        words = ["same" if same else "OTHER" for same in (scene, log)]
        print(
            f"{number:>4} {seconds:>6.2f} s {last:>12} {checkpoint:>16} {words[0]:>6} {words[1]:>5}"
        )
    return {**counts, "seconds_uninterrupted": duration}


def main() -> int:
    """Measure, and exit 1 where a scene differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--times", type=int, default=20, help="number of kills")
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments")
    parser.add_argument("--json", type=Path, help="also write the counts here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        counts = measure(options.times, options.seed, Path(folder))
    print(f"\n{counts['same_scene']} of {counts['kills']} resumed to the same scene")
    if options.json:
        options.json.write_text(json.dumps(counts, indent=1))
    return 0 if counts["same_scene"] == counts["same_log"] == counts["kills"] else 1


if __name__ == "__main__":
    sys.exit(main())
