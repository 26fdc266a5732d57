"""A real training that is killed again and again ends with the scene it would have had."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import fourfold
from fourfold.verbs.demo import example_path
from tests.methods.mixvoxels.yard import write_yard
from tests.methods.osn.cards import write_cards

SCRIPT = Path(__file__).with_name("killed_train.py")
STEPS, KILLS = 200, 3

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL"),
    pytest.mark.slow,
]


@pytest.fixture(params=["dreamscene4d", "osn", "mom", "mixvoxels"])
def words(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """The words of a small training: an embedded example, two cards, or a ball before a wall."""
    if request.param == "mixvoxels":
        words = ["train", "mixvoxels", str(write_yard(tmp_path / "yard"))]
        words += ["--voxels.resolution", "32", "--voxels.rays", "512"]
        return [*words, "--voxels.iterations", str(STEPS // 2)]
    if request.param == "mom":
        words = ["train", "mom", str(example_path("valley")), "--max-size", "320"]
        words += ["--loop.frames", "24", "--refine.iterations", "8"]
        return [*words, "--stages", "depth,motion,lift,loop,refine"]
    if request.param == "dreamscene4d":
        words = ["train", "dreamscene4d", str(example_path("juggler"))]
        words += ["--max-size", "96", "--frames", "0:5", "--move.nodes", "16"]
        words += ["--move.iterations", str(STEPS), "--move.iterations-per-frame", "0"]
        words += ["--lift.gaussians-per-object", "300", "--lift.background-gaussians", "1500"]
        return words
    words = ["train", "osn", str(write_cards(tmp_path / "cards", truth=False))]
    words += ["--body.iterations", str(STEPS // 4), "--body.rounds", "2"]
    words += ["--body.iterations-per-round", str(STEPS // 8), "--body.max-gaussians", "1000"]
    return [*words, "--network.iterations", "40", "--network.combinations", "256"]


def start_training(words: list[str], out: Path) -> subprocess.Popen[bytes]:
    """Start a training."""
    source = str(Path(fourfold.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": source, "OMP_NUM_THREADS": "1"}
    with out.with_suffix(".txt").open("ab") as said:
        command = [sys.executable, str(SCRIPT), *words, "--out", str(out)]
        return subprocess.Popen(command, env=environment, stdout=said, stderr=said)


def train_to_the_end(words: list[str], out: Path) -> float:
    """Train, and return how long it took."""
    began = time.perf_counter()
    code = start_training(words, out).wait()
    said = out.with_suffix(".txt").read_text()
    assert code == 0, said
    assert "Traceback" not in said
    return time.perf_counter() - began


def kill_training(words: list[str], out: Path, seconds: float) -> bool:
    """Train, and kill -9 the training after a while; False when it had ended before."""
    with start_training(words, out) as training:
        time.sleep(seconds)
        training.send_signal(signal.SIGKILL)
    return training.returncode == -signal.SIGKILL


def read_log(run: Path) -> list[dict[str, float]]:
    entries = map(json.loads, (run / "log.jsonl").read_text().splitlines())
    return [{key: value for key, value in entry.items() if key != "seconds"} for entry in entries]


def test_killed_at_random_moments_ends_with_the_same_scene(
    words: list[str], tmp_path: Path
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    duration = train_to_the_end(words, whole)
    # From 0.3 on the training proper runs; what comes before is Python importing torch.
    moments = random.Random(0)
    for _ in range(4):
        waits = [moments.uniform(0.3, 0.9) * duration for _ in range(KILLS)]
        kills = [kill_training(words, killed, wait) for wait in waits]
        if any(kills):
            break
        # the machine was slower for the first training than it is now: begin anew
        shutil.rmtree(killed)
        duration /= 2
    else:
        pytest.fail("no training was killed before it ended")
    train_to_the_end(words, killed)
    for name in ("scene.json", "tensors.safetensors"):
        assert (killed / "scene" / name).read_bytes() == (whole / "scene" / name).read_bytes(), name
    assert read_log(killed) == read_log(whole)
    assert not [*killed.rglob("*.new"), *killed.rglob("*.old")], "a half-written file was left"
