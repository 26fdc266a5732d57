"""Fixtures that several rooms use: where the real captures are, and how hypothesis runs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# As the command line sets it, and as early: before torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# The same examples on every machine and run, and no failure because a machine is slow.
settings.register_profile("fourfold", derandomize=True, deadline=None, max_examples=30)
settings.load_profile("fourfold")

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def captures_dir() -> Path:
    """Return the folder of real captures, or skip the test where it is absent."""
    folder = Path(os.environ.get("FOURFOLD_CAPTURES", REPOSITORY / "../shared/captures"))
    if not folder.is_dir():
        pytest.skip("the real captures are not here (set FOURFOLD_CAPTURES)")
    return folder.resolve()


@pytest.fixture(scope="session")
def real_capture(captures_dir: Path) -> Callable[[str], Path]:
    """Return a function from the name of a real capture to its folder; skips where it is absent."""

    def find(name: str) -> Path:
        folder = captures_dir / name
        if not folder.is_dir():
            pytest.skip(f"the real capture {name} is not here")
        return folder

    return find


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return an empty disk of 64 kB; skips where mounting one is not allowed."""
    yield from _mounted(tmp_path / "small", "size=64k")


@pytest.fixture
def read_only_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a disk that nobody may write to; skips where mounting one is not allowed."""
    yield from _mounted(tmp_path / "locked", "ro,size=64k")


def _mounted(folder: Path, options: str) -> Iterator[Path]:
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "fourfold-test", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("mounting a small disk is not allowed here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
