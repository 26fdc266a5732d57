"""Seconds and megabytes."""

import mmap
import subprocess
import sys
import time

import pytest

from fourfold.training import COMPILE, PeakMemory, Stopwatch, process_memory


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_laps_add_up_and_compilation_is_apart():
    clock = Clock()
    watch = Stopwatch({"lift": 10.0}, clock)
    clock.now += 5.0  # between laps nothing is counted
    with watch.lap("move"):
        clock.now += 3.0
        with watch.lap(COMPILE):
            clock.now += 60.0
            assert watch.laps[COMPILE] == 60.0
        clock.now += 4.0
        assert watch.seconds == 17.0
    with watch.lap("move"):
        clock.now += 1.0
    assert watch.laps == {"lift": 10.0, "move": 8.0, COMPILE: 60.0}
    assert watch.seconds == 18.0


def test_a_lap_ends_with_an_error_too():
    clock = Clock()
    watch = Stopwatch(clock=clock)

    def fail() -> None:
        with watch.lap("move"):
            clock.now += 2.0
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    clock.now += 50.0
    assert watch.seconds == 2.0


linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@linux
def test_memory_that_was_held_for_a_moment_is_in_the_peak():
    with PeakMemory() as memory:
        before = process_memory()
        # fresh from the system: the heap may hold as much from tests before, which is no growth
        with mmap.mmap(-1, 40 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as block:
            block[:: mmap.PAGESIZE] = b"x" * (len(block) // mmap.PAGESIZE)
            time.sleep(0.3)
    assert before + 35 < memory.megabytes < before + 80


@linux
def test_children_count():
    code = "block = bytearray(b'x' * (60 << 20)); print(flush=True); input()"
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with child:
        assert child.stdout is not None
        before = process_memory()
        child.stdout.readline()
        after = process_memory()
        child.communicate(b"\n")
    assert after > 60
    assert after - process_memory() > 55, before


def test_the_peak_goes_on_from_an_interrupted_run():
    assert PeakMemory(1e6).megabytes == 1e6
    # who only asks is not watched
    assert PeakMemory(1.0).megabytes == 1.0
