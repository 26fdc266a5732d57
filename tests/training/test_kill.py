"""A training that is killed at any instant resumes, and ends as if nothing had happened."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import fourfold

SCRIPT = Path(__file__).with_name("killed_training.py")
STEPS = 40
WRITES = 40

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="forks its trainings"),
    pytest.mark.slow,
]


def run_trainings(mode: str, folder: Path) -> str:
    """Run the script and return what it printed."""
    source = Path(fourfold.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), mode, str(folder)],
        env={**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


def read_log(run: Path) -> list[tuple[int, float]]:
    lines = (run / "log.jsonl").read_text().splitlines()
    return [(entry["step"], entry["loss"]) for entry in map(json.loads, lines)]


def assert_same_training(run: Path, whole: Path) -> None:
    assert (run / "result.safetensors").read_bytes() == (whole / "result.safetensors").read_bytes()
    assert read_log(run) == read_log(whole)
    assert not [*run.rglob("*.new"), *run.rglob("*.old")], "a half-written file was left"
    assert len(list((run / "checkpoints").iterdir())) == 2


def test_killed_at_random_moments_ends_bit_identical(tmp_path):
    kills = int(run_trainings("moments", tmp_path))
    assert kills >= 5, "too few trainings were killed before they ended"
    assert_same_training(tmp_path / "killed", tmp_path / "whole")
    assert [step for step, _ in read_log(tmp_path / "whole")] == list(range(STEPS))


def test_crashed_at_every_write_ends_bit_identical(tmp_path):
    run_trainings("writes", tmp_path)
    for number in range(1, WRITES + 1):
        assert_same_training(tmp_path / str(number), tmp_path / "whole")
